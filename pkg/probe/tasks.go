package probe

import (
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Bounds of one look. A container may have any number of threads; each costs
// three or four files.
const (
	maxTasksProcess = 4096
	maxTasksTarget  = 20000
)

// readTasks looks at the given threads of a process, with status and wchan, which
// take no lock. leader is the status of the thread group leader, already read.
func (r *reader) readTasks(p *evidence.Process, leader *status, tids []int) {
	p.Tasks = make([]evidence.Task, 0, len(tids))
	for _, tid := range tids {
		s := leader
		if tid != p.PID {
			if s = r.taskStatus(p.PID, tid); s == nil {
				continue
			}
		}
		t := task(tid, s)
		t.Wchan = r.readWchan(p.PID, tid, s.State)
		if tid == p.PID {
			t.Comm = p.Comm
		}
		p.Tasks = append(p.Tasks, t)
	}
}

// tids lists the threads; the leader alone where the list cannot be read.
// budget is how many the look may still take.
func (r *reader) tids(p *evidence.Process, budget int) []int {
	if p.Threads == 1 {
		return []int{p.PID}
	}
	path := r.p.pidPath(p.PID, fileTask.name)
	tids, more, err := numbers(path, max(1, min(maxTasksProcess, budget)))
	if err != nil {
		r.miss(fileTask, p.PID, path, err)
	}
	if more {
		r.gaps = append(r.gaps, evidence.Gap{Path: path, Kind: evidence.GapSkipped, Matters: "the process has more threads than are looked at"})
	}
	if len(tids) == 0 {
		return []int{p.PID}
	}
	return tids
}

// taskStatus is the status of one thread, nil when it ended meanwhile: threads
// come and go, and one that is gone settles nothing.
func (r *reader) taskStatus(pid, tid int) *status {
	path := r.p.taskPath(pid, tid, "status")
	data, err := r.record(path, maxRead)
	if err != nil {
		if kind := gapKind(err, func() bool { return false }); kind != evidence.GapGone {
			r.miss(fileStatus, pid, path, err)
		}
		return nil
	}
	s, err := parseStatus(data)
	if err != nil {
		r.miss(fileStatus, pid, path, err)
	}
	return &s
}

func task(tid int, s *status) evidence.Task {
	return evidence.Task{
		TID: tid, Comm: s.Name, State: s.State,
		Blocked: s.SigBlk, Pending: s.SigPnd,
		VolSwitches: s.VolSwitches, InvolSwitches: s.InvolSwitches,
	}
}

// readWchan is the kernel function of one task, nil when the kernel would not say.
func (r *reader) readWchan(pid, tid int, state string) *string {
	path := r.p.taskPath(pid, tid, "wchan")
	data, err := r.record(path, 256)
	if err != nil {
		r.miss(fileWchan, pid, path, err)
		return nil
	}
	return parseWchan(data, state)
}
