package probe

import (
	"context"
	"fmt"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// PID looks at what a host PID belongs to, with no engine: the whole PID
// namespace that it lives in (KindPIDNS, PID is the namespace's init), or, in
// the observer's own namespace, that process and its descendants (KindProcess).
// The PID may be a thread's. asked is what the user typed. The error says that
// there is no such process; everything else that fails is a gap.
func (p *Prober) PID(ctx context.Context, asked string, pid int) (evidence.Target, error) {
	t := evidence.Target{Asked: asked}
	l := p.newLook(ctx, &t)
	defer func() { l.cancel() }()
	at, ok := once(l, p.cfg.Total, func(r *reader) whereabouts { return r.whereabouts(pid) })
	switch {
	case !ok && ctx.Err() != nil:
		return t, fmt.Errorf("looking at process %d: %w", pid, ctx.Err())
	case !ok:
		return t, fmt.Errorf("looking at process %d: /proc did not answer in %s", pid, p.cfg.Total)
	case at.pid == 0 && at.hidden:
		return t, fmt.Errorf("process %d may not be seen by this user: /proc hides those of others (hidepid); look as root", pid)
	case at.pid == 0:
		return t, fmt.Errorf("no such process: %d", pid)
	}
	t.HostPIDNS = at.host
	t.Identity = &evidence.Identity{Alive: true, Here: true}
	l.cgroups = at.lines
	if at.host == nil || *at.host {
		t.Kind, t.PID = evidence.KindProcess, at.pid
		pids, _ := l.descendants([]int{at.pid})
		l.see(pids, seeing{})
	} else {
		t.Kind = evidence.KindPIDNS
		l.seeNamespace(at)
	}
	l.readCgroup()
	l.see(l.holders(), seeing{outside: true, leaderOnly: true})
	l.finish()
	return t, nil
}

// whereabouts are where a process lives.
type whereabouts struct {
	pid int // of its thread group, 0: there is none
	// hidden: there may be one all the same, see hides.
	hidden bool
	ns     uint64 // inode of its PID namespace, 0: not readable
	host   *bool  // the observer's own namespace; nil: not known
	init   int    // the nearest ancestor, or itself, that is its namespace's init; 0: not found
	lines  []procfs.Cgroup
}

func (r *reader) whereabouts(pid int) (w whereabouts) {
	s := r.peek(pid)
	if s == nil {
		w.hidden = r.hides()
		return w
	}
	w.pid = pid
	if s.Tgid > 0 {
		w.pid = s.Tgid
	}
	w.ns = r.pidNS(w.pid)
	w.host = sameNS(r.ownNS(), w.ns, s.NSPIDs)
	w.lines, _ = r.cgroupLines(w.pid)
	if w.host != nil && !*w.host {
		w.init = r.initAbove(w.pid, w.ns, len(s.NSPIDs))
	}
	return w
}

// peek is a process's status, nil when there is none. Nothing is noted: the look
// at the process itself does.
func (r *reader) peek(pid int) *status {
	data, err := r.read(r.p.pidPath(pid, "status"), maxRead)
	if err != nil {
		return nil
	}
	s, _ := parseStatus(data)
	return &s
}

// initAbove walks up the parents to the init of a PID namespace: the process
// that is 1 in it. A process that joined from outside has no such ancestor.
func (r *reader) initAbove(pid int, ns uint64, depth int) int {
	for range maxTasksProcess {
		s := r.peek(pid)
		if s == nil || len(s.NSPIDs) != depth {
			return 0
		}
		if ns != 0 && r.pidNS(pid) != ns {
			return 0
		}
		if s.NSPIDs[depth-1] == 1 {
			return pid
		}
		pid = s.PPID
	}
	return 0
}

// seeNamespace looks at a PID namespace and the namespaces nested in it.
func (l *look) seeNamespace(at whereabouts) {
	var pids []int
	if at.ns != 0 {
		pids, _ = l.scanNS(at.ns)
	}
	if at.init == 0 {
		at.init = l.initAmong(pids)
	}
	if l.t.PID = at.init; at.init == 0 {
		l.gap(evidence.GapAbsent, l.p.pidPath(at.pid, filePIDNS.name), "cannot find the init of the PID namespace")
	} else {
		pids = append(pids, at.init)
	}
	// Descendants add nested namespaces, and all that there is where ns/pid
	// may not be read.
	if more, ok := l.descendants(append(pids, at.pid)); ok {
		pids = more
	}
	l.see(pids, seeing{})
}

// initAmong finds the process that is 1 in the innermost namespace.
func (l *look) initAmong(pids []int) int {
	init, _ := once(l, l.p.cfg.Total, func(r *reader) int {
		for _, pid := range pids {
			if s := r.peek(pid); s != nil && len(s.NSPIDs) > 1 && s.NSPIDs[len(s.NSPIDs)-1] == 1 {
				return pid
			}
		}
		return 0
	})
	return init
}
