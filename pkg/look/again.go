package look

import (
	"context"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// again is how long after the first answer the engine is asked once more about a
// container in a state that passes: an exit is booked, a start or a removal comes
// to its end within a second even on a busy host.
const again = 1100 * time.Millisecond

// askAgain asks the engine a second time about containers whose state may be that
// of a moment: a process that is gone and not yet booked as exited, a start, a
// removal, a lock. What has moved on is not to be accused.
func (l *looker) askAgain(ctx context.Context, since time.Time) {
	e := l.snap.Host.Engine
	if l.engine == nil || e == nil || e.Trouble != "" || anyHeld(e.Parts) {
		return
	}
	var odd []*evidence.Target
	for i := range l.snap.Targets {
		if t := &l.snap.Targets[i]; passes(t) && !anyHeld(t.Shims) {
			odd = append(odd, t)
		}
	}
	if len(odd) == 0 {
		return
	}
	select {
	case <-time.After(again - time.Since(since)):
	case <-ctx.Done():
		return
	}
	g := NewGroup(maxAgain)
	for _, t := range odd[:min(len(odd), maxAgain)] {
		g.Go(func() { l.askAgainOf(ctx, t) })
	}
	g.Wait()
}

// maxAgain bounds the second questions; a host with more odd containers is ill.
const maxAgain = 16

// anyHeld reports whether a part is stopped: it will not have moved on. One in t may
// be merely straced.
func anyHeld(parts []evidence.Part) bool {
	return slices.ContainsFunc(parts, func(p evidence.Part) bool { return p.Process != nil && p.Process.State == "T" })
}

// passes reports whether a target's state may be over in a moment.
func passes(t *evidence.Target) bool {
	c := t.Container
	if c == nil || t.Kind != evidence.KindContainer {
		return false
	}
	switch c.Status {
	case "running", "paused":
		lonely := t.ShimsSought && len(t.Shims) == 0
		return lonely || t.Identity != nil && (!t.Identity.Alive || !t.Identity.Here) || c.InspectTrouble == evidence.GapTimeout
	case "restarting", "removing":
		return true
	case "created":
		return c.InspectTrouble != "" || t.PID != 0 || len(t.Processes) > 0 || len(t.Shims) > 0
	}
	return false
}

// askAgainOf takes over what the engine says now.
func (l *looker) askAgainOf(ctx context.Context, t *evidence.Target) {
	began := l.snap.TakenAt
	found, missing, err := l.engine.Resolve(ctx, engine.Query{Names: []string{t.Container.ID}})
	switch {
	case err != nil:
		return
	case len(found) == 0 && len(missing) > 0:
		t.Moved, t.Identity = true, nil
		t.Container.Status, t.PID, t.Processes = "removed", 0, []evidence.Process{}
		return
	case len(found) == 0 || found[0].Container.InspectTrouble != "":
		return
	}
	now := found[0].Container
	if now.Status != t.Container.Status || now.PID != t.Container.PID || t.Container.InspectTrouble != "" {
		t.Moved, t.Container = true, now
		if t.Identity != nil && !t.Identity.Here {
			t.Identity = nil // what spoke against it has passed
		}
		return
	}
	ms := int(l.from.Now().Sub(began).Milliseconds())
	t.StayedMillis = &ms
}
