package probe

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// passSlept tells for how long each of the given tasks has not run. A wait of a
// moment, which a slow server or disk causes, looks like one for ever but for
// this.
func (l *look) passSlept(tasks map[int][]evidence.Task) {
	pids := slices.Sorted(maps.Keys(tasks))
	each(l, fileSched, l.p.cfg.Total, pids, func(r *reader, pid int) map[int]*int {
		out := map[int]*int{}
		for _, t := range tasks[pid] {
			out[t.TID] = r.slept(pid, t.TID)
		}
		return out
	}, func(pid int, slept map[int]*int) {
		p := l.process(pid)
		for i := range p.Tasks {
			if t := &p.Tasks[i]; t.Again != nil && slept[t.TID] != nil {
				t.Again.SleptMillis = slept[t.TID]
			}
		}
	})
}

// slept is the time since a task last ran, in milliseconds. se.exec_start is of
// the scheduler's clock, which no other file has: the observer's own thread,
// which runs at the moment, is the "now" to compare with.
func (r *reader) slept(pid, tid int) *int {
	data, err := r.read(r.p.taskPath(pid, tid, fileSched.name), firstRead)
	if err != nil {
		return nil // a kernel without CONFIG_SCHED_DEBUG
	}
	then, ok := parseExecStart(data)
	if !ok {
		return nil
	}
	data, err = r.read(r.p.cfg.Proc+"/thread-self/"+fileSched.name, firstRead)
	if err != nil {
		return nil
	}
	now, ok := parseExecStart(data)
	if !ok || now < then {
		return nil
	}
	ms := int(now - then)
	return &ms
}

// parseExecStart reads se.exec_start of /proc/PID/sched (kernel/sched/debug.c
// proc_sched_show_task): milliseconds with six decimals.
func parseExecStart(data []byte) (float64, bool) {
	for line := range bytes.Lines(data) {
		key, value, ok := bytes.Cut(line, []byte{':'})
		if ok && string(bytes.TrimSpace(key)) == "se.exec_start" {
			f, err := strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
			return f, err == nil && f > 0 && f < 1e15
		}
	}
	return 0, false
}
