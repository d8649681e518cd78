package probe

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// look is the look at one target. Only its own goroutine touches it: the steps
// get copies and give back values, so that one left behind can do no harm.
type look struct {
	p      *Prober
	parent context.Context
	ctx    context.Context // parent until the deadline of the look
	cancel context.CancelFunc
	t      *evidence.Target
	// hung are the processes one of whose files did not answer: nothing more is
	// read of them.
	hung map[int]bool
	// budget is how many threads may still be looked at.
	budget  int
	began   time.Time
	seen    time.Time // when the first pass over the processes ended
	cgroups []procfs.Cgroup
	group   group // the container's cgroup, zero when not found
	empty   bool  // no process is in it
}

func (p *Prober) newLook(ctx context.Context, t *evidence.Target) *look {
	if t.Processes == nil {
		t.Processes = []evidence.Process{}
	}
	l := &look{p: p, parent: ctx, cancel: func() {}, t: t, hung: map[int]bool{}, began: time.Now(), budget: maxTasksTarget}
	l.allow(0)
	return l
}

// perProcess is what a process may cost on a starved host; it takes 0.1 ms else.
const perProcess = 2 * time.Millisecond

// allow sets the deadline for a target of n processes: it is there to end what
// hangs, not what is many.
func (l *look) allow(n int) {
	l.cancel()
	l.ctx, l.cancel = context.WithDeadline(l.parent, l.began.Add(l.p.cfg.Total+time.Duration(n)*perProcess))
}

// noted is what a step saw and could not see.
type noted[T any] struct {
	value T
	gaps  []evidence.Gap
}

// step wraps the reads of one step with a reader of their own.
func step[T any](p *Prober, work func(r *reader) T) noted[T] {
	r := p.newReader()
	defer r.close()
	v := work(r)
	return noted[T]{v, r.gaps}
}

// each runs one step over several processes, for at most d each, and applies what
// came, in their order. work runs beside the look and must touch nothing of it; apply runs in
// the look. A process that does not answer is given up for good, with a gap for f.
func each[T any](l *look, f file, d time.Duration, pids []int, work func(r *reader, pid int) T, apply func(pid int, v T)) {
	pids = slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return l.hung[pid] })
	p := l.p
	b := runBatch(l.ctx, len(pids), d, func(i int) noted[T] {
		return step(p, func(r *reader) T { return work(r, pids[i]) })
	})
	for i, pid := range pids {
		res, ok := b.result(i)
		if !ok {
			l.hung[pid] = true
			l.gap(evidence.GapTimeout, p.pidPath(pid, f.name), f.matters)
			continue
		}
		addGaps(l.t, res.gaps...)
		apply(pid, res.value)
	}
}

// once runs one step that concerns no single process, for as long as d. false:
// it did not come back.
func once[T any](l *look, d time.Duration, work func(r *reader) T) (v T, ok bool) {
	p := l.p
	res, ok := runBatch(l.ctx, 1, d, func(int) noted[T] { return step(p, work) }).result(0)
	if ok {
		addGaps(l.t, res.gaps...)
	}
	return res.value, ok
}

func (l *look) gap(kind, path, matters string) {
	addGaps(l.t, evidence.Gap{Path: path, Kind: kind, Matters: matters})
}

// process finds a process of the target, nil if it was not seen. They are kept
// in the order of their PIDs.
func (l *look) process(pid int) *evidence.Process {
	i, ok := slices.BinarySearchFunc(l.t.Processes, pid, func(p evidence.Process, pid int) int { return p.PID - pid })
	if !ok {
		return nil
	}
	return &l.t.Processes[i]
}

// see takes the first, harmless pass over processes that were not seen yet.
func (l *look) see(pids []int, how seeing) {
	pids = slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return l.process(pid) != nil })
	l.allow(len(l.t.Processes) + len(pids))
	if len(pids) > crowdSize {
		l.seeCrowd(pids, how)
		return
	}
	l.seeFully(pids, how)
}

// seeFully looks at stat, status, ns/pid and every thread.
func (l *look) seeFully(pids []int, how seeing) {
	var seen []evidence.Process
	budget := &atomic.Int64{} // shared by the steps
	budget.Store(int64(l.budget))
	each(l, fileStatus, l.p.cfg.Total, pids, func(r *reader, pid int) *evidence.Process {
		v := r.readProcess(pid, int(budget.Load()), how.leaderOnly)
		if v != nil {
			budget.Add(-int64(len(v.Tasks)))
		}
		return v
	}, func(_ int, v *evidence.Process) {
		if v != nil {
			v.Outside = how.outside
			seen = append(seen, *v)
		}
	})
	l.budget = int(budget.Load())
	l.add(seen)
	l.seen = time.Now()
}

// add puts processes in their places. Pointers are sorted: a Process is a third of
// a kilobyte, and a crowd has thousands.
func (l *look) add(seen []evidence.Process) {
	order := make([]*evidence.Process, 0, len(l.t.Processes)+len(seen))
	for i := range l.t.Processes {
		order = append(order, &l.t.Processes[i])
	}
	for i := range seen {
		order = append(order, &seen[i])
	}
	slices.SortFunc(order, func(a, b *evidence.Process) int { return a.PID - b.PID })
	sorted := make([]evidence.Process, len(order))
	for i, p := range order {
		sorted[i] = *p
	}
	l.t.Processes = sorted
}

// seeing says how a process belongs to the target.
type seeing struct {
	outside    bool // not in the container's cgroup
	leaderOnly bool // one thread is enough: it is named, not judged
}
