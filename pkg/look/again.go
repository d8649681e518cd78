package look

import (
	"context"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// again is how long after the first answer the engine is asked once more about a
// container in a state that passes: an exit is booked, a start or a removal comes
// to its end within a second even on a busy host.
const again = 1100 * time.Millisecond

// askAgain asks the engine a second time about containers whose state may be that
// of a moment: a process that is gone and not yet booked as exited, a start, a
// removal, a lock. What has moved on is not to be accused. read is when their
// processes had been read: who was gone by then may have ended just before.
func (l *looker) askAgain(ctx context.Context, read time.Time) {
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
	g := beside.NewGroup(maxAgain)
	for _, t := range odd {
		since := l.began
		if absent(t) {
			since = read
		}
		g.Go(func() {
			select {
			case <-time.After(again - time.Since(since)):
			case <-ctx.Done():
			}
			if t.Moved = ctx.Err() != nil; !t.Moved { // not asked is not confirmed
				l.askAgainOf(ctx, t, since)
			}
		})
	}
	g.Wait()
}

// absent reports whether the engine's answer was that it runs, and its process was
// not there.
func absent(t *evidence.Target) bool {
	c := t.Container
	return (c.Status == "running" || c.Status == "paused") && c.InspectTrouble == "" && t.Identity != nil && !t.Identity.Alive
}

// maxAgain bounds the second questions that are asked at once.
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
	case "exited", "stopped": // Podman's word
		return len(t.Processes) > 0 || len(t.Shims) > 0 || c.InspectTrouble != "" // it is ending, or starts again
	case "created":
		return c.InspectTrouble != "" || t.PID != 0 || len(t.Processes) > 0 || len(t.Shims) > 0
	}
	return false
}

// askAgainOf takes over what the engine says now; where it says nothing, nothing
// is confirmed.
func (l *looker) askAgainOf(ctx context.Context, t *evidence.Target, since time.Time) {
	found, missing, err := l.engine.Resolve(ctx, engine.Query{Names: []string{t.Container.ID}})
	switch {
	case err != nil:
		t.Moved = true
		return
	case len(found) == 0 && len(missing) > 0 || len(found) == 1 && found[0].Kind == evidence.KindOrphan:
		gone := *t.Container
		gone.Status, gone.PID = "removed", 0
		movedOn(t, &gone)
		t.Identity = nil
		return
	case len(found) == 0:
		t.Moved = true
		return
	case found[0].Container.InspectTrouble != "":
		// Its lock is held, and was not before: the exit is being handled.
		t.Moved = absent(t)
		return
	}
	now := found[0].Container
	if now.Status != t.Container.Status || now.PID != t.Container.PID || t.Container.InspectTrouble != "" {
		movedOn(t, now)
		return
	}
	ms := int(time.Since(since).Milliseconds())
	t.StayedMillis = &ms
	if now.Status == "exited" || now.Status == "stopped" {
		l.dropEnded(ctx, t)
	}
}

// dropEnded: the last processes of a container, and its shim, may end a little after
// its exit was booked. Those that are still there are no passing thing.
func (l *looker) dropEnded(ctx context.Context, t *evidence.Target) {
	if shims, ok := l.engine.Shims(ctx, t.Container.ID); ok && t.ShimsSought {
		t.Shims = slices.DeleteFunc(t.Shims, func(p evidence.Part) bool {
			return !slices.ContainsFunc(shims, func(q evidence.Part) bool { return q.PID == p.PID })
		})
	}
	now := evidence.Target{Kind: t.Kind, PID: t.PID, Container: t.Container}
	l.prober.Container(ctx, &now)
	if slices.ContainsFunc(now.Gaps, func(g evidence.Gap) bool { return g.Kind == evidence.GapTimeout }) {
		return
	}
	t.Processes = slices.DeleteFunc(t.Processes, func(p evidence.Process) bool {
		return !slices.ContainsFunc(now.Processes, func(q evidence.Process) bool { return q.PID == p.PID && q.StartTicks == p.StartTicks })
	})
}

// movedOn: the engine says something else now. What was seen of a container that
// has ended since says nothing any more.
func movedOn(t *evidence.Target, now *evidence.Container) {
	t.Moved, t.Container = true, now
	if t.Identity != nil && !t.Identity.Here {
		t.Identity = nil // what spoke against it has passed
	}
	if now.PID == 0 {
		t.PID, t.Processes = 0, []evidence.Process{}
	}
}
