package hang

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// scene is one container that hangs, or looks as if; or three of them in the
// same condition, one for each docker command.
type scene struct {
	name string
	// run is docker run's flags, image and command; DIR is the directory that
	// prepare made, WHO the container's part of the name.
	run []string
	// prepare makes what the containers hang on; after is for each that runs.
	prepare, after func(t *testing.T, l *lab, p *played)

	before, dead said // dead: not asked where conf is ""
	// killable: SIGKILL ends it, so it must not be called stuck, or only as an
	// assumption.
	killable bool
	// accused: docker cannot end it all the same, so it may be called stuck.
	accused bool
	// docker are the commands that send SIGKILL, in parallel, each to a container
	// of its own; nil: the test itself does. All that is told of them is held
	// against what they do.
	docker []string
	// race: docker's own answer is one (of stop, or of all), and not held.
	race []string
	// never: the commands do not return before the way out is taken.
	never bool
	// again: once given up, the commands are given again to what is left.
	again bool
	// proc: asked once more with /proc alone, which has to come back as well.
	proc bool
	// fix is in the command that is taken as the way out; "": free is.
	fix  string
	free func(p *played) error
	// eases is in a command that whystuck prints and that takes the trouble away
	// before anybody kills: it is run, and the container stops in order.
	eases string
}

// commands are stop, kill and rm -f: what a user has.
var commands = []string{"stop", "kill", "rm"}

// said is what whystuck has to say.
type said struct {
	verdict diagnose.Verdict // "" for any
	conf    string           // of "certain likely assumed"
	code    string           // of a finding
	shows   []string         // in its evidence, summary or fixes; DIR is replaced
}

// played is one container of a scene at work.
type played struct {
	name, dir string
	device    string // below dir
	command   string // the docker command that it gets, "": none
	pid       int    // of the container's init
	other     int    // of whoever holds it (a tracer, a server, an intruder's parent)
	// heal ends the hang, whatever it is; it runs at the end, or at the deadline,
	// or at both. tidy comes after the container is gone. Both run backwards.
	heal, tidy []func()
	more       []string // other containers

	before, dead diagnose.Container
	done         *ended
}

// file is what its capture is called.
func (p *played) file(when string) string { return p.name + "-" + when }

// first is the first container of a scene of several.
func (p *played) first() string {
	if len(p.more) == 0 {
		return p.name
	}
	return p.more[0]
}

// deadline is when the recovery runs, whatever the scene is doing.
const deadline = 110 * time.Second

func (l *lab) play(t *testing.T, s scene) {
	set := s.cast()
	l.recover(t, set)
	if s.prepare != nil {
		s.prepare(t, l, set[0])
	}
	for _, p := range set {
		p.dir, p.other, p.device = set[0].dir, set[0].other, set[0].device
		l.start(t, s, p)
	}
	time.Sleep(300 * time.Millisecond)
	for _, p := range set {
		if s.after != nil {
			s.after(t, l, p)
		}
	}
	time.Sleep(5300 * time.Millisecond) // from 5 s on a wait is a long one
	for i, c := range l.ask(t, names(set)...) {
		set[i].before = c
		l.record(t, set[i].name, set[i].file("before"))
		s.hold(t, set[i], "before SIGKILL", s.before, c)
	}
	if s.eases != "" {
		l.ease(t, s, set[0])
		return
	}
	if s.proc {
		l.askBy(t, "proc", names(set)...)
	}
	l.kill(t, s, set)
	if !s.killable && s.dead.conf != "" {
		for i, c := range l.ask(t, names(set)...) {
			set[i].dead = c
			l.record(t, set[i].name, set[i].file("killed"))
			s.hold(t, set[i], "after SIGKILL", s.dead, c)
		}
	}
	// Docker gives up on its own before the way out is taken.
	for _, p := range set {
		l.returned(t, s, p)
		l.row(s, p)
	}
	if s.again {
		l.playAgain(t, s, set)
	}
	if s.killable {
		return
	}
	typed := map[string]bool{}
	for _, p := range set {
		s.letGo(t, l, p, typed)
	}
	for _, p := range set {
		l.freed(t, s, p)
	}
}

// cast is one container for each command.
func (s *scene) cast() []*played {
	if len(s.docker) < 2 {
		p := &played{name: "hang-" + s.name}
		if len(s.docker) == 1 {
			p.command = s.docker[0]
		}
		return []*played{p}
	}
	var set []*played
	for _, c := range s.docker {
		set = append(set, &played{name: "hang-" + s.name + "-" + c, command: c})
	}
	return set
}

func names(set []*played) []string {
	var out []string
	for _, p := range set {
		out = append(out, p.name)
	}
	return out
}

// recover heals the scene at its end or deadline, and removes what it made.
func (l *lab) recover(t *testing.T, set []*played) {
	heal := sync.OnceFunc(func() {
		for _, p := range slices.Backward(set) {
			for _, f := range slices.Backward(p.heal) {
				f()
			}
		}
	})
	watchdog := time.AfterFunc(deadline, heal)
	t.Cleanup(func() {
		watchdog.Stop()
		heal()
		for _, p := range set {
			for _, name := range append(p.more, p.name) {
				if _, errOut, code := l.d.Docker(context.Background(), "rm", "-f", "-v", name); code != 0 && !strings.Contains(errOut, "No such container") {
					t.Errorf("removing %s: %s", name, errOut)
				}
			}
		}
		for _, p := range slices.Backward(set) {
			for _, f := range slices.Backward(p.tidy) {
				f()
			}
		}
	})
}

// start runs the container.
func (l *lab) start(t *testing.T, s scene, p *played) {
	t.Helper()
	run := []string{"--name", p.name}
	for _, a := range s.run {
		run = append(run, strings.NewReplacer("DIR", p.dir, "WHO", p.command, "DEVICE", p.device).Replace(a))
	}
	if _, err := l.d.Run(t.Context(), run...); err != nil {
		t.Fatal(err)
	}
	p.pid = l.pid(t, p.name)
	l.mu.Lock()
	l.pids = append(l.pids, p.pid)
	l.mu.Unlock()
}

func words(c diagnose.Container) string {
	codes := ""
	for _, f := range c.Findings {
		if !strings.Contains(codes, f.Code) {
			codes += " " + f.Code
		}
	}
	return fmt.Sprintf("%s %s%s", c.Verdict, c.Confidence, codes)
}

// hold compares an answer with what it has to be.
func (s *scene) hold(t *testing.T, p *played, when string, want said, got diagnose.Container) {
	t.Helper()
	text := everything(got)
	t.Logf("%s: %s\n%s", when, words(got), text)
	if want.verdict != "" && got.Verdict != want.verdict || !strings.Contains(want.conf, string(got.Confidence)) {
		t.Errorf("%s: %s %s (%s), want %s %s", when, got.Verdict, got.Confidence, got.Headline, want.verdict, want.conf)
	}
	if s.killable && !s.accused && got.Verdict == diagnose.Stuck && got.Confidence != diagnose.Assumed {
		t.Errorf("%s: a killable one is accused: %s", when, got.Headline)
	}
	if want.code != "" && !slices.ContainsFunc(got.Findings, func(f diagnose.Finding) bool { return f.Code == want.code }) {
		t.Errorf("%s: no finding %s in %s", when, want.code, words(got))
	}
	for _, w := range want.shows {
		w = strings.NewReplacer("DIR", p.dir, "WHO", p.command, "DEVICE", filepath.Base(p.device), "OTHER", fmt.Sprint(p.other), "FIRST", p.first()).Replace(w)
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q is not said in\n%s", when, w, text)
		}
	}
}

// everything is all text of the findings, and what was not read.
func everything(c diagnose.Container) string {
	var b strings.Builder
	fmt.Fprintln(&b, c.Headline)
	for _, g := range c.Gaps {
		fmt.Fprintf(&b, "  not read: %s (%s): %s\n", g.Path, g.Kind, g.Matters)
	}
	for _, f := range c.Findings {
		fmt.Fprintf(&b, "%s %s\n", f.Code, f.Summary)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  %s %s %s | %s\n", e.Source, e.Field, e.Value, e.Says)
		}
		for _, x := range f.Fixes {
			fmt.Fprintf(&b, "  fix: %s: %s\n", x.Text, x.Command)
			if x.Risk != nil {
				fmt.Fprintf(&b, "    risk: %s\n", *x.Risk)
			}
		}
	}
	return b.String()
}

// letGo runs the way out: a command that whystuck printed.
// Containers that hang on the same thing are freed together.
func (s *scene) letGo(t *testing.T, l *lab, p *played, typed map[string]bool) {
	if s.fix == "" {
		if err := s.free(p); err != nil {
			t.Errorf("the way out: %v", err)
		}
		return
	}
	cmd := ""
	for _, a := range []diagnose.Container{p.before, p.dead} {
		for _, f := range a.Findings {
			for _, x := range f.Fixes {
				if strings.Contains(x.Command, s.fix) {
					cmd = strings.ReplaceAll(x.Command, "sudo ", "")
				}
			}
		}
	}
	if cmd == "" {
		t.Errorf("no fix with %q was printed", s.fix)
		return
	}
	if typed[cmd] {
		return
	}
	typed[cmd] = true
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	run := exec.CommandContext(ctx, "sh", "-c", cmd)
	run.Env = l.d.Env()
	out, err := run.CombinedOutput()
	t.Logf("$ %s: %v %s", cmd, err, out)
	if err != nil && !strings.Contains(cmd, "umount -f") { // busy, but aborted
		t.Errorf("%s: %v: %s", cmd, err, out)
	}
}

// makeDir is a directory for a mount, with a short name that holds nothing odd.
func makeDir(t *testing.T, p *played) string {
	dir, err := os.MkdirTemp("/tmp", "wshang")
	if err != nil {
		t.Fatal(err)
	}
	p.tidy = append(p.tidy, func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	p.dir = dir
	return dir
}
