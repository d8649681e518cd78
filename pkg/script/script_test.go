package script

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// show writes endings shortly: "exec $@ @4".
func show(ends []End) []string {
	var out []string
	for _, e := range ends {
		s := string(e.Kind)
		if len(e.Words) > 0 {
			s += " " + strings.Join(e.Words, " ")
		}
		if e.Single {
			s += " (single)"
		} else if e.Tail {
			s += " (tail)"
		}
		if e.Redirected {
			s += " (redirected)"
		}
		out = append(out, s)
	}
	return out
}

func TestEnds(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"exec of the arguments", "#!/bin/sh\nset -e\nexec \"$@\"\n", []string{"exec $@"}},
		{"exec with options", "exec -a name server", []string{"exec server"}},
		{"exec of redirections alone", "exec >log 2>&1\nserver", []string{"foreground server (tail)"}},
		{"single", "server -p 80", []string{"foreground server -p 80 (single)"}},
		{"single with a variable", "PORT=80 server $PORT", []string{"foreground server $PORT (single)"}},
		{"redirected", "server >/dev/null", []string{"foreground server (single) (redirected)"}},
		{"last of a list", "cd /app && server", []string{"foreground server (tail)"}},
		{"last of two", "setup; server", []string{"foreground server (tail)"}},
		{"something follows", "server; true", []string{"foreground server"}},
		{"a program follows a program", "migrate\nserver\necho done\n", []string{"foreground server"}},
		{"pipeline", "server 2>&1 | tee log", []string{"pipeline server"}},
		{"pipeline of three", "server | sed s/a/b/ | tee log", []string{"pipeline server"}},
		{"background and wait", "a & b &\nwait", []string{"wait"}},
		{"background alone", "a &\n", []string{"nothing"}},
		{"tail", "service nginx start\ntail -f /dev/null", []string{"foreground tail -f /dev/null (tail)"}},
		{"sleep for ever", "server &\nsleep infinity", []string{"foreground sleep infinity (tail)"}},
		{"a short sleep is passed over", "server\nsleep 1", []string{"foreground server"}},
		{"both branches exec", "if [ x ]; then exec a; else exec b; fi", []string{"exec a", "exec b"}},
		{"a branch that may be passed over", "if [ x ]; then exec a; fi\nb", []string{"foreground b (tail)"}},
		{"the last branch falls through to nothing", "b\nif [ x ]; then exec a; fi", []string{"exec a", "foreground b"}},
		{"case with a default", "case $1 in a) exec x;; *) exec \"$@\";; esac", []string{"exec x", "exec $@"}},
		{"a function of the script", "main() {\n exec \"$@\"\n}\nmain \"$@\"", []string{"exec $@"}},
		{"a function in a condition", "_main() { exec \"$@\"; }\nif ! sourced; then _main \"$@\"; fi", []string{"exec $@", "nothing"}},
		{"endless loop with a program", "while true; do server; sleep 1; done", []string{"loop server"}},
		{"idle loop", "while :; do sleep 1; done", []string{"loop"}},
		{"idle loop over sleep", "while sleep 1; do date; done", []string{"loop"}},
		{"a loop that ends", "until ping db; do sleep 1; done\nexec server", []string{"exec server"}},
		{"a subshell's exec is a child", "(exec server)", []string{"foreground server"}},
		{"test and exec", "[ -n \"$X\" ] && exec a\nb", []string{"foreground b (tail)"}},
		{"or exit", "server || exit 1", []string{"foreground server"}},
		{"command", "command server", []string{"foreground server (single)"}},
		{"an exec in an endless loop", "while :; do case $1 in a) shift;; *) exec \"$@\";; esac; done", []string{"exec $@", "loop"}},
		{"an exec in a loop that ends", "for a in x y; do [ -x $a ] && exec $a; done\nserver", []string{"foreground server (tail)"}},
		{"an exec in a loop before nothing", "server\nfor a in x y; do [ -x $a ] && exec $a; done", []string{"exec $a", "foreground server"}},
		{"eval ends nobody knows how", "eval exec \"$CMD\"", []string{"nothing"}},
		{"recursion", "f() { f; }\nf", []string{"nothing"}},
		{"empty", "", []string{"nothing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Read(tt.text, false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(s.Ends)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTraps(t *testing.T) {
	s, err := Read("stop() { kill $pid; }\ntrap stop SIGTERM int\ntrap 'echo bye' 0\ntrap '' HUP\ntrap - QUIT\ntrap\nserver &\npid=$!\nwait\n", false)
	if err != nil {
		t.Fatal(err)
	}
	want := []Trap{{[]string{"TERM", "INT"}, "stop", 2, true, false}, {[]string{"EXIT"}, "echo bye", 3, false, false}, {[]string{"HUP"}, "", 4, false, false}}
	if diff := cmp.Diff(want, s.Traps); diff != "" {
		t.Error(diff)
	}
	if s.TrapFor("TERM") == nil || s.TrapFor("QUIT") != nil {
		t.Error("the trap for TERM is not found, or one for QUIT is")
	}
	if len(s.Background) != 1 || s.Background[0].Words[0] != "server" {
		t.Errorf("background is %v", s.Background)
	}
}

// TestTrapsInside: where a trap stands, and that a reset is seen.
func TestTrapsInside(t *testing.T) {
	for _, tt := range []struct {
		text           string
		want           string // of the trap for TERM
		inner, changes bool
	}{
		{"trap '' TERM\nserver", "", false, false},
		{"f() { trap '' TERM; }\ntrap '' HUP\n", "", true, false},
		{"(trap '' TERM; a)\nserver", "", true, false},
		{"{ trap '' TERM; a; } &\nserver", "", true, false},
		{"trap stop TERM\nstop() { trap '' TERM INT; kill $pid; }\nserver", "stop", false, true},
		{"trap stop TERM\ntrap '' TERM\nserver", "", false, true},
		{"trap '' TERM\nsetup\ntrap - TERM\nserver", "", false, true},
	} {
		s, err := Read(tt.text, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.TrapFor("TERM"); got == nil || got.Text != tt.want || got.Inner != tt.inner || s.Changes("TERM") != tt.changes {
			t.Errorf("%q: %+v, changes %v; want %+v", tt.text, got, s.Changes("TERM"), tt)
		}
	}
	for _, text := range []string{". /lib.sh", "source /lib.sh", "eval \"$X\""} {
		if s, err := Read(text, true); err != nil || !s.Sourced {
			t.Errorf("%q: %+v, %v: nothing unseen in it", text, s, err)
		}
	}
}

func TestSets(t *testing.T) {
	s, err := Read("#!/bin/bash\nif [ \"${1:0:1}\" = '-' ]; then\n set -- mysqld \"$@\"\nfi\nexec \"$@\"", true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mysqld"}, s.Sets); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{"too long": strings.Repeat("a\n", MaxText), "not a script": "if then fi (", "no end": "cat <<EOF\n$("} {
		if _, err := Read(text, false); err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
}

// FuzzRead: an image's script does not bring the reader down, nor make it slow.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"exec \"$@\"", "while true; do a | b; done & wait", "case x in *) f() { f; }; f;; esac", "f() { f; f; f; f; f; f; f; f; }\nf", "trap 'kill $!' TERM; a & wait", "\x00\xff$((", strings.Repeat("if a; then b; else ", 200)} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, bash bool) {
		start := time.Now()
		s, err := Read(text[:min(len(text), MaxText)], bash)
		if err == nil && len(s.Ends) == 0 {
			t.Fatal("a script without an ending")
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("took %s", d)
		}
	})
}
