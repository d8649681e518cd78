package catalog

import (
	"math"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestRows: every row has an ID of its own and says where it comes from, and no
// name belongs to two rows.
func TestRows(t *testing.T) {
	ids, names := map[string]bool{}, map[string]string{}
	for _, p := range Programs() {
		if p.ID == "" || ids[p.ID] || p.Kind == "" || p.Source == "" {
			t.Errorf("row %+v: no ID of its own, kind or source", p)
		}
		ids[p.ID] = true
		for _, n := range append(append([]string{}, p.Names...), p.Scripts...) {
			if names[n] != "" && names[n] != p.ID {
				t.Errorf("%q belongs to %s and %s", n, names[n], p.ID)
			}
			names[n] = p.ID
		}
		if p.Forward != nil && p.Forward.Code == CodeFixed && p.Forward.Reach == "" {
			t.Errorf("%s: forwards to nobody", p.ID)
		}
	}
}

// TestNoOwnPrograms: rows match programs that exist in the world, never those of
// our own test beds.
func TestNoOwnPrograms(t *testing.T) {
	for _, name := range []string{"siglab", "lab", "whystuck"} {
		if row := byName(name); row != nil {
			t.Errorf("row %s matches the test program %s", row.ID, name)
		}
	}
}

func TestIdentify(t *testing.T) {
	cases := []struct {
		name, exe string
		argv      []string
		id        string
		options   map[string]string
	}{
		{"tini", "/usr/bin/tini-static", []string{"/sbin/tini", "-g", "--", "app", "-s"}, "tini", map[string]string{"group": "true"}},
		{"docker-init", "/sbin/docker-init", []string{"/sbin/docker-init", "--", "app"}, "tini", nil},
		{"dumb-init", "/usr/bin/dumb-init", []string{"dumb-init", "--rewrite", "15:3", "--", "x"}, "dumb-init", map[string]string{"rewrite": "15:3"}},
		{"the child's flags are not tini's", "/usr/bin/tini", []string{"tini", "app", "-g"}, "tini", nil},
		{"script by shebang", "/usr/bin/dash", []string{"/bin/sh", "/entry.sh"}, "dash", map[string]string{"form": "script"}},
		{"busybox applet", "/bin/busybox", []string{"sh", "-c", "x"}, "ash", map[string]string{"form": "command"}},
		{"busybox with the applet as argument", "/bin/busybox", []string{"busybox", "sh"}, "ash", nil},
		{"busybox init", "/bin/busybox", []string{"init"}, "busybox-init", nil},
		{"supervisord under python", "/usr/bin/python3.11", []string{"/usr/bin/python3", "/usr/bin/supervisord", "-n"}, "supervisord", nil},
		{"python module", "/usr/bin/python3.11", []string{"python3", "-m", "uvicorn", "app:app"}, "uvicorn", nil},
		{"python -c has no script", "/usr/bin/python3.11", []string{"python3", "-c", "supervisord"}, "python", nil},
		{"npm by its title", "/usr/local/bin/node", []string{"npm start"}, "npm", nil},
		{"versioned interpreter", "/usr/bin/ruby3.1", []string{"ruby", "x.rb"}, "ruby", nil},
		{"deleted executable", "/usr/sbin/nginx (deleted)", []string{"nginx"}, "nginx", nil},
		{"without exe", "", []string{"-bash"}, "bash", nil},
		{"unknown", "/srv/app", []string{"/srv/app"}, "", nil},
		{"postgres client", "/usr/lib/postgresql/15/bin/postgres", []string{"postgres: alice shop [local] idle"}, "postgres", map[string]string{"client": "true"}},
		{"postgres auxiliary", "/usr/lib/postgresql/15/bin/postgres", []string{"postgres: 15/main: checkpointer "}, "postgres", nil},
		{"uwsgi", "/usr/bin/uwsgi-core", []string{"uwsgi", "--master", "--die-on-term"}, "uwsgi", map[string]string{"master": "true", "die-on-term": "true"}},
		{"redis without saving", "/usr/bin/redis-server", []string{"redis-server", "--save", ""}, "redis", map[string]string{"save": "off"}},
		{"sleep", "/usr/bin/sleep", []string{"sleep", "1m", "30"}, "sleep", map[string]string{"seconds": "90"}},
		{"no argv at all", "", nil, "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Identify(&evidence.Process{Exe: c.exe, Argv: c.argv, Comm: "x"})
			if got.ID != c.id {
				t.Fatalf("got %q by %s, want %q", got.ID, got.By, c.id)
			}
			for k, v := range c.options {
				if got.Options[k] != v {
					t.Errorf("option %s is %q, want %q", k, got.Options[k], v)
				}
			}
			if c.options == nil && len(got.Options) > 0 {
				t.Errorf("options %v, want none", got.Options)
			}
		})
	}
}

func TestSleepSeconds(t *testing.T) {
	cases := map[string]struct {
		want float64
		ok   bool
	}{"5": {5, true}, "0.5": {0.5, true}, "2h": {7200, true}, "infinity": {math.Inf(1), true}, "x": {0, false}, "-1": {0, false}}
	for arg, c := range cases {
		if got, ok := sleepSeconds([]string{arg}); got != c.want || ok != c.ok {
			t.Errorf("sleep %s: got %g, %v", arg, got, ok)
		}
	}
	if _, ok := sleepSeconds(nil); ok {
		t.Error("sleep without arguments has a time")
	}
}

func TestReadTrap(t *testing.T) {
	code := func(n int) *int { return &n }
	cases := []struct {
		text            string
		exits           bool
		code            *int
		forwards, waits bool
	}{
		{"exit 0", true, code(0), false, false},
		{"echo bye; exit 3", true, code(3), false, false},
		{"kill -TERM $pid; wait $pid; exit 0", true, code(0), true, true},
		{"exit", true, nil, false, false},
		{"exit $?", true, nil, false, false},
		{"X=1; exit 0", true, code(0), false, false},
		{"cleanup", false, nil, false, false},
		{"cleanup; exit 0", false, nil, false, false},
		{"[ -f x ] && exit 0", false, nil, false, false},
		{"if true; then exit 0; fi", false, nil, false, false},
		{"(exit 0)", false, nil, false, false},
		{"exit 0 | cat", false, nil, false, false},
		{"echo $(exit 0)", false, nil, false, false},
		{"kill $pid", false, nil, true, false},
		{"sleep 20; exit 0", false, nil, false, false},
		{"false || exit 0", false, nil, false, false},
		{"", false, nil, false, false},
	}
	for _, c := range cases {
		exits, got, forwards, waits := ReadTrap(c.text)
		if exits != c.exits || forwards != c.forwards || waits != c.waits || (got == nil) != (c.code == nil) || got != nil && *got != *c.code {
			t.Errorf("%q: exits %v, code %v, forwards %v, waits %v", c.text, exits, got, forwards, waits)
		}
	}
}

func FuzzReadTrap(f *testing.F) {
	f.Add("exit 0")
	f.Add("kill -TERM $p; wait; exit")
	f.Fuzz(func(t *testing.T, text string) {
		if _, code, _, _ := ReadTrap(text); code != nil && (*code < 0 || *code > 255) {
			t.Errorf("%q: code %d", text, *code)
		}
	})
}

func TestLookupWait(t *testing.T) {
	cases := []struct {
		stack    []string
		wchan    string
		topic    string
		killable Killable
	}{
		{[]string{"request_wait_answer", "__fuse_simple_request"}, "", "fuse", KillableUnknown},
		{[]string{"percpu_rwsem_wait.isra.0", "vfs_write"}, "", "frozen-fs", KillableNo},
		{nil, "autofs_wait", "autofs", KillableYes},
		{[]string{"do_wait", "kernel_wait4", "zap_pid_ns_processes"}, "", "pidns", KillableNo},
		{[]string{"kernel_clone", "__do_sys_vfork"}, "", "vfork", KillableYes},
		{[]string{"hrtimer_nanosleep"}, "", "", ""},
		// From public reports; not provoked by the hang bed.
		{[]string{"rpc_wait_bit_killable", "__rpc_execute"}, "", "nfs", KillableYes},
		{[]string{"nvidia_modeset_ioctl"}, "", "gpu", KillableUnknown},
	}
	for _, c := range cases {
		w := LookupWait(c.stack, c.wchan)
		if w == nil {
			if c.topic != "" {
				t.Errorf("%v %s: no row", c.stack, c.wchan)
			}
			continue
		}
		if w.Topic != c.topic || w.Killable != c.killable {
			t.Errorf("%v %s: %s, %s", c.stack, c.wchan, w.Topic, w.Killable)
		}
	}
}
