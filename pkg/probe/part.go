package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// partsTotal bounds the look at the engine's own processes.
const partsTotal = 700 * time.Millisecond

// Parts looks at processes of the engine: their state, who traces them, and what
// those of their threads are in that are neither asleep nor running. A shim's
// children that are the runtime (runc) are looked at with it: it waits for them.
func (p *Prober) Parts(ctx context.Context, parts []evidence.Part) {
	ctx, cancel := context.WithTimeout(ctx, partsTotal)
	defer cancel()
	t := &evidence.Target{}
	l := p.newLook(ctx, t)
	defer func() { l.cancel() }()
	below := l.seeParts(parts)
	if slices.ContainsFunc(t.Processes, sluggish) {
		l.passCalls()
		l.passAgain()
		l.passAbout()
	}
	for i := range parts {
		parts[i].Process = brisk(l.process(parts[i].PID))
		for _, pid := range below[parts[i].PID] {
			if q := brisk(l.process(pid)); q != nil {
				parts[i].Below = append(parts[i].Below, *q)
			}
		}
		if parts[i].Process != nil {
			parts[i].FUSE = t.FUSE
		}
	}
}

// seeParts takes the first pass and tells the runtime's processes by shim.
func (l *look) seeParts(parts []evidence.Part) map[int][]int {
	var pids []int
	below := map[int][]int{}
	for _, part := range parts {
		if part.PID <= 0 {
			continue
		}
		pids = append(pids, part.PID)
		if part.Role == evidence.RoleShim || part.Role == evidence.RoleCleaner {
			below[part.PID], _ = once(l, l.p.cfg.ReadTimeout, func(r *reader) []int { return r.runtimesBelow(part.PID) })
			pids = append(pids, below[part.PID]...)
		}
	}
	slices.Sort(pids)
	l.see(slices.Compact(pids), seeing{outside: true})
	return below
}

// runtimesBelow are the children of a shim, and theirs, that are the runtime, or
// are still the shim's fork that is to become it. One that has become the
// container's init before its exec is called "runc:[2:INIT]".
func (r *reader) runtimesBelow(shim int) []int {
	var out []int
	own := r.comm(shim)
	for _, pid := range r.childrenOf(shim) {
		if comm := r.comm(pid); comm != own && !isRuntime(comm) {
			continue
		}
		out = append(out, pid)
		for _, q := range r.childrenOf(pid) {
			if isRuntime(r.comm(q)) {
				out = append(out, q)
			}
		}
	}
	return out
}

func isRuntime(comm string) bool {
	return strings.HasPrefix(comm, "runc") || comm == "crun" || comm == "youki"
}

// sluggish reports whether a process has a thread that may hang, or is held.
func sluggish(p evidence.Process) bool {
	return slices.ContainsFunc(p.Tasks, func(t evidence.Task) bool { return strings.Contains("DTt", t.State) || t.State == "S" && restless(&t) })
}

// brisk leaves the threads away that sleep or run, or are stopped as their leader
// is: the engine's parts have dozens, and they say nothing.
func brisk(p *evidence.Process) *evidence.Process {
	if p == nil {
		return nil
	}
	out := *p
	out.Tasks = slices.DeleteFunc(slices.Clone(p.Tasks), func(t evidence.Task) bool {
		plain := t.State == "S" && t.Again == nil || t.State == "R" || t.State == "I" || t.State == "T" || t.State == "t"
		return t.TID != p.PID && plain
	})
	return &out
}
