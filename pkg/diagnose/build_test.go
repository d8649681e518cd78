package diagnose

import (
	"time"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// proc is a process for a table test: one sleeping thread, nothing arranged.
type proc struct {
	pid, ppid, ns  int
	argv           []string
	exe            string
	ign, cgt, blk  []int
	call           string
	args           [6]uint64
	state          string
	threads        []evidence.Task
	change         func(*evidence.Process)
	startedSecsAgo float64
	group          int
}

const uptime = 1_000_000

func (q proc) build() evidence.Process {
	blk := evidence.SetOf(q.blk...)
	if q.state == "" {
		q.state = "S"
	}
	if q.startedSecsAgo == 0 {
		q.startedSecsAgo = 100
	}
	t := evidence.Task{TID: q.pid, State: q.state, Blocked: &blk}
	if q.call != "" {
		t.Syscall = &evidence.Syscall{Name: q.call, NR: 1, Args: q.args[:]}
	}
	p := evidence.Process{PID: q.pid, PPID: q.ppid, NSPIDs: []int{q.pid, q.ns}, PGID: q.group, StartTicks: uptime - uint64(q.startedSecsAgo*100),
		Argv: q.argv, Exe: q.exe, Comm: "x", State: q.state, Threads: 1 + len(q.threads),
		Signals: &evidence.Signals{Ignored: evidence.SetOf(q.ign...), Caught: evidence.SetOf(q.cgt...), Queued: -1},
		Tasks:   append([]evidence.Task{t}, q.threads...)}
	if q.ns == 0 {
		p.NSPIDs = []int{q.pid}
	}
	if q.change != nil {
		q.change(&p)
	}
	return p
}

// snapshot is a container of these processes; the first is its init.
func snapshot(procs ...proc) *evidence.Snapshot {
	t := evidence.Target{Asked: "web", Kind: evidence.KindContainer, PID: procs[0].pid,
		Container: &evidence.Container{ID: "0123456789abcdef", Name: "web", Image: "shop", Status: "running", Inspected: true, Source: "docker-api", PID: procs[0].pid},
		Identity:  &evidence.Identity{Alive: true, Here: true}}
	for _, q := range procs {
		t.Processes = append(t.Processes, q.build())
	}
	s := &evidence.Snapshot{Format: evidence.SnapshotFormat, Schema: evidence.SnapshotSchema, TakenAt: time.Unix(1_800_000_000, 0).UTC(),
		Host: evidence.Host{Kernel: "6.1.0", UptimeTicks: uptime, Sources: []string{"docker-api", "proc"}}, Targets: []evidence.Target{t}}
	catalog.Annotate(s)
	return s
}

// thread is another task of a process.
func thread(tid int, call string, blk ...int) evidence.Task {
	set := evidence.SetOf(blk...)
	return evidence.Task{TID: tid, State: "S", Blocked: &set, Syscall: &evidence.Syscall{Name: call, Args: make([]uint64, 6)}}
}

// waiting is a thread in sigwait for the given signals.
func waiting(tid int, signals ...int) evidence.Task {
	t := thread(tid, "rt_sigtimedwait")
	set := evidence.SetOf(signals...)
	t.Awaited = &set
	return t
}

func inspectionOf(s *evidence.Snapshot, opt Options) *inspection {
	return newInspection(&s.Host, &s.Targets[0], opt)
}
