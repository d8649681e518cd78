package enginetest

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// A stopped shim: seen before anybody has asked anything of it.
func (l *lab) shimStopped(t *testing.T) {
	l.run(t, l.plain, "shim", "lab", "exit")
	shim := l.shim(t, l.plain, "shim")
	hold(t, shim)
	a := l.ask(t, l.plain, "shim")
	a.wants(t, diagnose.Stuck, []string{"WS314"}, fmt.Sprintf("kill -CONT %d", shim))
	a.never(t)
	stop := l.later(l.plain, "stop", "shim")
	time.Sleep(4 * time.Second)
	stop.waits(t)
	a.wayOut(t, "kill -CONT")
	stop.returns(t, 20*time.Second)
	if s := l.state(t, l.plain, "shim"); s != "exited 0" {
		t.Errorf("after the way out: %s", s)
	}
	l.row(t, a, stop.sums())
}

// The lock of one container is held: inspect hangs, ps answers, and the others
// are not concerned.
func (l *lab) lockHeld(t *testing.T) {
	l.run(t, l.plain, "lock", "lab", "exit")
	l.run(t, l.plain, "lock-free", "lab", "exit")
	hold(t, l.shim(t, l.plain, "lock"))
	rm := l.later(l.plain, "rm", "-f", "lock")
	time.Sleep(time.Second)
	a := l.ask(t, l.plain, "lock")
	a.wants(t, diagnose.Stuck, []string{"WS314"}, "the container's lock is held")
	a.never(t)
	l.ask(t, l.plain, "lock-free").wants(t, diagnose.Stops, nil)
	rm.waits(t)
	a.wayOut(t, "kill -CONT")
	rm.returns(t, 20*time.Second)
	if _, _, code := l.plain.Docker(t.Context(), "inspect", "lock"); code == 0 {
		t.Errorf("after the way out it is still there")
	}
	l.row(t, a, rm.sums())
}

// A shim that somebody debugs.
func (l *lab) shimTraced(t *testing.T) {
	l.run(t, l.plain, "traced", "lab", "exit")
	shim := l.shim(t, l.plain, "traced")
	tracer := exec.Command(bed.StaticProgram(t), "-n", fmt.Sprint(shim), "trace_hold")
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	healing(t, func() { _ = tracer.Process.Kill(); _ = tracer.Wait() })
	if !bed.Eventually(10*time.Second, func() bool { return state(shim) == "t" }) {
		t.Fatalf("the shim is in state %q", state(shim))
	}
	a := l.ask(t, l.plain, "traced")
	a.wants(t, diagnose.Stuck, []string{"WS314"}, fmt.Sprintf("kill -KILL %d", tracer.Process.Pid))
	a.wayOut(t, "kill -KILL")
	stop := l.later(l.plain, "stop", "traced")
	stop.returns(t, 20*time.Second)
	l.row(t, a, stop.sums()+" (after)")
}

// Restart policy always: a signal that is not the container's own ends it, and it
// comes back; its own does not bring it back. `docker stop --signal` takes the
// same way in the engine as docker kill -s, from Docker 23 on.
func (l *lab) restartPolicy(t *testing.T) {
	pid := l.run(t, l.plain, "restart", "--restart", "always", "--stop-signal", "SIGQUIT", "lab", "exit")
	a := l.ask(t, l.plain, "restart", "-s", "TERM")
	a.wants(t, diagnose.Stops, []string{"WS306"}, "SIGQUIT")
	if a.Stop.Then != "restarted" {
		t.Errorf("with another signal: then %s", a.Stop.Then)
	}
	l.docker(t, l.plain, "kill", "-s", "TERM", "restart")
	if !bed.Eventually(15*time.Second, func() bool {
		return gone(pid) && l.state(t, l.plain, "restart") == "running 0"
	}) {
		t.Errorf("it did not come back: %s", l.state(t, l.plain, "restart"))
	}
	b := l.ask(t, l.plain, "restart", "-t", "1")
	if b.Verdict != diagnose.Killed || b.Stop.Then != "stays" {
		t.Errorf("with its own signal: %s, then %s", b.Verdict, b.Stop.Then)
	}
	stop := l.later(l.plain, "stop", "-t", "1", "restart")
	stop.returns(t, 30*time.Second)
	stop.told(t, b.Stop.Command)
	time.Sleep(2 * time.Second)
	if s := l.state(t, l.plain, "restart"); s != "exited 137" {
		t.Errorf("after docker stop: %s", s)
	}
	l.row(t, a, stop.sums())
}
