package probe

import (
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxAgain bounds the second look; a build with thousands of busy threads needs
// no more to be known as busy.
const maxAgain = 512

// taskID is where a task stands in a look.
type taskID struct {
	process, task int
	pid, tid      int
	vol, invol    uint64
	pipe          bool // it writes to a pipe: how long it has is told at once
}

// secondLook reads the state, the switch counters and the system time of tasks
// that deserve it.
func (r *reader) secondLook(ids []taskID, since time.Time) []*evidence.SecondLook {
	out := make([]*evidence.SecondLook, len(ids))
	for i, id := range ids {
		s := r.taskStatus(id.pid, id.tid)
		if s == nil {
			continue
		}
		st, _ := r.readTaskStat(id.pid, id.tid)
		out[i] = &evidence.SecondLook{
			AfterMillis: int(time.Since(since).Milliseconds()),
			State:       s.State,
			Moved:       s.VolSwitches != id.vol || s.InvolSwitches != id.invol,
			STicks:      st.STime,
		}
		if id.pipe && !out[i].Moved {
			out[i].SleptMillis = r.slept(id.pid, id.tid)
		}
	}
	return out
}

// restlessTasks lists the tasks that deserve the second look.
func restlessTasks(procs []evidence.Process) []taskID {
	var ids []taskID
	for i := range procs {
		for j := range procs[i].Tasks {
			t := &procs[i].Tasks[j]
			// In t: held, or straced and let go on at once. In Z: its tracer may fetch it yet.
			traced := t.State == "t" || t.State == "Z" && procs[i].TracerPID != 0
			if (restless(t) || traced) && len(ids) < maxAgain {
				ids = append(ids, taskID{i, j, procs[i].PID, t.TID, t.VolSwitches, t.InvolSwitches, t.Wchan != nil && writesPipe(*t.Wchan)})
			}
		}
	}
	return ids
}
