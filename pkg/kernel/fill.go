package kernel

import (
	"cmp"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Bits of signal->flags, include/linux/sched/signal.h.
const (
	signalGroupExit  = 0x4
	signalUnkillable = 0x40
)

// ptTraceExit is PTRACE_O_TRACEEXIT in task->ptrace: the tracer's options from
// PT_OPT_FLAG_SHIFT on (include/linux/ptrace.h).
const ptTraceExit = 0x40 << 3

// nsPerTick: StartTicks are of 1/100 s (USER_HZ on all but Alpha), cut off as
// nsec_to_clock_t() does.
const nsPerTick = 1_000_000_000 / 100

// fill puts what the iterator said into p; nothing when g is nil or when the PID
// belongs to another process by now.
func fill(p *evidence.Process, g *group) {
	if g == nil || len(g.tasks) == 0 {
		return
	}
	one := g.tasks[0] // what the group shares stands in each of its tasks
	if p.StartTicks != 0 && one.startNS/nsPerTick != p.StartTicks {
		return
	}
	slices.SortFunc(g.tasks, byTID)
	p.Kernel = &evidence.Kernel{
		Unkillable:    flag(one, signalUnkillable),
		GroupExit:     flag(one, signalGroupExit),
		SharedPending: evidence.SigSet(one.sharedPending),
		Handlers:      map[string]evidence.Handler{},
	}
	for _, a := range g.actions {
		p.Kernel.Handlers[evidence.SignalName(a.signal)] = evidence.Handler{Address: a.handler, Flags: a.flags}
	}
	for _, t := range g.tasks {
		p.Kernel.Tasks = append(p.Kernel.Tasks, t.evidence())
	}
	for i := range p.Tasks {
		tid := task{tid: uint32(p.Tasks[i].TID)}
		if n, ok := slices.BinarySearchFunc(g.tasks, tid, byTID); ok {
			setAwaited(&p.Tasks[i], g.tasks[n])
		}
	}
}

func byTID(a, b task) int { return cmp.Compare(a.tid, b.tid) }

func flag(t task, bit uint64) *bool {
	set := t.signalFlags&bit != 0
	return &set
}

func (t task) evidence() evidence.KernelTask {
	return evidence.KernelTask{
		TID:         int(t.tid),
		State:       t.state,
		Blocked:     evidence.SigSet(t.blocked),
		RealBlocked: evidence.SigSet(t.realBlocked),
		Pending:     evidence.SigSet(t.pending),
		Blocker:     int(t.blocker),
		HeldAtExit:  t.ptrace&ptTraceExit != 0,
	}
}

// setAwaited tells what a thread asleep in sigtimedwait waits for. Before it
// sleeps, do_sigtimedwait (kernel/signal.c) does, with mask the complement of the
// set asked for,
//
//	tsk->real_blocked = tsk->blocked;
//	sigandsets(&tsk->blocked, &tsk->blocked, &mask);
//
// and puts both back when it wakes. So real_blocked without blocked is awaited and
// was blocked, which is what makes waiting work: sig_ignored() queues a signal
// that is in real_blocked even for PID 1. A signal that is awaited and was never
// blocked is in neither, and cannot be told from one that is not awaited; the
// call's argument in memory has it, so an Awaited that was read there stays.
func setAwaited(t *evidence.Task, k task) {
	awaited := evidence.SigSet(k.realBlocked &^ k.blocked)
	if t.Awaited != nil || awaited == 0 || !mayWait(t) {
		return
	}
	t.Awaited = &awaited
}

// mayWait is false when /proc saw the thread elsewhere: it has moved between the
// two looks. Nothing but do_sigtimedwait sets real_blocked, so that where /proc
// says nothing the iterator is enough.
func mayWait(t *evidence.Task) bool {
	if t.Syscall == nil && t.Wchan == nil {
		return true
	}
	return t.Syscall != nil && t.Syscall.Name == "rt_sigtimedwait" ||
		t.Wchan != nil && strings.HasPrefix(*t.Wchan, "do_sigtimedwait")
}
