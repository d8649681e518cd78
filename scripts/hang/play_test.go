package hang

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// scene is one container that hangs, or looks as if.
type scene struct {
	name string
	run  []string // docker run's flags, image and command; DIR is the directory that prepare made
	// prepare makes what the container hangs on; after is for the running one.
	prepare, after func(t *testing.T, l *lab, p *played)

	before, dead said
	// killable: SIGKILL ends it, so it must not be called stuck, or only as an
	// assumption.
	killable bool
	// accused: docker cannot end it all the same, so it may be called stuck.
	accused bool
	// docker is the command that sends SIGKILL, "stop" or "kill"; "": the test
	// itself does. Its time and exit status are held against the forecast.
	docker string
	// fix is in the command that is taken as the way out; "": free is.
	fix  string
	free func(p *played) error
}

// said is what whystuck has to say.
type said struct {
	verdict diagnose.Verdict // "" for any
	conf    string           // of "certain likely assumed"
	code    string           // of a finding
	shows   []string         // in its evidence, summary or fixes; DIR is replaced
}

// played is a scene at work.
type played struct {
	name, dir string
	pid       int // of the container's init
	other     int // of whoever holds it (a tracer, a server, an intruder's parent)
	// heal ends the hang, whatever it is; it runs at the end, or at the deadline,
	// or at both. tidy comes after the container is gone. Both run backwards.
	heal, tidy []func()
	more       []string // other containers
}

// first is the first container of a scene of several.
func (p *played) first() string {
	if len(p.more) == 0 {
		return p.name
	}
	return p.more[0]
}

// deadline is when the recovery runs, whatever the scene is doing.
const deadline = 100 * time.Second

func (l *lab) play(t *testing.T, s scene) {
	p := &played{name: "hang-" + s.name}
	heal := sync.OnceFunc(func() {
		for _, f := range slices.Backward(p.heal) {
			f()
		}
	})
	watchdog := time.AfterFunc(deadline, heal)
	t.Cleanup(func() {
		watchdog.Stop()
		heal()
		for _, name := range append(p.more, p.name) {
			if _, errOut, code := l.d.Docker(context.Background(), "rm", "-f", "-v", name); code != 0 {
				t.Errorf("removing %s: %s", name, errOut)
			}
		}
		for _, f := range slices.Backward(p.tidy) {
			f()
		}
	})
	if s.prepare != nil {
		s.prepare(t, l, p)
	}
	run := []string{"--name", p.name}
	for _, a := range s.run {
		run = append(run, strings.ReplaceAll(a, "DIR", p.dir))
	}
	if _, err := l.d.Run(t.Context(), run...); err != nil {
		t.Fatal(err)
	}
	p.pid = l.pid(t, p.name)
	l.mu.Lock()
	l.pids = append(l.pids, p.pid)
	l.mu.Unlock()
	time.Sleep(300 * time.Millisecond)
	if s.after != nil {
		s.after(t, l, p)
	}
	time.Sleep(5300 * time.Millisecond) // from 5 s on a wait is a long one
	before := l.ask(t, p.name)
	l.record(t, p.name, s.name+"-before")
	s.hold(t, p, "before SIGKILL", s.before, before)
	done := l.kill(t, s, p)
	if s.killable {
		l.held(t, s, before, done, "-", p)
		return
	}
	dead := l.ask(t, p.name)
	l.record(t, p.name, s.name+"-killed")
	s.hold(t, p, "after SIGKILL", s.dead, dead)
	// Docker gives up on its own before the way out is taken.
	<-done.returned
	l.held(t, s, before, done, words(dead), p)
	s.letGo(t, p, before, dead)
	if !eventually(8*time.Second, func() bool { return gone(p.pid) }) {
		t.Errorf("the way out did not free it")
	}
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
		w = strings.NewReplacer("DIR", p.dir, "OTHER", fmt.Sprint(p.other), "FIRST", p.first()).Replace(w)
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q is not said in\n%s", when, w, text)
		}
	}
}

// everything is all text of the findings.
func everything(c diagnose.Container) string {
	var b strings.Builder
	fmt.Fprintln(&b, c.Headline)
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

// ended is how the command that killed came back.
type ended struct {
	returned chan struct{}
	seconds  float64
	status   int
	errOut   string
}

// kill sends SIGKILL the scene's way and returns once it has had its effect.
func (l *lab) kill(t *testing.T, s scene, p *played) *ended {
	d := &ended{returned: make(chan struct{})}
	if s.docker == "" {
		if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
			t.Errorf("killing PID %d: %v", p.pid, err)
		}
		close(d.returned)
		time.Sleep(500 * time.Millisecond)
		return d
	}
	args, wait := []string{s.docker, p.name}, 1500*time.Millisecond
	if s.docker == "stop" {
		args, wait = []string{"stop", "-t", "2", p.name}, 4*time.Second
	}
	go func() {
		defer close(d.returned)
		start := time.Now()
		_, d.errOut, d.status = l.d.Docker(context.Background(), args...)
		d.seconds = time.Since(start).Seconds()
	}()
	time.Sleep(wait)
	return d
}

// held compares the command with its forecast, and a killable one's end.
func (l *lab) held(t *testing.T, s scene, before diagnose.Container, d *ended, dead string, p *played) {
	<-d.returned
	row := "-"
	if s.docker != "" {
		forecast := before.Stop.Command
		if s.docker == "kill" {
			forecast = before.Kill.Command
		}
		row = fmt.Sprintf("%s %.1f s rc %d", s.docker, d.seconds, d.status)
		if forecast.AfterSeconds == nil {
			row += ", time not told"
		} else {
			row += fmt.Sprintf(", told %.0f s", *forecast.AfterSeconds)
			if math.Abs(*forecast.AfterSeconds-d.seconds) > 2 {
				t.Errorf("docker %s took %.1f s, forecast %.1f", s.docker, d.seconds, *forecast.AfterSeconds)
			}
		}
		if forecast.ExitStatus != nil && *forecast.ExitStatus != d.status {
			t.Errorf("docker %s: exit status %d, forecast %d\n%s", s.docker, d.status, *forecast.ExitStatus, d.errOut)
		}
	}
	free := s.fix
	if free == "" {
		free = "by the test"
	}
	if s.killable {
		free = "died of SIGKILL"
		if !eventually(3*time.Second, func() bool { return gone(p.pid) }) {
			t.Errorf("SIGKILL did not end it: no control at all")
		}
	}
	l.mu.Lock()
	l.rows = append(l.rows, fmt.Sprintf("%-16s %-30s %-30s %-34s %s", s.name, words(before), dead, row, free))
	l.mu.Unlock()
}

// letGo runs the way out: a command that whystuck printed.
func (s *scene) letGo(t *testing.T, p *played, answers ...diagnose.Container) {
	if s.fix == "" {
		if err := s.free(p); err != nil {
			t.Errorf("the way out: %v", err)
		}
		return
	}
	cmd := ""
	for _, a := range answers {
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
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c", cmd).CombinedOutput()
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
