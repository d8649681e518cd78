package look

import (
	"context"
	"slices"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// seeEngine looks at dockerd and containerd. It goes on beside the look at the
// containers; the returned function waits for it.
func (l *looker) seeEngine(ctx context.Context) (wait func()) {
	if l.engine == nil || l.snap.Host.Engine == nil {
		return func() {}
	}
	var parts []evidence.Part
	g := beside.NewGroup(1)
	g.Go(func() {
		parts = l.engine.Parts(ctx)
		l.prober.Parts(ctx, parts)
	})
	return func() {
		g.Wait()
		described := l.engine.Describe()
		described.Parts = parts
		l.snap.Host.Engine = &described
		l.addContainerd(ctx)
	}
}

// addContainerd finds containerd by what a shim says, where the engine could not
// be asked for it: the engine is dead, and its configuration is not known.
func (l *looker) addContainerd(ctx context.Context) {
	e := l.snap.Host.Engine
	if len(e.Parts) == 0 || slices.ContainsFunc(e.Parts, func(p evidence.Part) bool { return p.Role == evidence.RoleContainerd }) {
		return
	}
	for i := range l.snap.Targets {
		for _, s := range l.snap.Targets[i].Shims {
			if c, ok := l.engine.ContainerdAt(ctx, s.Address); ok {
				found := []evidence.Part{c}
				l.prober.Parts(ctx, found)
				e.Parts = append(e.Parts, found...)
				return
			}
		}
	}
}

// seeShims looks at the processes that keep a container for containerd: the
// parent of its init, and where something is odd whatever else has its id.
func (l *looker) seeShims(ctx context.Context, t *evidence.Target) {
	c := t.Container
	if l.engine == nil || c == nil || c.ID == "" || t.Identity != nil && !t.Identity.Here {
		return
	}
	if shim, ok := l.engine.ShimOf(ctx, c.ID, parentOf(t)); ok {
		t.Shims = []evidence.Part{shim}
	}
	if odd(t) {
		if found, ok := l.engine.Shims(ctx, c.ID); ok {
			t.Shims, t.ShimsSought = found, true
		}
	}
	l.prober.Parts(ctx, t.Shims)
	if ghost := t.PID != 0 && len(t.Processes) == 0; ghost && (c.Status == "running" || c.Status == "paused") {
		t.Clients = l.engine.ExecClients(ctx, c.ID, c.Name)
		l.prober.Parts(ctx, t.Clients)
	}
	if c.Status == "created" || c.Status == "restarting" || c.Status == "exited" && c.InspectTrouble != "" || startsNow(t) {
		t.Birth = l.engine.BirthOf(ctx, c.ID)
	}
}

// seeRemoval looks at what is left of a container whose removal has failed, or was
// under way when the engine wrote its last file.
func (l *looker) seeRemoval(ctx context.Context, t *evidence.Target) {
	c := t.Container
	if l.engine == nil || c == nil || t.Kind != evidence.KindContainer {
		return
	}
	if c.Status == "dead" || c.Status == "removing" && c.Source == "engine-files" {
		t.Removal = l.engine.Removal(ctx, c.ID)
	}
}

// odd reports whether a target is not just a running container with its shim.
func odd(t *evidence.Target) bool {
	c := t.Container
	running := c.Status == "running" || c.Status == "paused"
	if c.Status == "exited" && (c.RuntimeLeft || c.ExitCode != nil && *c.ExitCode == 255) {
		return true // 255 is what the engine books when it does not know: a shim may be left
	}
	return len(t.Shims) == 0 && (running || len(t.Processes) > 0) || c.InspectTrouble != "" ||
		!running && c.Status != "exited" || c.Source == "engine-files" && running
}

// startsNow: its init has not become the container's program yet.
func startsNow(t *evidence.Target) bool {
	i := slices.IndexFunc(t.Processes, func(p evidence.Process) bool { return p.PID == t.PID })
	return i >= 0 && t.Processes[i].Comm == "runc:[2:INIT]"
}

func parentOf(t *evidence.Target) int {
	for i := range t.Processes {
		if t.Processes[i].PID == t.PID {
			return t.Processes[i].PPID
		}
	}
	return 0
}
