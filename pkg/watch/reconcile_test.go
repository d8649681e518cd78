package watch

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// list compares with the engine's list, asked for now.
func (b *bench) list(all ...*evidence.Container) { b.listAsked(b.now.Mono, all...) }

func (b *bench) listAsked(asked time.Duration, all ...*evidence.Container) {
	v := View{Asked: asked, Inspected: map[string]*evidence.Container{}}
	for _, c := range all {
		v.List = append(v.List, engine.Brief{ID: c.ID, Name: "name-" + c.ID, Status: c.Status})
		v.Inspected[c.ID] = c
	}
	b.Reconcile(v, b.now)
	b.collect()
}

func lives(id string, started time.Time) *evidence.Container {
	return &evidence.Container{ID: id, Status: "running", StartedAt: &started}
}

func ended(id string, at time.Time, code int) *evidence.Container {
	return &evidence.Container{ID: id, Status: "exited", FinishedAt: &at, ExitCode: &code}
}

func TestReconcile(t *testing.T) {
	const killTERM = "kill TERM"
	started := noon
	for name, c := range map[string]struct {
		before string
		see    func(b *bench) []*evidence.Container
		want   []string
	}{
		"nothing happened": {"", func(*bench) []*evidence.Container { return []*evidence.Container{lives("a", started)} }, nil},
		"a stop that ended": {killTERM, func(b *bench) []*evidence.Container {
			return []*evidence.Container{ended("a", b.now.Wall, 0)}
		}, []string{"ended stop stops 0 reconciled"}},
		"a stop that ended in SIGKILL": {killTERM, func(b *bench) []*evidence.Container {
			return []*evidence.Container{ended("a", b.now.Wall, 137)}
		}, []string{"ended stop killed 137 reconciled"}},
		"a stop that goes on": {killTERM, func(*bench) []*evidence.Container { return []*evidence.Container{lives("a", started)} },
			[]string{"overrun stop assumed-timeout"}},
		"a whole stop": {"", func(b *bench) []*evidence.Container {
			return []*evidence.Container{ended("a", b.now.Wall, 137)}
		}, []string{"ended unknown unseen 137 reconciled"}},
		"removed": {killTERM, func(*bench) []*evidence.Container { return nil }, []string{"ended stop unseen reconciled"}},
		"another run": {killTERM, func(b *bench) []*evidence.Container {
			return []*evidence.Container{lives("a", b.now.Wall)}
		}, []string{"ended stop unseen reconciled"}},
		"came back": {killTERM, func(b *bench) []*evidence.Container {
			c := lives("a", b.now.Wall)
			c.RestartCount = 1
			return []*evidence.Container{c}
		}, []string{"ended stop unseen reconciled", "came-back stop reconciled"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.list(lives("a", started))
			b.pass(time.Minute)
			if c.before == killTERM {
				b.event("kill", "a", 15)
			}
			b.pass(3 * time.Second)
			seen := c.see(b)
			b.list(seen...)
			b.pass(time.Minute)
			b.list(seen...)
			b.wants(t, c.want...)
		})
	}
}

// An event that comes while the list is being asked for is the newer one.
func TestListIsOlderThanTheEvent(t *testing.T) {
	b := newBench()
	b.list(lives("a", noon))
	b.pass(time.Minute)
	b.event("kill", "a", 15)
	b.pass(time.Second)
	asked := b.now.Mono
	b.pass(10 * time.Millisecond)
	b.event("die", "a", 0)
	b.listAsked(asked, lives("a", noon))
	b.pass(time.Minute)
	b.wants(t, "ended stop stops 0")
}

// A rename while the list is being asked for says nothing of whether it lives.
func TestListKnowsMoreThanARename(t *testing.T) {
	b := newBench()
	b.list(lives("a", noon))
	b.pass(time.Minute)
	asked := b.now.Mono
	b.pass(10 * time.Millisecond)
	b.event("rename", "a")
	b.listAsked(asked, ended("a", b.now.Wall, 137))
	b.wants(t, "ended unknown unseen 137 reconciled")
}

// The list knew it already, and then the event comes.
func TestEventIsOlderThanTheList(t *testing.T) {
	b := newBench()
	b.list(lives("a", noon))
	b.pass(time.Minute)
	b.event("kill", "a", 15)
	b.pass(time.Second)
	died := b.now.Wall
	b.pass(time.Second)
	next := b.now.Wall
	b.list(lives("a", next))
	b.at(died, "die", "a", 0)
	b.at(next.Add(time.Millisecond), "start", "a")
	b.wants(t, "ended stop unseen reconciled")
	// From then on all is as ever.
	b.pass(time.Minute)
	b.event("kill", "a", 15)
	b.event("die", "a", 0)
	b.wants(t, "ended stop unseen reconciled", "ended stop stops 0")
}

// What lies before the beginning is learned and not told.
func TestLearning(t *testing.T) {
	b := newBench()
	b.Learning = true
	b.pass(time.Minute)
	b.at(b.now.Wall.Add(-30*time.Second), "kill", "old", 15)
	b.at(b.now.Wall.Add(-29*time.Second), "die", "old", 137)
	b.at(b.now.Wall.Add(-5*time.Second), "kill", "now", 15)
	b.list(lives("now", noon), ended("old", noon, 137))
	b.Learning = false
	b.wants(t)
	b.pass(5*time.Second + slack)
	b.wants(t, "overrun stop assumed-timeout")
}

func TestNeedsInspect(t *testing.T) {
	b := newBench()
	b.list(lives("a", noon), lives("b", noon), ended("c", noon, 0))
	same := []engine.Brief{{ID: "a", Status: "running"}, {ID: "b", Status: "paused"}, {ID: "c", Status: "exited"}}
	if got := b.NeedsInspect(same, false); len(got) != 0 {
		t.Errorf("nothing differs, and %q are asked for", got)
	}
	if got := b.NeedsInspect(same, true); len(got) != 2 {
		t.Errorf("after a break %q are asked for", got)
	}
	other := []engine.Brief{{ID: "a", Status: "exited"}, {ID: "b", Status: "running"}, {ID: "c", Status: "running"}, {ID: "d", Status: "running"}}
	if got := b.NeedsInspect(other, false); len(got) != 3 {
		t.Errorf("a, c and d differ, and %q are asked for", got)
	}
}

// Podman's "stopping" is a run that has not ended; "restarting" waits between two.
func TestAlive(t *testing.T) {
	for status, want := range map[string]bool{"running": true, "paused": true, "stopping": true, "restarting": false, "exited": false, "created": false} {
		if alive(status) != want {
			t.Errorf("%s: alive %v", status, !want)
		}
	}
}
