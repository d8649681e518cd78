package look

import (
	"context"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

func caught(status string) *evidence.Target {
	return &evidence.Target{Kind: evidence.KindContainer, PID: 7, Processes: []evidence.Process{{PID: 7}},
		Container: &evidence.Container{Status: status, PID: 7}}
}

// A container that is booked as exited and has processes may be in the middle of
// its stop or of its next start.
func TestEndingPasses(t *testing.T) {
	for _, status := range []string{"exited", "stopped"} {
		c := caught(status)
		if !passes(c) {
			t.Errorf("%s with a process: not asked again", status)
		}
		if c.Processes = nil; passes(c) {
			t.Errorf("%s without processes: asked again", status)
		}
	}
}

// The processes that were seen of a container that has ended since prove nothing.
func TestMovedOn(t *testing.T) {
	c := caught("running")
	movedOn(c, &evidence.Container{Status: "exited"})
	if !c.Moved || c.PID != 0 || len(c.Processes) != 0 || c.Container.Status != "exited" {
		t.Errorf("%+v", c)
	}
	c = caught("running")
	if movedOn(c, &evidence.Container{Status: "running", PID: 8}); len(c.Processes) != 1 {
		t.Errorf("started again: %+v", c)
	}
}

// Without time for the second question nothing is confirmed.
func TestNotAskedAgain(t *testing.T) {
	l := &looker{began: time.Now(), engine: &engine.Engine{}, snap: &evidence.Snapshot{Targets: []evidence.Target{*caught("removing"), *caught("exited")}}}
	l.snap.Host.Engine = &evidence.Engine{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.askAgain(ctx, time.Now())
	for _, c := range l.snap.Targets {
		if !c.Moved {
			t.Errorf("%s is as good as confirmed", c.Container.Status)
		}
	}
}

// An absent process is one of a container that the engine says runs, and has told so
// with its lock free.
func TestAbsent(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*evidence.Target)
		want   bool
	}{
		"running, no process":      {func(*evidence.Target) {}, true},
		"it is there":              {func(t *evidence.Target) { t.Identity.Alive = true }, false},
		"inspect has no answer":    {func(t *evidence.Target) { t.Container.InspectTrouble = evidence.GapTimeout }, false},
		"booked as exited":         {func(t *evidence.Target) { t.Container.Status = "exited" }, false},
		"nobody looked whether so": {func(t *evidence.Target) { t.Identity = nil }, false},
	} {
		x := caught("running")
		x.Identity = &evidence.Identity{Here: true}
		c.change(x)
		if got := absent(x); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
