package probe

import "github.com/whystuck/whystuck/pkg/evidence"

// Bounds of the count of zombies.
const (
	manyZombies = 20
	maxParents  = 256
	maxChildren = 4096
)

// passZombies counts dead children that nobody reaps. cgroup.procs does not list
// them, but the cgroup's count of tasks has them: only where that is much higher
// than what is alive are they looked for.
func (l *look) passZombies() {
	if l.t.Cgroup == nil || l.t.Cgroup.PIDs == nil {
		return
	}
	alive := 0
	for i := range l.t.Processes {
		if !l.t.Processes[i].Outside {
			alive += max(1, l.t.Processes[i].Threads)
		}
	}
	if *l.t.Cgroup.PIDs-alive < manyZombies {
		return
	}
	parents := l.pids(func(p *evidence.Process) bool { return !p.Outside && !p.Brief })
	parents = parents[:min(len(parents), maxParents)]
	each(l, fileStat, l.p.cfg.ReadTimeout, parents, func(r *reader, pid int) int { return r.zombiesOf(pid) },
		func(pid, n int) { l.process(pid).Zombies = n })
}

// zombiesOf counts the dead children of a process.
func (r *reader) zombiesOf(pid int) int {
	n := 0
	children := r.childrenOf(pid)
	for _, child := range children[:min(len(children), maxChildren)] {
		if st, err := r.readStat(child); err == nil && st.State == "Z" && st.Threads <= 1 {
			n++
		}
	}
	return n
}
