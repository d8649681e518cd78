package stop

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
)

// signals are those to follow: what may be asked for, what programs pass on, and
// what ends them.
func (o *Options) signals(runs []*run) []int {
	set := evidence.SetOf(evidence.SIGHUP, evidence.SIGINT, evidence.SIGQUIT, evidence.SIGABRT, evidence.SIGKILL,
		evidence.SIGUSR1, evidence.SIGSEGV, evidence.SIGUSR2, evidence.SIGTERM, evidence.SIGWINCH)
	for _, r := range runs {
		set = set.With(r.firstSignal())
	}
	for _, l := range o.Chain {
		set = set.With(l.Signal)
	}
	return set.Signals()
}

// signal takes in one event of the trace.
func (r *run) signal(e kernel.SignalEvent) {
	at := e.At.Sub(r.sent).Seconds()
	if at < 0 {
		return
	}
	r.facts.asked = true
	if e.Delivered {
		r.taken(at, e)
		return
	}
	r.facts.first(at)
	sig := evidence.SignalName(e.Signal)
	r.noteAt(at, e.Target, fmt.Sprintf("%s to %s, %s: %s", sig, r.title(e.Target), r.sender(e), r.result(e)), fromTrace)
}

// sender is who sent it: with Docker a runc that lives for this one signal.
func (r *run) sender(e kernel.SignalEvent) string {
	who := fmt.Sprintf("%s (PID %d)", e.Comm, e.PID)
	if e.Comm == "<...>" {
		who = fmt.Sprintf("PID %d", e.PID) // the kernel has not kept its name
	}
	if e.Code == kernel.SignalFromKernel {
		return "by the kernel, as " + r.nameOf(e.PID, who) + " ends"
	}
	return "from " + r.nameOf(e.PID, who)
}

func (r *run) nameOf(pid int, other string) string {
	if r.process(pid) == nil {
		return other
	}
	return r.title(pid)
}

// result is what the kernel did with a signal that was sent, in its own number.
func (r *run) result(e kernel.SignalEvent) string {
	switch e.Result {
	case kernel.SignalQueued:
		if e.Signal == evidence.SIGKILL {
			r.facts.dying[r.groupOf(e.Target)] = true
		}
		return "queued"
	case kernel.SignalPending:
		return "one waits already (res=2)"
	case kernel.SignalDiscarded:
		return "discarded (res=1)" + r.whyDiscarded(e)
	}
	return fmt.Sprintf("lost (res=%d)", e.Result)
}

// whyDiscarded is the rule behind it (kernel/signal.c sig_ignored, prepare_signal).
func (r *run) whyDiscarded(e kernel.SignalEvent) string {
	p := r.process(r.groupOf(e.Target))
	if p == nil || p.Signals == nil {
		return ""
	}
	_, dead := r.facts.deadOf[p.PID]
	switch {
	case dead || r.facts.dying[p.PID] || e.Signal == evidence.SIGKILL:
		// From outside SIGKILL is discarded for no other reason.
		return ", SIGKILL has been sent already"
	case p.Signals.Ignored.Has(e.Signal):
		return ", it ignores the signal"
	case p.NSPID() == 1 && !p.Signals.Caught.Has(e.Signal):
		return ", PID 1 with no handler"
	}
	return ""
}

// taken notes that a thread takes a signal. An end by SIGKILL is told by its end.
func (r *run) taken(at float64, e kernel.SignalEvent) {
	if e.Signal == evidence.SIGKILL {
		r.facts.dying[r.groupOf(e.PID)] = true
		return
	}
	pid := r.groupOf(e.PID)
	text := fmt.Sprintf("%s takes %s: ", r.title(pid), evidence.SignalName(e.Signal))
	switch e.Handler {
	case 0:
		text += "default action"
		if p := r.process(pid); p != nil && p.NSPID() == 1 {
			text += ", which PID 1 does not take: nothing happens"
		}
	case 1:
		text += "ignored"
	default:
		r.facts.delivered[pid] = true
		text += "its handler begins" + r.handler(pid, e)
	}
	r.noteAt(at, pid, text, fromTrace)
}

// handler names the handler, as far as the look has learned its name.
func (r *run) handler(pid int, e kernel.SignalEvent) string {
	if p := r.process(pid); p != nil && p.Kernel != nil {
		if h := p.Kernel.Handlers[evidence.SignalName(e.Signal)]; h.Address == e.Handler && h.Symbol != "" {
			return fmt.Sprintf(" (%s, %#x)", h.Symbol, e.Handler)
		}
	}
	return fmt.Sprintf(" (%#x)", e.Handler)
}

func (r *run) process(pid int) *evidence.Process {
	for i := range r.t.Processes {
		if r.t.Processes[i].PID == pid {
			return &r.t.Processes[i]
		}
	}
	return nil
}

// groupOf is the process that a thread belongs to.
func (r *run) groupOf(tid int) int {
	for i := range r.t.Processes {
		p := &r.t.Processes[i]
		for j := range p.Tasks {
			if p.Tasks[j].TID == tid {
				return p.PID
			}
		}
	}
	return tid
}
