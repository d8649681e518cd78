package probe

import (
	"fmt"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// idFacts are what proves that a PID is a container.
type idFacts struct {
	alive bool
	// hidden: it is not in /proc, which does not show the processes of others.
	hidden bool
	start  uint64
	dying  bool
	comm   string
	lines  []procfs.Cgroup
	read   bool // lines could be read
	group  group
}

// identify settles whether t.PID is the container, before anything is read of
// it: the number may have been given to another process, or may belong to
// another machine altogether (Docker Desktop, a forwarded socket).
func (l *look) identify() {
	id, path, pid, want := "", "", l.t.PID, uint64(0)
	if c := l.t.Container; c != nil {
		id, path, want = c.ID, c.Cgroup, c.RuntimeStart
	}
	vouched := l.t.Identity != nil && l.t.Identity.Here
	f, ok := once(l, l.p.cfg.Total, func(r *reader) idFacts { return r.idFacts(pid, id, path) })
	if !ok {
		// No answer is no proof that there is no such process.
		l.t.Identity = &evidence.Identity{Alive: true, Here: true}
		l.gap(evidence.GapTimeout, l.p.pidPath(pid, fileCgroup.name), fileCgroup.matters)
		return
	}
	l.cgroups, l.group = f.lines, f.group
	l.t.Identity = judgeIdentity(f, pid, id, want, vouched)
	if !l.t.Identity.Here {
		own, _ := once(l, l.p.cfg.Total, (*reader).ownNS)
		l.t.Identity.Nested = own != 0 && own != initialPIDNS
	}
	if f.hidden {
		l.t.Identity = &evidence.Identity{Alive: true, Here: true}
		l.gap(evidence.GapDenied, l.p.pidPath(pid), hiddenMatters)
	}
}

// initialPIDNS is the inode of the host's PID namespace (the kernel's
// PROC_PID_INIT_INO).
const initialPIDNS = 0xEFFFFFFC

func (r *reader) idFacts(pid int, id, path string) (f idFacts) {
	if pid > 0 {
		if st, err := r.readStat(pid); err == nil {
			f.alive, f.start, f.comm = true, st.StartTicks, st.Comm
			f.dying = st.dying()
			f.lines, f.read = r.cgroupLines(pid)
		} else {
			f.hidden = r.hides()
		}
	}
	f.group = r.p.findGroup(f.lines, id, path)
	return f
}

// cgroupLines is /proc/PID/cgroup.
func (r *reader) cgroupLines(pid int) ([]procfs.Cgroup, bool) {
	proc, err := r.p.fs.Proc(pid)
	if err != nil {
		return nil, false
	}
	lines, err := proc.Cgroups()
	if err != nil {
		r.miss(fileCgroup, pid, r.p.pidPath(pid, fileCgroup.name), err)
		return nil, false
	}
	return lines, true
}

// judgeIdentity draws the conclusion. want is the start that the runtime
// recorded, 0 if unknown; vouched says that the engine's own files of this
// container lie on this host.
func judgeIdentity(f idFacts, pid int, id string, want uint64, vouched bool) *evidence.Identity {
	out := &evidence.Identity{Alive: f.alive, Here: true}
	if f.alive && want != 0 {
		same := f.start == want
		out.StartMatches = &same
	}
	if f.alive && f.read && id != "" {
		match := matches(f.lines, id)
		// A dying process has left its v1 cgroups: no proof against it.
		if match || !f.dying {
			out.CgroupMatches = &match
		}
	}
	traces := vouched || want != 0 || f.group.path != ""
	switch {
	case pid <= 0:
	case !f.alive && !traces:
		out.Here = false
		out.Reason = fmt.Sprintf("there is no process %d and no cgroup of this container here: it ended just now, or the engine runs on another kernel (Docker Desktop, a forwarded socket, a remote host)", pid)
	case on(out.CgroupMatches), on(out.StartMatches), out.CgroupMatches == nil && out.StartMatches == nil:
	case traces:
		out.Alive = false
		out.Reason = fmt.Sprintf("PID %d was given to another process (%.15q)", pid, f.comm)
	default:
		out.Here = false
		out.Reason = fmt.Sprintf("PID %d here is another process (%.15q): the engine runs on another kernel (Docker Desktop, a forwarded socket, a remote host)", pid, f.comm)
	}
	return out
}

// matches reports whether a line of /proc/PID/cgroup names the container.
func matches(lines []procfs.Cgroup, id string) bool {
	for _, c := range lines {
		if containerPath(c.Path, id) != "" {
			return true
		}
	}
	return false
}
