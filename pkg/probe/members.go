package probe

import (
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// readCgroup notes the init's own cgroup where the container's was not found.
func (l *look) readCgroup() {
	if l.group.path == "" && l.t.Container == nil {
		for _, controller := range hierarchyOrder {
			if l.group = l.p.groupAt(controller, pathIn(l.cgroups, controller)); l.group.path != "" {
				return
			}
		}
	}
}

// containerMembers are the processes of the container's cgroup, exec'd ones
// included, and its init, which has left the cgroup once it is dying.
func (l *look) containerMembers() []int {
	var pids []int
	if g := l.group; g.path != "" {
		var ok bool
		if pids, ok = once(l, l.p.cfg.Total, func(r *reader) []int { return r.members(g) }); !ok {
			l.gap(evidence.GapTimeout, g.dir+"/"+fileProcs.name, fileProcs.matters)
		}
	} else if l.t.Identity.Alive {
		// Without a cgroup of its own (cgroups disabled) its descendants are
		// the best that can be had; exec'd processes are missed.
		l.gap(evidence.GapAbsent, l.p.pidPath(l.t.PID, fileCgroup.name), fileProcs.matters)
		pids, _ = l.descendants([]int{l.t.PID})
	}
	if !l.t.Identity.Alive && l.t.Identity.Reason == "" && slices.Contains(pids, l.t.PID) {
		// Its cgroup has it, and /proc does not show it: hidepid.
		l.t.Identity.Alive = true
		l.gap(evidence.GapDenied, l.p.pidPath(l.t.PID), hiddenMatters)
	}
	l.empty = len(pids) == 0
	if l.t.Identity.Alive && !slices.Contains(pids, l.t.PID) {
		pids = append(pids, l.t.PID)
	}
	return l.addRemains(pids)
}

// addRemains adds the processes of an orphan that were found by other ways than
// its cgroup: by their mounts, or by their shim.
func (l *look) addRemains(pids []int) []int {
	if l.t.Container == nil {
		return pids
	}
	for _, r := range l.t.Container.Remains {
		if r.Kind == "process" && !slices.Contains(pids, r.PID) {
			pids = append(pids, r.PID)
		}
	}
	return pids
}

// seeAround looks at those who are not members and yet matter.
func (l *look) seeAround() {
	init := l.process(l.t.PID)
	l.t.HostPIDNS = l.hostPIDNS(init)
	switch {
	case init == nil:
	case l.wantsScan(init):
		if pids, ok := l.scanNS(init.PIDNS); ok {
			l.see(pids, seeing{outside: true})
		}
	case !on(l.t.HostPIDNS):
		l.see(l.strangers(init.PIDNS), seeing{outside: true})
	}
	l.see(l.holders(), seeing{outside: true, leaderOnly: true})
}

// hostPIDNS tells whether the init lives in the observer's PID namespace.
func (l *look) hostPIDNS(init *evidence.Process) *bool {
	if init == nil {
		return nil
	}
	own, _ := once(l, l.p.cfg.Total, (*reader).ownNS)
	return sameNS(own, init.PIDNS, init.NSPIDs)
}

// wantsScan decides on the one read that costs what the whole host costs, a
// look at every process's PID namespace. It pays where somebody outside the
// cgroup can hold the init (zap_pid_ns_processes waits for whoever joined by
// setns) or is judged with it (--pid=container:X). Where no cgroup can be seen, as
// from within a container, every target would need it: a whole survey does there.
func (l *look) wantsScan(init *evidence.Process) bool {
	if init.PIDNS == 0 || l.t.HostPIDNS == nil || *l.t.HostPIDNS {
		return false
	}
	if c := l.t.Container; c != nil && strings.HasPrefix(c.PidMode, "container:") {
		return true
	}
	return dying(init) || l.empty || l.group.path == "" && !l.surveyed()
}

// holders are processes outside that can hold a member: its tracer, the parent of
// a zombie, which alone can reap it, and the parent of one that came from outside,
// which alone will. The init's own parent (the shim) is named where it is itself
// stopped, stuck or dead.
func (l *look) holders() []int {
	var out []int
	shim, ns := 0, uint64(0)
	if init := l.process(l.t.PID); init != nil {
		shim, ns = init.PPID, init.PIDNS
	}
	add := func(pid int) {
		if pid > 0 && l.process(pid) == nil && !slices.Contains(out, pid) {
			out = append(out, pid)
		}
	}
	for i := range l.t.Processes {
		p := &l.t.Processes[i]
		if p.Outside && p.PIDNS == 0 {
			continue
		}
		add(p.TracerPID)
		if ns != 0 && p.PIDNS == ns && p.PID != l.t.PID && p.PPID != shim && !on(l.t.HostPIDNS) && len(out) < maxStrangers {
			add(p.PPID) // known already where it is a member
		}
		if p.State == "Z" || p.PID == l.t.PID && l.troubled(p.PPID) {
			add(p.PPID)
		}
	}
	return out
}

// troubled reports whether a process is stopped, traced, in D or a zombie.
func (l *look) troubled(pid int) bool {
	if pid <= 1 {
		return false
	}
	state, _ := once(l, l.p.cfg.Total, func(r *reader) string {
		st, err := r.readStat(pid)
		if err != nil {
			return ""
		}
		return st.State
	})
	return state != "" && strings.Contains("TtDZX", state)
}
