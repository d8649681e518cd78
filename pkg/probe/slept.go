package probe

import (
	"bytes"
	"maps"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

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
// the clock of the CPU that the task ran on, less what interrupts and the
// hypervisor took there (kernel/sched/core.c update_rq_clock_task): two CPUs were
// seen half a minute apart. So "now" is the observer's own thread on that CPU,
// for the time of one read. What is told is at most too little.
func (r *reader) slept(pid, tid int) *int {
	data, err := r.read(r.p.taskPath(pid, tid, fileSched.name), firstRead)
	if err != nil {
		return nil // a kernel without CONFIG_SCHED_DEBUG
	}
	then, ok := parseExecStart(data)
	if !ok {
		return nil
	}
	data, err = r.read(r.p.taskPath(pid, tid, fileStat.name), firstRead)
	if err != nil {
		return nil
	}
	cpu, ok := parseCPU(data)
	if !ok {
		return nil
	}
	now, ok := r.clockOf(cpu)
	if !ok || now < then {
		return nil
	}
	ms := int(now - then)
	return &ms
}

// clockOf reads se.exec_start of this thread on a CPU. false: it may not run
// there.
func (r *reader) clockOf(cpu int) (float64, bool) {
	var all, one unix.CPUSet
	runtime.LockOSThread()
	if unix.SchedGetaffinity(0, &all) != nil {
		runtime.UnlockOSThread()
		return 0, false
	}
	one.Set(cpu)
	err := unix.SchedSetaffinity(0, &one)
	var data []byte
	if err == nil {
		data, err = r.read(r.p.cfg.Proc+"/thread-self/"+fileSched.name, firstRead)
	}
	if unix.SchedSetaffinity(0, &all) == nil {
		runtime.UnlockOSThread() // else the thread ends with its goroutine
	}
	if err != nil {
		return 0, false
	}
	return parseExecStart(data)
}

// parseCPU reads field 39 of stat, the CPU that the task last ran on.
func parseCPU(data []byte) (int, bool) {
	const processor = 39 - 3 // the name, field 2, may hold blanks
	i := bytes.LastIndexByte(data, ')')
	f := bytes.Fields(data[i+1:])
	if i < 0 || len(f) <= processor {
		return 0, false
	}
	cpu, err := strconv.Atoi(string(f[processor]))
	return cpu, err == nil && cpu >= 0
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
