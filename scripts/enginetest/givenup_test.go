package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// containerd is restarted while shims are stopped: it takes them for dead, ends
// their containers and forgets them, and the engine does not know.
func (l *lab) shimGivenUp(t *testing.T) {
	d := l.engine(t)
	pids := map[string]int{}
	names := []string{"up-stop", "up-cont"}
	for _, name := range names {
		pids[name] = l.run(t, d, name, "lab", "exit")
		hold(t, l.shim(t, d, name))
	}
	d.KillContainerd()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := d.StartContainerd(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !bed.Eventually(20*time.Second, func() bool { return state(pids[name]) == "Z" }) {
			t.Fatalf("%s: its init is in state %q", name, state(pids[name]))
		}
	}
	answers := map[string]answer{}
	for _, name := range names {
		answers[name] = l.ask(t, d, name, "-t", "3")
		answers[name].wants(t, diagnose.Ghost, []string{"WS314"}, "given the container up")
	}
	stop := l.later(d, "stop", "-t", "3", "up-stop")
	shim := l.shim(t, d, "up-cont")
	answers["up-cont"].wayOut(t, "kill -CONT")
	if !bed.Eventually(5*time.Second, func() bool { return l.state(t, d, "up-cont") == "exited 137" }) {
		// dockerd was not connected to the new containerd when the shim told of it.
		b := l.ask(t, d, "up-cont")
		b.wants(t, diagnose.Ghost, []string{"WS301"})
		l.docker(t, d, "stop", "up-cont")
	}
	if gone(shim) {
		t.Error("the shim was to stay")
	}
	answers["up-cont"].wayOut(t, "kill -KILL")
	l.docker(t, d, "start", "up-cont")
	stop.returns(t, 60*time.Second)
	// It has come back, and how was not told: a race.
	a := answers["up-stop"]
	for what, c := range map[string]diagnose.Command{"stop": a.Stop.Command, "kill": a.Kill.Command, "rm": a.Rm.Command} {
		if !c.Returns || c.ExitStatus != nil || c.AfterSeconds != nil {
			t.Errorf("%s: %+v", what, c)
		}
	}
	l.row(t, a, stop.sums())
}
