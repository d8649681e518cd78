package imagetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testLife: nothing is left behind, however a run ends.
func (l *lab) testLife(t *testing.T) {
	l.image(t, "long", `VOLUME /data`, `ENTRYPOINT ["/siglab", "default"]`)
	t.Run("interrupted", l.interrupted)
	t.Run("killed", l.killed)
	t.Run("hung", l.hung)
	l.nothingLeft(t)
}

// started is whystuck running in the background.
type started struct {
	out, err bytes.Buffer
	pid      int
	done     chan struct{}
	code     int
}

func (l *lab) start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{done: make(chan struct{})}
	cmd := l.command(context.WithoutCancel(t.Context()), args...)
	cmd.SysProcAttr = nil // the thread that starts it may end before it
	cmd.Stdout, cmd.Stderr = &s.out, &s.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // its exit code says it
		s.code = cmd.ProcessState.ExitCode()
		close(s.done)
	}()
	t.Cleanup(func() {
		select {
		case <-s.done:
		default:
			_ = syscall.Kill(s.pid, syscall.SIGKILL)
			<-s.done
		}
	})
	return s
}

func (s *started) signal(sig syscall.Signal) { _ = syscall.Kill(s.pid, sig) }

// wait gives up after some time.
func (s *started) wait(t *testing.T, limit time.Duration) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(limit):
		t.Fatalf("it has not ended within %s\n%s%s", limit, s.out.String(), s.err.String())
	}
}

// interrupts is how many runs are interrupted; 100 outside of CI.
func interrupts() int {
	if n, err := strconv.Atoi(os.Getenv("WHYSTUCK_INTERRUPTS")); err == nil && n > 0 {
		return n
	}
	return 6
}

// interrupted: at any moment, by Ctrl-C, a terminal's end or a CI job's SIGTERM.
func (l *lab) interrupted(t *testing.T) {
	n := interrupts()
	slowest, seen := time.Duration(0), 0
	for i := range n {
		sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}[i%3]
		// A run takes some 6 s: two images, 1 s to settle, 3 s to stop.
		after := time.Duration(i)*4500*time.Millisecond/time.Duration(n) + rand.N(300*time.Millisecond)
		s := l.start(t, "--stop-timeout", "3", "long", "long")
		time.Sleep(after)
		if len(l.ours(t)) > 0 {
			seen++
		}
		began := time.Now()
		s.signal(sig)
		s.wait(t, 20*time.Second)
		slowest = max(slowest, time.Since(began))
		if left := l.ours(t); len(left) > 0 {
			t.Errorf("%s after %s: left %v\n%s%s", sig, after, left, s.out.String(), s.err.String())
		}
		if s.code == 0 || s.code == 5 || !strings.Contains(s.err.String(), "interrupted") && s.code != 1 && s.code != -1 {
			t.Errorf("%s after %s: exit code %d\n%s%s", sig, after, s.code, s.out.String(), s.err.String())
		}
	}
	t.Logf("%d runs interrupted, %d with a container there; the slowest took %.1f s to clean up", n, seen, slowest.Seconds())
	if seen == 0 {
		t.Error("none had a container at that moment: this test tests nothing")
	}
	l.nothingLeft(t)
}

// killed: SIGKILL leaves strays, which the next run names and --clean removes; a
// run that lives is left alone.
func (l *lab) killed(t *testing.T) {
	s := l.start(t, "--ready-after", "60s", "long")
	l.waitFor(t, 1)
	s.signal(syscall.SIGKILL)
	s.wait(t, 5*time.Second)
	left := l.ours(t)
	if len(left) != 1 {
		t.Fatalf("%d containers are left, want the stray", len(left))
	}
	stray := left[0]
	live := l.start(t, "--ready-after", "60s", "long")
	ids := l.waitFor(t, 2)
	a := l.whystuck(t, "--settle", "100ms", "--stop-timeout", "0", "long")
	if !strings.Contains(a.stderr, "interrupted runs have left 1 container") || !strings.Contains(a.stderr, "whystuck image --clean") {
		t.Errorf("the next run says %q", a.stderr)
	}
	// A container has the labels of its image, and docker commit keeps a stray's.
	value := l.docker(t, "inspect", "-f", "{{index .Config.Labels \""+label+"\"}}", stray)
	l.docker(t, "create", "--name", "production", "--label", label+"="+strings.TrimSpace(value), "long")
	a = l.whystuck(t, "--clean")
	if state := l.docker(t, "rm", "-fv", "production"); strings.TrimSpace(state) != "production" {
		t.Errorf("--clean has removed a container that is not ours: %q", state)
	}
	if a.code != 0 || strings.Count(a.stdout, "removed whystuck-image-") != 1 || !strings.Contains(a.stdout, "1 container left alone") {
		t.Errorf("--clean: exit code %d, %q, %q", a.code, a.stdout, a.stderr)
	}
	if now := l.ours(t); len(now) != 1 {
		t.Errorf("%v are there after --clean, of %v", now, ids)
	}
	select {
	case <-live.done:
		t.Errorf("--clean has ended a run that lives\n%s", live.err.String())
	default:
	}
	live.signal(syscall.SIGTERM)
	live.wait(t, 20*time.Second)
	if a := l.whystuck(t, "--clean"); a.code != 0 || !strings.Contains(a.stdout, "nothing is left") {
		t.Errorf("--clean: exit code %d, %q, %q", a.code, a.stdout, a.stderr)
	}
}

func (l *lab) waitFor(t *testing.T, n int) []string {
	t.Helper()
	for range 200 {
		if ids := l.ours(t); len(ids) >= n {
			return ids
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %d containers appeared", n)
	return nil
}

// hung: the engine is stopped (SIGSTOP) while a container is there. The run ends in
// time and says what it could not do; later --clean does it.
func (l *lab) hung(t *testing.T) {
	s := l.start(t, "--stop-timeout", "1", "--ready-after", "2s", "long")
	l.waitFor(t, 1)
	d := l.d.PID()
	if err := syscall.Kill(d, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(d, syscall.SIGCONT) }()
	time.Sleep(500 * time.Millisecond)
	began := time.Now()
	s.signal(syscall.SIGINT)
	s.wait(t, 30*time.Second)
	took := time.Since(began)
	if s.code != 4 || !strings.Contains(s.err.String(), "is left, it could not be removed") || !strings.Contains(s.err.String(), "whystuck image --clean") {
		t.Errorf("exit code %d\n%s%s", s.code, s.out.String(), s.err.String())
	}
	if took > 16*time.Second {
		t.Errorf("it took %s after Ctrl-C", took)
	}
	// A run that is begun now has no engine.
	fresh := l.start(t, "long")
	fresh.wait(t, 10*time.Second)
	if fresh.code != 4 {
		t.Errorf("without an engine: exit code %d\n%s", fresh.code, fresh.err.String())
	}
	if err := syscall.Kill(d, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 20 { // the engine may carry out the removal after all
		if a := l.whystuck(t, "--clean"); a.code == 0 && len(l.ours(t)) == 0 {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Error(fmt.Sprint("--clean does not remove ", l.ours(t)))
}
