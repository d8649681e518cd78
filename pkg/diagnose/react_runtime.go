package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

const saResetHand = 0x80000000 // SA_RESETHAND

// node: the runtime catches TERM and INT itself, with a handler that restores the
// default action and raises the signal again. PID 1 survives that.
func (s *simulation) node(r *reaction) {
	own, conf := nodeOwn(r.p, r.sig)
	switch {
	case r.sig == evidence.SIGUSR1 && own != no:
		r.stays(effectHandler, "node starts its inspector and goes on", "WS110", Likely)
	case own == no:
		s.unknownHandler(r)
		r.note = "node: JavaScript has a handler, which runs; whether it exits cannot be seen before"
	case own == perhaps:
		r.open(effectUnknown, "node: its own handler (which cannot end PID 1) or one of JavaScript: not known", fmt.Sprintf("/proc/%d/mem or the BPF iterator", r.p.PID))
		r.why = "WS109"
	case nsInit(r.p):
		r.stays(effectHandler, "node's own handler raises it again, and PID 1 drops that", "WS109", conf)
	default:
		r.die("node's own handler raises it again: dies")
		r.tellsNobody, r.conf = true, worse(r.conf, Likely)
	}
}

// nodeOwn reports whether the handler is node's own: the kernel's SA_RESETHAND
// says so for certain, libuv's tree of handles nearly so.
func nodeOwn(p *evidence.Process, sig int) (answer, Confidence) {
	if p.Kernel != nil {
		if h, ok := p.Kernel.Handlers[evidence.SignalName(sig)]; ok {
			if h.Flags&saResetHand != 0 {
				return yes, Certain
			}
			return no, Certain
		}
	}
	if p.Inside == nil || p.Inside.Node == nil || p.Inside.Node.UserHandlers == nil {
		return perhaps, Assumed
	}
	if slices.Contains(p.Inside.Node.UserHandlers, sig) {
		return no, Likely
	}
	return yes, Likely
}

// php: the engine (zend_signal) catches TERM for itself without any handler of
// the script, and PID 1 survives that.
func (s *simulation) php(r *reaction) {
	if r.p.Inside == nil || r.p.Inside.PHP == nil {
		r.open(effectUnknown, "php: the engine's own handler (which cannot end PID 1) or one of the script: not known", fmt.Sprintf("/proc/%d/mem", r.p.PID))
		r.why = "WS112"
		return
	}
	if slices.Contains(r.p.Inside.PHP.UserHandlers, r.sig) {
		s.unknownHandler(r)
		r.note = "php: the script has a handler; it runs when the script lets it (ticks or async signals)"
		return
	}
	if nsInit(r.p) {
		conf := Likely
		switch call(r.p) {
		case "nanosleep", "clock_nanosleep", "read", "select", "pselect6", "poll", "ppoll":
			conf = Assumed // the interrupted call returns early, and the script goes on from there
		}
		r.stays(effectHandler, "php's own handler raises it again, and PID 1 drops that", "WS112", conf)
		return
	}
	r.die("php's own handler raises it again: dies")
	r.conf = worse(r.conf, Likely)
}

// ruby raises SignalException: `ensure` blocks run and the program ends, unless
// the script has a trap, which cannot be seen.
func (s *simulation) ruby(r *reaction) {
	s.unknownHandler(r)
	r.note = "ruby raises SignalException: it ends, unless the script traps the signal"
	if nsInit(r.p) {
		r.setCode(1)
	} else {
		r.setCode(128 + r.sig)
	}
}

// goRuntime judges a Go program whose code did not ask for the signal; false for
// other programs and where the program may have asked.
func (s *simulation) goRuntime(r *reaction) bool {
	if !isGo(r.p) || r.disp.kind != caught {
		return false
	}
	if asked, known := goAsked(r.p, r.sig); !known || asked {
		return false
	}
	switch r.sig {
	case evidence.SIGHUP, evidence.SIGINT, evidence.SIGTERM:
		if !nsInit(r.p) {
			r.die("the Go runtime ends it: no signal.Notify for this signal")
			r.conf, r.why = Likely, "WS119"
			return true
		}
		r.handled("the Go runtime ends it with status 2: no signal.Notify for this signal", 2, 0, Likely)
	case evidence.SIGQUIT, evidence.SIGABRT, evidence.SIGILL, evidence.SIGTRAP, evidence.SIGSYS, evidence.SIGXCPU, evidence.SIGXFSZ:
		r.handled("the Go runtime prints every goroutine and exits with status 2", 2, 0, Likely)
	default:
		r.stays(effectDiscarded, "the Go runtime drops it: no signal.Notify for this signal", "WS110", Likely)
		r.better = "SIGTERM"
		return true
	}
	r.effect, r.why, r.tellsNobody = effectDies, "WS119", true
	return true
}

// isGo tells a Go program by its build information, or by the handlers that only
// the Go runtime installs all of.
func isGo(p *evidence.Process) bool {
	if p.Inside != nil && p.Inside.Go != nil {
		return true
	}
	if p.Signals == nil || p.Brief || p.Program.ID == "dumb-init" { // a Go program has more than one thread
		return false
	}
	taken := p.Signals.Caught | p.Signals.Ignored
	return taken&catalog.GoCaught == catalog.GoCaught
}

// goAsked reports whether the program asked for sig by signal.Notify. Without
// symbols, the thread of os/signal tells that Notify is in use for something:
// it blocks TSTP and WINCH, among others.
func goAsked(p *evidence.Process, sig int) (asked, known bool) {
	if p.Inside != nil && p.Inside.Go != nil && p.Inside.Go.Wanted != nil {
		return p.Inside.Go.Wanted.Has(sig), true
	}
	if p.Signals.Caught.Has(evidence.SIGTSTP) {
		return true, false // Notify for all, or for TSTP as well
	}
	for i := range p.Tasks {
		b := p.Tasks[i].Blocked
		if b == nil {
			return false, false
		}
		if !b.Has(evidence.SIGTSTP) {
			continue
		}
		if blockable(sig) {
			// The os/signal thread unblocks just what was asked for.
			return !b.Has(sig), true
		}
		return false, false
	}
	if len(p.Tasks) < p.Threads {
		return false, false
	}
	return false, true
}

// blockable reports whether the os/signal thread's mask tells of this signal:
// the runtime never blocks those that end or break a program.
func blockable(sig int) bool {
	switch sig {
	case evidence.SIGUSR1, evidence.SIGUSR2, evidence.SIGWINCH:
		return true
	}
	return false
}
