package probe

import (
	"context"
	"strconv"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Member is a process of a container as its stat line shows it: enough to tell
// whether anything changes in there.
type Member struct {
	PID             int
	Comm            string
	StartTicks      uint64
	Ignored, Caught evidence.SigSet
	// Busy: a thread of it has a CPU, waits for one, or waits for a disk.
	Busy bool
}

// Bounds of a census: a crowd's first threads tell enough.
const (
	censusThreads = 16
	censusTasks   = 256
)

// Census counts who lives in a container's cgroup. pid is its init's host PID and
// id its id; both have to be proven to belong together: ok is false where they
// are not, where the init is gone, or where there was no answer in time. It reads
// stat files alone, which take none of the target's locks, and may be repeated.
func (p *Prober) Census(ctx context.Context, pid int, id string) (members []Member, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Total)
	defer cancel()
	type answer struct {
		members []Member
		ok      bool
	}
	a, _ := runBatch(ctx, 1, p.cfg.Total, func(int) answer {
		r := p.newReader()
		defer r.close()
		members, ok := r.census(pid, id)
		return answer{members, ok}
	}).result(0)
	return a.members, a.ok
}

func (r *reader) census(pid int, id string) (out []Member, ok bool) {
	f := r.idFacts(pid, id, "")
	if !f.alive || f.dying || !matches(f.lines, id) || f.group.path == "" {
		return nil, false
	}
	tasks := censusTasks
	for _, pid := range r.members(f.group) {
		s, err := r.readStat(pid)
		if err != nil {
			continue // it has ended
		}
		m := Member{PID: pid, Comm: s.Comm, StartTicks: s.StartTicks,
			Ignored: s.Legacy.Ignored, Caught: s.Legacy.Caught, Busy: busyState(s.State)}
		if s.Threads > 1 && !m.Busy && tasks > 0 {
			n := min(s.Threads, censusThreads, tasks)
			tasks -= n
			m.Busy = r.busyThread(pid, n)
		}
		out = append(out, m)
	}
	return out, true
}

func busyState(state string) bool { return state == "R" || state == "D" }

// busyThread reports whether one of the first n threads is at work.
func (r *reader) busyThread(pid, n int) bool {
	tids, _, _ := numbers(r.p.pidPath(pid, fileTask.name), n)
	for _, tid := range tids {
		if s, err := r.statAt(r.p.pidPath(pid, fileTask.name, strconv.Itoa(tid), fileStat.name)); err == nil && busyState(s.State) {
			return true
		}
	}
	return false
}
