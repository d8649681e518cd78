package stoptest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// engineLab is an engine of the test's own: it will be stopped.
func engineLab(t *testing.T) *lab {
	l := newLab(t)
	pid := l.PID()
	t.Cleanup(bed.Guard(t, fmt.Sprintf("kill -CONT %d", pid)))
	return l
}

func signalTo(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("%v to %d: %v", sig, pid, err)
	}
}

// An engine that hangs does not make whystuck hang, and what it never took is never
// carried out.
func TestEngineHangs(t *testing.T) {
	t.Parallel()
	l := engineLab(t)
	pid := l.start(t, "web", "lab", "exit")
	signalTo(t, l.PID(), syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(l.PID(), syscall.SIGCONT) }()
	a := l.stop(t, "-t", "1", "--deadline", "6", "--data-root", l.DataRoot(), "--exec-root", l.ExecRoot(), "web")
	signalTo(t, l.PID(), syscall.SIGCONT)
	if a.took > 7*time.Second || a.code != 1 {
		t.Errorf("took %v of 6 s, exit code %d\n%s%s", a.took, a.code, a.stdout, a.stderr)
	}
	if o := a.one(t).Observed; o.Left != "never-accepted" || o.Cut != "deadline" {
		t.Errorf("left %q, cut %q, want never-accepted and deadline\n%s", o.Left, o.Cut, a.stdout)
	}
	if bed.Eventually(2*time.Second, func() bool { return syscall.Kill(pid, 0) != nil }) {
		t.Error("the engine has carried out a stop that it is said never to have taken")
	}
}

// The engine is stopped for a while in the midst of a stop.
func TestEngineStumbles(t *testing.T) {
	t.Parallel()
	l := engineLab(t)
	l.start(t, "web", "lab", "ign")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd, out, errOut := l.command(ctx, "--json", "-t", "3", "web")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	signalTo(t, l.PID(), syscall.SIGSTOP)
	time.Sleep(4 * time.Second)
	signalTo(t, l.PID(), syscall.SIGCONT)
	a := l.finish(t, cmd, out, errOut, began)
	c := a.one(t)
	if c.Observed.Outcome != string(killed) || a.code != 1 || *c.Observed.AfterSeconds < 4.5 {
		t.Errorf("%s after %v, exit code %d\n%s", c.Observed.Outcome, *c.Observed.AfterSeconds, a.code, timeline(c))
	}
	(&kind{exit: 137, tells: []string{"it ignores the signal", "SIGKILL to 1 siglab", "the engine says that it is stopped"}}).told(t, timeline(c))
}

// An engine without CAP_KILL is refused by the kernel: no signal is ever sent.
func TestRefused(t *testing.T) {
	bed.Require(t, "setpriv")
	dir := t.TempDir()
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		bed.Require(t, "docker")
	}
	script := fmt.Sprintf("#!/bin/sh\nexec setpriv --bounding-set=-kill --inh-caps=-kill %s \"$@\"\n", dockerd)
	if err := os.WriteFile(filepath.Join(dir, "dockerd"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	_ = os.Setenv("PATH", dir+":"+path) // for this engine alone: nothing runs beside it yet
	l := newLab(t)
	_ = os.Setenv("PATH", path)
	t.Parallel()
	// The runtime cannot give what it has not; newer ones refuse to start then, and
	// Docker 29 takes no --cap-drop of such a one.
	pid := l.start(t, "web", "--user", "1000", "--cap-drop", "ALL", "lab", "exit")
	a := l.stop(t, "-t", "1", "web")
	c := a.one(t)
	t.Logf("predicted %s %s (%s), observed %s\n%s", c.Verdict, c.Confidence, c.Headline, c.Observed.Outcome, timeline(c))
	if c.Observed.Outcome != string(refused) || a.code != 1 {
		t.Errorf("observed %s, exit code %d", c.Observed.Outcome, a.code)
	}
	(&kind{exit: -1, tells: []string{"the engine gives up:", "operation not permitted"}, silent: []string{"SIGTERM to", "SIGKILL to"}}).told(t, timeline(c))
	(&kind{lives: "WS"}).alive(t, c.Observed, pid)
	if agreed := c.Agreed != nil && *c.Agreed; agreed != (c.Verdict == diagnose.Refused) {
		t.Errorf("agreed %v for a forecast of %s", agreed, c.Verdict)
	}
	signalTo(t, pid, syscall.SIGKILL) // which this engine may not
}

// Where nothing may be sent, nothing is.
func TestNothingIsSent(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pid := l.start(t, "web", "lab", "exit")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"--dry-run", "web"}, 0},
		{[]string{"-s", "INT", "web"}, 2}, // API 1.41: the engine would send SIGTERM
	} {
		if c.code == 2 && bed.AtLeast(t, 23, 0) {
			continue // it takes the signal
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		cmd, out, errOut := l.command(ctx, c.args...)
		_ = cmd.Run()
		cancel()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%v: exit code %d, want %d\n%s%s", c.args, got, c.code, out, errOut)
		}
	}
	if out, _, _ := l.Docker(t.Context(), "logs", "web"); strings.Contains(out, "HEARD") || syscall.Kill(pid, 0) != nil {
		t.Errorf("it was touched: %s", out)
	}
}

// A restart policy holds against another signal: it comes back, and that is said.
func TestComesBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pid := l.start(t, "web", "--restart", "always", "--stop-signal", "TERM", "lab", "-s", "2", "exit")
	time.Sleep(300 * time.Millisecond)
	a := l.stop(t, "-s", "INT", "--emulate", "-t", "3", "web")
	c := a.one(t)
	t.Logf("%s, then %q, %v\n%s", c.Observed.Outcome, c.Observed.Then, c.Observed.Proof, timeline(c))
	if c.Observed.Outcome != string(stops) || c.Observed.Then != "restarted" || a.code != 1 || slices.Contains(c.Observed.Survivors, pid) {
		t.Errorf("observed %s, then %q, survivors %v, exit code %d", c.Observed.Outcome, c.Observed.Then, c.Observed.Survivors, a.code)
	}
	if c.Stop == nil || c.Stop.Then != c.Observed.Then {
		t.Errorf("forecast %+v", c.Stop)
	}
}

// Ctrl-C leaves the stop to the engine, which carries it on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pid := l.start(t, "web", "lab", "ign")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd, out, errOut := l.command(ctx, "--json", "-t", "4", "web")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	signalTo(t, cmd.Process.Pid, syscall.SIGINT)
	a := l.finish(t, cmd, out, errOut, began)
	c := a.one(t)
	if a.code != 3 || c.Observed.Left != "carried-on" || c.Observed.Cut != "interrupted" || c.Agreed != nil || a.took > 3500*time.Millisecond {
		t.Errorf("exit code %d, left %q, cut %q, agreed %v, took %v\n%s", a.code, c.Observed.Left, c.Observed.Cut, c.Agreed, a.took, a.stderr)
	}
	if left := instanceOf(t, a.pid); left != "" {
		t.Errorf("the tracing instance %s is left behind", left)
	}
	if syscall.Kill(pid, 0) != nil {
		t.Error("it is gone already: the test tests nothing")
	}
	if !bed.Eventually(6*time.Second, func() bool { return syscall.Kill(pid, 0) != nil }) {
		t.Error("the engine has not carried it on")
	}
}

// SIGKILL leaves the tracing instance behind, and the next run removes it.
func TestKilled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start(t, "web", "lab", "ign")
	cmd, _, _ := l.command(context.Background(), "-t", "4", "web")
	cmd.Stdout = nil
	lines, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(lines); s.Scan() && !strings.Contains(s.Text(), "SIGTERM to 1 siglab, from runc"); {
	}
	signalTo(t, cmd.Process.Pid, syscall.SIGKILL)
	left := instanceOf(t, cmd.Process.Pid)
	_ = cmd.Wait()
	if left == "" {
		t.Fatal("there is no tracing instance: the test tests nothing")
	}
	a := l.stop(t, "-t", "1", "web")
	if a.one(t).Observed.Outcome != string(killed) {
		t.Errorf("observed %s", a.one(t).Observed.Outcome)
	}
	if again := instanceOf(t, cmd.Process.Pid); again != "" {
		t.Errorf("%s is still there after the next run", again)
	}
}
