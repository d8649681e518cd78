package probe

import (
	"context"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Baseline is what has to be gone once a container has ended. It is taken while
// the container runs, and is to be closed.
type Baseline struct {
	t    *evidence.Target
	init *evidence.Process
	// Shim is the process that the runtime put above the init; 0: none was found.
	Shim      int
	shimStart uint64
	// ns holds the PID namespace: once the kernel has freed one it gives its number
	// to the next, and somebody else's container would be taken for a survivor.
	ns *os.File
}

// Close lets go of the namespace.
func (b Baseline) Close() {
	if b.ns != nil {
		_ = b.ns.Close()
	}
}

// After is what is left of a container.
type After struct {
	Cgroup    []int // processes in its cgroup
	Namespace []int // in its PID namespace, zombies too
	Seen      []int // that were there before, by PID and start time
	Shim      int   // the shim, if it lives; 0: gone, or there was none
	// NoCgroup and NoNamespace: these could not be looked at.
	NoCgroup, NoNamespace bool
	// Blind: the look did not come back in time. What is empty then says nothing but
	// for Namespace, which is looked at apart.
	Blind bool
}

// Tasks are all that are left, rising, without the shim.
func (a After) Tasks() []int {
	all := slices.Concat(a.Cgroup, a.Namespace, a.Seen)
	slices.Sort(all)
	return slices.Compact(all)
}

// Baseline notes what belongs to a target that was looked at.
func (p *Prober) Baseline(ctx context.Context, t *evidence.Target) Baseline {
	b := Baseline{t: t}
	for i := range t.Processes {
		if t.Processes[i].PID == t.PID {
			b.init = &t.Processes[i]
		}
	}
	if b.init == nil {
		return b
	}
	parent := b.init.PPID
	l := p.newLook(ctx, &evidence.Target{})
	defer func() { l.cancel() }()
	type around struct {
		parent stat
		ns     *os.File
	}
	f, ok := once(l, p.cfg.Total, func(r *reader) around { return around{r.statOf(parent), r.holdNS(b.init)} })
	if !ok {
		return b
	}
	b.ns = f.ns
	if strings.HasPrefix(f.parent.Comm, "containerd-shim") || strings.HasPrefix(f.parent.Comm, "conmon") {
		b.Shim, b.shimStart = parent, f.parent.StartTicks
	}
	return b
}

// holdNS opens a process's PID namespace; nil where it may not be, or is another by
// now.
func (r *reader) holdNS(q *evidence.Process) *os.File {
	fd, err := open(r.p.pidPath(q.PID, "ns", "pid"))
	if err != nil {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Ino != q.PIDNS {
		_ = unix.Close(fd)
		return nil
	}
	return os.NewFile(uintptr(fd), "pid namespace")
}

// statOf is the zero stat for a process that is gone.
func (r *reader) statOf(pid int) stat {
	st, err := r.readStat(pid)
	if err != nil {
		return stat{}
	}
	return st
}

// After looks for what is left.
func (p *Prober) After(ctx context.Context, b Baseline) After {
	l := p.newLook(ctx, &evidence.Target{})
	defer func() { l.cancel() }()
	a, ok := once(l, p.cfg.Total, func(r *reader) After {
		return After{Cgroup: r.inGroups(b), Seen: r.stillThere(b.t.Processes), Shim: r.shimLeft(b)}
	})
	a.Blind = !ok
	a.NoCgroup = !ok || !b.ownCgroup()
	a.NoNamespace = true
	if ns := b.ownNamespace(); ns != 0 {
		var all bool
		a.Namespace, all = l.scanNS(ns)
		a.NoNamespace = !all
	}
	return a
}

// ownCgroup: a cgroup is known that is the container's alone. That of a mere process
// is the one of whoever started it.
func (b Baseline) ownCgroup() bool {
	c := b.t.Container
	return c != nil && b.t.Cgroup != nil && containerPath(b.t.Cgroup.Path, c.ID) != ""
}

// ownNamespace is the container's PID namespace, 0 where it is somebody else's too.
func (b Baseline) ownNamespace() uint64 {
	host := b.t.HostPIDNS
	shared := b.t.Container != nil && b.t.Container.PidMode != "" && b.t.Container.PidMode != "private"
	if b.ns == nil || b.init == nil || host == nil || *host || shared {
		return 0
	}
	return b.init.PIDNS
}

// inGroups are the members of the container's cgroup in every hierarchy: a dying
// process has left those of v1 before it leaves the unified one.
func (r *reader) inGroups(b Baseline) []int {
	if !b.ownCgroup() {
		return nil
	}
	var pids []int
	for _, controller := range hierarchyOrder {
		if g := r.p.groupAt(controller, b.t.Cgroup.Path); g.path != "" {
			pids = append(pids, r.members(g)...)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// StillThere are those processes that live on as themselves, zombies too; nil also
// where it cannot be told in time.
func (p *Prober) StillThere(ctx context.Context, before []evidence.Process) []int {
	l := p.newLook(ctx, &evidence.Target{})
	defer func() { l.cancel() }()
	same, _ := once(l, p.cfg.Total, func(r *reader) []int { return r.stillThere(before) })
	return same
}

func (r *reader) stillThere(before []evidence.Process) []int {
	var out []int
	for i := range before {
		q := &before[i]
		if q.Outside {
			continue
		}
		if st := r.statOf(q.PID); st.StartTicks == q.StartTicks && st.State != "" {
			out = append(out, q.PID)
		}
	}
	return out
}

// shimLeft takes a zombie for gone: it waits for nothing but the host's own init.
func (r *reader) shimLeft(b Baseline) int {
	if st := r.statOf(b.Shim); b.Shim != 0 && st.StartTicks == b.shimStart && st.State != "Z" {
		return b.Shim
	}
	return 0
}

// Pending reports whether a signal waits to be delivered to a process: sent to it
// as a whole or to its main thread. nil: not readable.
func (p *Prober) Pending(ctx context.Context, pid, sig int) *bool {
	l := p.newLook(ctx, &evidence.Target{})
	defer func() { l.cancel() }()
	st, ok := once(l, p.cfg.ReadTimeout, func(r *reader) *status { return r.readStatus(pid) })
	if !ok || st.ShdPnd == nil || st.SigPnd == nil {
		return nil
	}
	pending := (*st.ShdPnd | *st.SigPnd).Has(sig)
	return &pending
}
