package stoptest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// kind is one way to take a stop, and how it has to be told.
type kind struct {
	name string
	run  []string // docker run's flags, image and command; MNT is a directory that hangs
	// after prepares the running container; nil for nothing.
	after func(t *testing.T, l *lab, name string, pid int)
	// args of whystuck stop; nil: -t 1.
	args    []string
	outcome diagnose.Verdict
	exit    int // the container's exit code, -1: it lives
	code    int // of whystuck
	// tells and silent are in the timeline, or not; in their order.
	tells, silent []string
	// lives: something lives on, and a finding with this code says why.
	lives string
	// guess: the forecast is an assumption over an unknown program and may be wrong.
	guess bool
}

const (
	killed  = diagnose.Killed
	stops   = diagnose.Stops
	stuck   = diagnose.Stuck
	refused = diagnose.Refused
)

// kinds are what is played; takesSignal: the engine's stop takes a signal (Docker 23
// on), and then whystuck emulates nothing.
func kinds(takesSignal bool) []kind {
	bySignal := []string{"SIGKILL to 1 siglab, from runc", ": queued", "1 siglab dies of SIGKILL", "the engine says that it is stopped"}
	after := func(first ...string) []string { return append(first, bySignal...) }
	asksInt, asksKill := "asks the engine to send SIGINT", "asks the engine to send SIGKILL"
	if takesSignal {
		asksInt, asksKill = "asks the engine to stop it with SIGINT, timeout 1 s", "SIGKILL to 1 siglab, from runc"
	}
	return []kind{
		{name: "discarded", run: []string{"lab", "default"}, outcome: killed, exit: 137, code: 1,
			tells: after("SIGTERM to 1 siglab, from runc", "discarded (res=1), PID 1 with no handler"), silent: []string{"takes SIGTERM"}},
		{name: "ignored", run: []string{"lab", "ign"}, outcome: killed, exit: 137, code: 1,
			tells: after("SIGTERM to 1 siglab, from runc", "discarded (res=1), it ignores the signal"), silent: []string{"takes SIGTERM"}},
		{name: "exits", run: []string{"lab", "exit"}, outcome: stops, exit: 0, code: 0,
			tells:  []string{"SIGTERM to 1 siglab, from runc", ": queued", "1 siglab takes SIGTERM: its handler begins (", "1 siglab exits with code 0", "the engine says that it is stopped"},
			silent: []string{"SIGKILL"}},
		{name: "handler-stays", run: []string{"--entrypoint", "bash", "lab", "-c", "trap 'exit 0' TERM; sleep 1000; true"}, outcome: killed, exit: 137, code: 1,
			tells: []string{"SIGTERM to 1 bash, from runc", ": queued", "1 bash takes SIGTERM: its handler begins (", "SIGKILL to 1 bash, from runc", "1 bash dies of SIGKILL"}},
		{name: "handler-guess", run: []string{"lab", "noop"}, outcome: killed, exit: 137, code: 1, guess: true,
			tells: after("1 siglab takes SIGTERM: its handler begins (")},
		{name: "blocked", run: []string{"lab", "blocked"}, outcome: killed, exit: 137, code: 1,
			tells: after("SIGTERM to 1 siglab, from runc", ": queued"), silent: []string{"takes SIGTERM"}},
		{name: "stopped", run: []string{"lab", "exit"}, after: stopInit, outcome: killed, exit: 137, code: 1,
			tells: after("SIGTERM to 1 siglab, from runc", ": queued"), silent: []string{"takes SIGTERM"}},
		{name: "forwarded", run: []string{"lab", "fork_forward"}, outcome: stops, exit: 0, code: 0,
			tells: []string{"1 siglab takes SIGTERM: its handler begins", "siglab, from 1 siglab: queued", "siglab exits with code 0", "1 siglab exits with code 0"}, silent: []string{"SIGKILL"}},
		{name: "unheard", run: []string{"lab", "fork_wait"}, outcome: killed, exit: 137, code: 1,
			tells: []string{"discarded (res=1), PID 1 with no handler", "SIGKILL to 1 siglab, from runc", "by the kernel, as 1 siglab ends: queued", "siglab dies of SIGKILL", "1 siglab dies of SIGKILL"}},
		{name: "paused", run: []string{"lab", "exit"}, after: pause, outcome: stops, exit: 0, code: 0,
			tells: []string{"SIGTERM to 1 siglab, from runc", ": queued", "1 siglab takes SIGTERM: its handler begins (", "1 siglab exits with code 0"}, silent: []string{"SIGKILL"}},
		{name: "state-D", run: []string{"-v", "MNT:/mnt", "lab", "-f", "/mnt/hang", "stat"}, outcome: stuck, exit: -1, code: 1, lives: "WS20",
			tells: []string{"discarded (res=1), PID 1 with no handler", "SIGKILL to 1 siglab, from runc", ": queued", "SIGKILL to 1 siglab, from dockerd", "discarded (res=1), SIGKILL has been sent already", "the engine gives up: cannot stop container"}, silent: []string{"dies of"}},
		{name: "frozen", run: []string{"--cgroup-parent", frozenParent, "lab", "exit"}, after: freezeParent, outcome: stuck, exit: -1, code: 1, lives: "WS207",
			tells: []string{"SIGTERM to 1 siglab, from runc", ": queued", "SIGKILL to 1 siglab, from runc", "the engine gives up: cannot stop container"}, silent: []string{"takes SIGTERM", "dies of"}},
		{name: "shim-stopped", run: []string{"lab", "exit"}, after: stopShim, args: []string{"-t", "1", "--deadline", "18"}, guess: true, outcome: stuck, exit: -1, code: 1, lives: "WS3",
			tells: []string{"asks the engine to stop it"}, silent: []string{"SIGTERM to", "dies of"}},
		{name: "emulated", run: []string{"lab", "default"}, args: []string{"-t", "1", "-s", "INT", "--emulate"}, outcome: killed, exit: 137, code: 1,
			tells: []string{asksInt, "SIGINT to 1 siglab, from runc", "discarded (res=1), PID 1 with no handler", asksKill, "1 siglab dies of SIGKILL"}, silent: []string{"SIGTERM"}},
		{name: "chain", run: []string{"lab", "exit"}, args: []string{"--signal-chain", "INT:0.5,TERM:5,KILL"}, outcome: stops, exit: 0, code: 0,
			tells: []string{"SIGINT to 1 siglab, from runc", "discarded (res=1), PID 1 with no handler", "asks the engine to send SIGTERM", "1 siglab takes SIGTERM", "1 siglab exits with code 0"}, silent: []string{"SIGKILL"}},
		{name: "kill-after", run: []string{"lab", "ign"}, args: []string{"-t", "-1", "--kill-after", "1"}, outcome: killed, exit: 137, code: 1,
			tells: after("discarded (res=1), it ignores the signal", "asks the engine to send SIGKILL")},
		{name: "for-ever", run: []string{"lab", "ign"}, args: []string{"-t", "-1", "--deadline", "4"}, outcome: stuck, exit: -1, code: 1, lives: "WS",
			tells: []string{"discarded (res=1), it ignores the signal"}, silent: []string{"SIGKILL"}},
	}
}

func TestKinds(t *testing.T) {
	l := newLab(t)
	t.Parallel()
	t.Cleanup(func() { removeParent(t) }) // before the engine ends: after it is too late to tell whose it is
	var rows []string
	var mu sync.Mutex
	t.Run("each", func(t *testing.T) {
		for _, k := range kinds(bed.AtLeast(t, 23, 0)) {
			t.Run(k.name, func(t *testing.T) {
				t.Parallel()
				row := l.play(t, k)
				mu.Lock()
				defer mu.Unlock()
				rows = append(rows, row)
			})
		}
	})
	slices.Sort(rows)
	fmt.Println(strings.Join(rows, "\n"))
}

func (l *lab) play(t *testing.T, k kind) string {
	name := "stop-" + k.name
	run, release := slices.Clone(k.run), func() {}
	for i := range run {
		if strings.Contains(run[i], "MNT") {
			var dir string
			dir, release = hangingDir(t)
			run[i] = strings.Replace(run[i], "MNT", dir, 1)
		}
	}
	pid := l.start(t, name, run...)
	t.Cleanup(release) // before the container is removed, which could not end
	l.ready(t, name, k)
	if k.after != nil {
		k.after(t, l, name, pid)
	}
	args := k.args
	if args == nil {
		args = []string{"-t", "1"}
	}
	a := l.stop(t, append(args, name)...)
	c := a.one(t)
	k.hold(t, a, c, pid)
	if left := instanceOf(t, a.pid); left != "" {
		t.Errorf("the tracing instance %s is left behind", left)
	}
	agreed := "-"
	if c.Agreed != nil {
		agreed = fmt.Sprint(*c.Agreed)
	}
	return fmt.Sprintf("%-14s predicted %-8s %-8s observed %-8s agreed %s", k.name, c.Verdict, c.Confidence, c.Observed.Outcome, agreed)
}

// ready waits until siglab has arranged its signals.
func (l *lab) ready(t *testing.T, name string, k kind) {
	if slices.Contains(k.run, "bash") {
		syscall.Nanosleep(&syscall.Timespec{Nsec: 300e6}, nil)
		return
	}
	if !bed.Eventually(5e9, func() bool { out, _, _ := l.Docker(t.Context(), "logs", name); return strings.Contains(out, "READY") }) {
		t.Fatal("siglab is not ready")
	}
}

// hold compares an answer with what it has to be.
func (k *kind) hold(t *testing.T, a answer, c diagnose.Container, pid int) {
	t.Helper()
	o := c.Observed
	t.Logf("%s %s, %s: %s, %v\n%s", c.Verdict, c.Confidence, c.Headline, o.Outcome, a.took, timeline(c))
	if o.Outcome != string(k.outcome) || a.code != k.code {
		t.Errorf("observed %s with exit code %d, want %s and %d\n%s", o.Outcome, a.code, k.outcome, k.code, a.stdout)
	}
	if k.exit >= 0 && (o.ExitCode == nil || *o.ExitCode != k.exit) || k.exit < 0 && o.ExitCode != nil {
		t.Errorf("exit code %v, want %d", o.ExitCode, k.exit)
	}
	switch {
	case c.Agreed == nil && !k.guess:
		t.Errorf("nothing is said of whether it went as predicted: %s", c.Headline)
	case c.Agreed != nil && *c.Agreed != (c.Verdict == k.outcome):
		t.Errorf("agreed is %v for %s and %s", *c.Agreed, c.Verdict, o.Outcome)
	case c.Agreed != nil && !*c.Agreed && !k.guess:
		t.Errorf("predicted %s (%s), observed %s", c.Verdict, c.Headline, o.Outcome)
	}
	k.told(t, timeline(c))
	k.alive(t, o, pid)
}

func (k *kind) told(t *testing.T, text string) {
	t.Helper()
	rest := text
	for _, w := range k.tells {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Errorf("%q is not told, or not in its place, in\n%s", w, text)
			return
		}
		rest = after
	}
	// By another way than the reply, and so in no order with it.
	if end := fmt.Sprintf("the exit event has come, exit code %d", k.exit); k.exit >= 0 && !strings.Contains(text, end) {
		t.Errorf("%q is not told in\n%s", end, text)
	}
	for _, w := range k.silent {
		if strings.Contains(text, w) {
			t.Errorf("%q is told in\n%s", w, text)
		}
	}
}

// alive holds the proof against the truth.
func (k *kind) alive(t *testing.T, o *diagnose.Observed, pid int) {
	t.Helper()
	there := syscall.Kill(pid, 0) == nil
	if there != (k.lives != "") {
		t.Errorf("process %d is there: %v", pid, there)
	}
	if slices.Contains(o.Survivors, pid) != there {
		t.Errorf("survivors %v, and process %d is there: %v", o.Survivors, pid, there)
	}
	if k.lives == "" {
		for _, p := range o.Proof {
			if p.OK == nil || !*p.OK {
				t.Errorf("no proof by %s: %s", p.What, p.Says)
			}
		}
		return
	}
	if o.Still == nil || !slices.ContainsFunc(o.Still.Findings, func(f diagnose.Finding) bool { return strings.HasPrefix(f.Code, k.lives) }) {
		t.Errorf("no finding %s says why it lives: %+v", k.lives, o.Still)
	}
}

func stopInit(t *testing.T, _ *lab, _ string, pid int) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func pause(t *testing.T, l *lab, name string, _ int) {
	if _, errOut, code := l.Docker(t.Context(), "pause", name); code != 0 {
		t.Fatal(errOut)
	}
}

// parentOf is a process's parent on the host.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndex(string(b), ")")+1:]))
	var parent int
	if _, err := fmt.Sscan(f[1], &parent); err != nil || parent < 2 {
		t.Fatalf("the parent of %d: %q", pid, f[1])
	}
	return parent
}

func stopShim(t *testing.T, _ *lab, _ string, pid int) {
	shim := parentOf(t, pid)
	t.Cleanup(bed.Guard(t, fmt.Sprintf("kill -CONT %d", shim)))
	if err := syscall.Kill(shim, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}
