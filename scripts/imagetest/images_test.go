package imagetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// scripts are files of the base image.
var scripts = map[string]string{
	"exec.sh":   "#!/bin/sh\nset -e\nexec \"$@\"\n",
	"noexec.sh": "#!/bin/sh\n\"$@\"\ntrue\n",
	"trap.sh":   "#!/bin/bash\ntrap 'exit 0' TERM\nwhile :; do sleep 1000 & wait $!; done\n",
	"held.sh":   "#!/bin/bash\ntrap 'exit 0' TERM\nsleep 1000\nexit 1\n",
	"deaf.sh":   "#!/bin/sh\ntrap '' HUP INT QUIT TERM USR1 USR2\nwhile :; do sleep 1000; done\n",
	"flood.sh":  "#!/bin/bash\nline=$(printf 'x%.0s' {1..1000})\nwhile :; do echo \"$line\"; done\n",
	"late.sh":   "#!/bin/sh\necho starting\nsleep 2\necho 'now serving'\nexec /siglab exit\n",
	"serve.sh":  "#!/bin/sh\nsleep 2\nexec busybox httpd -f -p 8080 -h /tmp\n",
	"mark.sh":   "#!/bin/sh\nsleep 2\n: >/tmp/up\nexec /siglab exit\n",
	"sick.sh":   "#!/bin/sh\necho 'cannot reach the database' >&2\nprintf 'odd \\033[31mcolours\\033[0m\\a\\n'\nexit 3\n",
	"brief.sh":  "#!/bin/sh\nsleep 3\nexit 4\n",
	"dice.sh":   "#!/bin/sh\nread -r r </proc/sys/kernel/random/uuid\ncase $r in [0-7]*) exec /siglab exit ;; esac\nexec /siglab default\n",
}

// picture is one image and what is to be said of it. What its stop comes to was
// measured with docker stop.
type picture struct {
	name    string
	file    []string // its Dockerfile below FROM
	options []string
	// ends is what the stop was measured to come to; "" where there is none.
	ends diagnose.Verdict
	exit int // the container's
	// finding is the one that has to be there, and makes the image fail; "" for a
	// good image.
	finding string
	// assumed: the forecast may be no more than that.
	assumed bool
}

func (p *picture) good() bool { return p.finding == "" }

func pictures() []picture {
	siglab := func(mode string) []string { return []string{fmt.Sprintf(`ENTRYPOINT ["/siglab", %q]`, mode)} }
	return []picture{
		{name: "good-handler", file: siglab("exit"), ends: diagnose.Stops, assumed: true},
		{name: "good-sigwait", file: siglab("sigwait"), ends: diagnose.Stops, assumed: true},
		{name: "good-signalfd", file: siglab("sfd_epoll"), ends: diagnose.Stops, assumed: true},
		{name: "good-forwards", file: siglab("fork_forward"), ends: diagnose.Stops, assumed: true},
		{name: "good-slow", file: []string{`ENTRYPOINT ["/siglab", "-n", "1", "slow"]`}, options: []string{"--stop-timeout", "8"}, ends: diagnose.Stops, assumed: true},
		{name: "good-exec", file: []string{`ENTRYPOINT ["/exec.sh"]`, `CMD ["/siglab", "exit143"]`}, ends: diagnose.Stops, exit: 143, assumed: true},
		{name: "good-tini", file: []string{`ENTRYPOINT ["tini", "--", "/siglab", "default"]`}, ends: diagnose.Stops, exit: 143},
		{name: "good-trap", file: []string{`ENTRYPOINT ["/trap.sh"]`}, ends: diagnose.Stops, assumed: true},
		{name: "good-stopsignal", file: []string{`STOPSIGNAL SIGQUIT`, `ENTRYPOINT ["/siglab", "-s", "3", "exit"]`}, ends: diagnose.Stops, assumed: true},
		{name: "good-health", file: []string{`HEALTHCHECK --interval=1s CMD ["/bin/true"]`, `ENTRYPOINT ["/siglab", "exit"]`}, ends: diagnose.Stops, assumed: true},
		{name: "good-volume", file: []string{`VOLUME /data`, `ENTRYPOINT ["/siglab", "exit"]`}, ends: diagnose.Stops, assumed: true},

		{name: "bad-default", file: siglab("default"), ends: diagnose.Killed, exit: 137, finding: "WS101"},
		{name: "bad-ignored", file: siglab("ign"), ends: diagnose.Killed, exit: 137, finding: "WS102"},
		{name: "bad-blocked", file: siglab("blocked"), ends: diagnose.Killed, exit: 137, finding: "WS103"},
		{name: "bad-shell", file: []string{`CMD /siglab exit; true`}, ends: diagnose.Killed, exit: 137, finding: "WS104"},
		{name: "bad-noexec", file: []string{`ENTRYPOINT ["/noexec.sh"]`, `CMD ["/siglab", "exit"]`}, ends: diagnose.Killed, exit: 137, finding: "WS104"},
		{name: "bad-trap", file: []string{`ENTRYPOINT ["/held.sh"]`}, ends: diagnose.Killed, exit: 137, finding: "WS105"},
		{name: "bad-child", file: siglab("fork_wait"), ends: diagnose.Killed, exit: 137, finding: "WS106"},
		{name: "bad-abrupt", file: []string{`ENTRYPOINT ["tini", "--", "sh", "-c", "/siglab -n 1 slow; true"]`}, ends: diagnose.Abrupt, exit: 143, finding: "WS108"},
		{name: "bad-signalfd", file: siglab("sfd_unread"), ends: diagnose.Killed, exit: 137, finding: "WS118"},
		{name: "bad-sigkill", file: []string{`STOPSIGNAL SIGKILL`, `ENTRYPOINT ["/siglab", "exit"]`}, ends: diagnose.Abrupt, exit: 137, finding: "WS503"},
		{name: "bad-handler", file: siglab("hang"), ends: diagnose.Killed, exit: 137, finding: "WS536", assumed: true},
		{name: "bad-deaf", file: []string{`ENTRYPOINT ["/deaf.sh"]`}, ends: diagnose.Killed, exit: 137, finding: "WS102"},
		{name: "bad-flood", file: []string{`ENTRYPOINT ["/flood.sh"]`}, ends: diagnose.Killed, exit: 137, finding: "WS101"},
		{name: "bad-forks", file: siglab("forks"), options: []string{"--pids-limit", "60"}, ends: diagnose.Killed, exit: 137, finding: "WS101", assumed: true}, // fork blocks all signals now and then,
		{name: "bad-start", file: []string{`ENTRYPOINT ["/sick.sh"]`}, exit: 3, finding: "WS530"},
		{name: "bad-done", file: []string{`CMD ["/bin/true"]`}, finding: "WS530"},
		{name: "bad-absent", file: []string{`ENTRYPOINT ["/no/such"]`}, exit: 127, finding: "WS533"},
		{name: "bad-health", file: []string{`HEALTHCHECK --interval=300ms --retries=2 CMD ["/bin/test", "-e", "/never"]`, `ENTRYPOINT ["/siglab", "exit"]`}, ends: diagnose.Stops, finding: "WS531", assumed: true},
		{name: "bad-never", file: siglab("exit"), options: []string{"--ready-log", "never said", "--ready-timeout", "2s"}, ends: diagnose.Stops, finding: "WS531", assumed: true},
	}
}

// TestHere has one engine for all that needs no other.
func TestHere(t *testing.T) {
	l := newLab(t)
	t.Run("images", l.testImages)
	t.Run("run", l.testRun)
	t.Run("life", l.testLife)
}

// testImages runs each image by itself, then all of them at once.
func (l *lab) testImages(t *testing.T) {
	all := pictures()
	for _, p := range all {
		l.image(t, p.name, p.file...)
	}
	if len(all) < 20 {
		t.Fatalf("only %d images", len(all))
	}
	t.Run("alone", func(t *testing.T) {
		for _, p := range all {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				c, a := l.one(t, slices.Concat([]string{"--stop-timeout", "2"}, p.options, []string{p.name})...)
				p.hold(t, c)
				if want := map[bool]int{true: 0, false: 1}[p.good()]; a.code != want {
					t.Errorf("exit code %d, want %d\n%s", a.code, want, a.stderr)
				}
			})
		}
	})
	l.nothingLeft(t)
	t.Run("static", func(t *testing.T) { l.static(t, all) })
	t.Run("policy", l.policy)
	l.nothingLeft(t)
	t.Run("together", func(t *testing.T) { l.together(t, all) })
	t.Run("good", func(t *testing.T) { l.allGood(t, all) })
	t.Run("text", l.text)
	l.nothingLeft(t)
}

// hold compares one image's part of a report with what it should be.
func (p *picture) hold(t *testing.T, c diagnose.Container) {
	t.Helper()
	if c.Name != p.name || c.Target != p.name {
		t.Errorf("it is called %q, %q", c.Name, c.Target)
	}
	if p.finding != "" && !slices.Contains(codes(c), p.finding) {
		t.Errorf("no %s in %v; %s", p.finding, codes(c), c.Headline)
	}
	if p.ends == "" {
		if c.Observed != nil || c.Verdict != diagnose.NotRunning || c.ExitCode == nil || *c.ExitCode != p.exit {
			t.Errorf("verdict %s, exit code %v, observed %+v; want one that ended with %d", c.Verdict, c.ExitCode, c.Observed, p.exit)
		}
		return
	}
	o := c.Observed
	if o == nil {
		t.Fatalf("it was not stopped: %s, %v", c.Headline, codes(c))
	}
	if o.Outcome != string(p.ends) || o.ExitCode == nil || *o.ExitCode != p.exit {
		t.Errorf("it came to %s, %v; measured was %s, %d", o.Outcome, value(o.ExitCode), p.ends, p.exit)
	}
	switch {
	case c.Disagreed():
		t.Errorf("foretold %s (%s), seen %s: %+v", c.Verdict, c.Confidence, o.Outcome, o)
	case !p.assumed && (c.Agreed == nil || !*c.Agreed || c.Confidence == diagnose.Assumed):
		t.Errorf("foretold %s (%s), agreed %v: want a forecast that is sure and right", c.Verdict, c.Confidence, c.Agreed)
	}
	if len(o.Survivors) > 0 {
		t.Errorf("survivors %v", o.Survivors)
	}
	for _, f := range c.Findings {
		for _, fix := range f.Fixes {
			if fix.When == diagnose.FixNow {
				t.Errorf("%s: a way out for a container that is gone: %s", f.Code, fix.Command)
			}
		}
	}
}

func value(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

// together: all images in one run, with docker's own stop timeout.
func (l *lab) together(t *testing.T, all []picture) {
	var names []string
	byName := map[string]*picture{}
	for i := range all {
		if all[i].name == "bad-never" { // needs an option that is not for the others
			continue
		}
		names = append(names, all[i].name)
		byName[all[i].name] = &all[i]
	}
	a := l.whystuck(t, append([]string{"--json", "--pids-limit", "60"}, names...)...)
	if a.code != 1 || len(a.report.Containers) != len(names) {
		t.Errorf("exit code %d, %d of %d images\n%s", a.code, len(a.report.Containers), len(names), a.stderr)
	}
	for _, c := range a.report.Containers {
		byName[c.Name].hold(t, c)
	}
	per20 := a.took * 20 / time.Duration(len(names))
	t.Logf("%d images in %.1f s, %.1f s for 20", len(names), a.took.Seconds(), per20.Seconds())
	if per20 > 2*time.Minute {
		t.Errorf("20 images would take %s", per20)
	}
}

// allGood: the good ones are an exit code of 0.
func (l *lab) allGood(t *testing.T, all []picture) {
	var names []string
	for _, p := range all {
		if p.good() {
			names = append(names, p.name)
		}
	}
	if a := l.whystuck(t, names...); a.code != 0 || !strings.Contains(a.stdout, fmt.Sprintf("%d images: %d stop cleanly", len(names), len(names))) {
		t.Errorf("exit code %d\n%s%s", a.code, a.stdout, a.stderr)
	}
}

// text: what a person sees of two that fail, with hostile logs and names in them.
func (l *lab) text(t *testing.T) {
	l.image(t, "hostile", "ENV SIGLAB=x", `ENTRYPOINT ["/siglab"]`)
	a := l.whystuck(t, "--stop-timeout", "1", "hostile", "bad-start", "bad-default")
	if a.code != 1 {
		t.Errorf("exit code %d", a.code)
	}
	for _, r := range a.stdout + a.stderr {
		if r < 0x20 && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == utf8.RuneError {
			t.Errorf("a control character %q in the text", r)
		}
	}
	for _, want := range []string{"cannot reach the database", `odd \x1b[31mcolours`, "WS530", "WS101", "as predicted", "ENDED BEFORE IT WAS READY, exit code 3", "KILLED after 1", "3 images: 1 not ready"} {
		if !strings.Contains(a.stdout, want) {
			t.Errorf("no %q in\n%s", want, a.stdout)
		}
	}
}
