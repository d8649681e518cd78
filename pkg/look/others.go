package look

import (
	"context"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// lookAround finds who else is stuck on what tasks of the targets are stuck on,
// and who owns the locks that they wait for. It comes after the kernel, which
// knows owners, and costs nothing where nothing hangs.
func (l *looker) lookAround(ctx context.Context) {
	l.prober.HungTasks(ctx, l.snap.Targets)
	blocked := l.prober.Others(ctx, l.snap.Targets, l.blockers())
	if l.snap.Host.Load = l.prober.Load(ctx); l.snap.Host.Load != nil && l.snap.Host.Load.Blocked == nil {
		l.snap.Host.Load.Blocked = blocked
	}
	l.nameOthers(ctx)
}

// blockers are the threads that own a lock which a task of a target waits for, by
// the kernel's own word or by its log.
func (l *looker) blockers() []int {
	var out []int
	for i := range l.snap.Targets {
		for _, line := range l.snap.Targets[i].HungLog {
			if line.Owner != 0 && !slices.Contains(out, line.Owner) {
				out = append(out, line.Owner)
			}
		}
		for _, p := range l.snap.Targets[i].Processes {
			if p.Kernel == nil {
				continue
			}
			for _, k := range p.Kernel.Tasks {
				if k.Blocker != 0 && !slices.Contains(out, k.Blocker) {
					out = append(out, k.Blocker)
				}
			}
		}
	}
	return out
}

// nameOthers asks the engine what the containers of the others are called.
func (l *looker) nameOthers(ctx context.Context) {
	var found []*evidence.OtherTask
	for i := range l.snap.Targets {
		if o := l.snap.Targets[i].Others; o != nil {
			for j := range o.Tasks {
				if o.Tasks[j].Container != "" {
					found = append(found, &o.Tasks[j])
				}
			}
		}
	}
	var users []*evidence.MountUser
	for i := range l.snap.Targets {
		if o := l.snap.Targets[i].Others; o != nil {
			for j := range o.Mounted {
				users = append(users, &o.Mounted[j])
			}
		}
	}
	if len(found)+len(users) == 0 || l.names == nil {
		return
	}
	names := l.names(ctx)
	for _, u := range users {
		u.Name = names[u.Container]
	}
	for _, o := range found {
		o.Name = names[o.Container]
	}
}
