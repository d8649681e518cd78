package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Effects of a signal on a process, as in the JSON contract.
const (
	effectDies      = "dies"
	effectDiscarded = "discarded"
	effectHandler   = "handler-runs"
	effectPending   = "pending"
	effectForwards  = "forwards"
	effectNever     = "never-sent"
	effectCannotDie = "cannot-die"
	effectUnknown   = "unknown"
)

// reaction is what one process does with one signal.
type reaction struct {
	p    *evidence.Process
	sig  int
	disp disposition

	effect string
	note   string // in words, for the process's line and the timeline
	ends   catalog.Ends
	// code is the exit status, 128+n when signal n ends it; nil: not known.
	code *int
	// after is the time from the signal to the end, in seconds; atMost: it may as
	// well end sooner.
	after  float64
	atMost bool
	conf   Confidence
	// why is the rule that explains an end that does not come (or one that is
	// worth a word), "" for the ordinary.
	why string
	// bySignal: the signal's default action ends it, so nothing of it runs.
	bySignal bool
	// tellsNobody: it is known that it passes nothing on to other processes
	// before it ends.
	tellsNobody bool
	// awaited: somebody who was signalled waits for this process's end.
	awaited bool
	// gap names what could be read to settle an unknown end.
	gap string
	// because is the reaction of the process that this one waits for and that
	// decides its end, nil when it decides itself.
	because *reaction
	// better is the signal that the program takes as its end, "" if none.
	better string
	facts  []Evidence
}

// send sends sig to p and follows it through what p is known to do. Reactions
// are kept, so that a process is judged once.
func (s *simulation) send(p *evidence.Process, sig int) *reaction {
	if r, ok := s.reached[p.PID]; ok {
		return r
	}
	r := &reaction{p: p, sig: sig, conf: Certain}
	s.reached[p.PID] = r // before following: process trees may hold cycles when hostile
	r.disp = s.c.dispose(p, sig)
	r.facts = r.disp.facts
	switch {
	case sig == evidence.SIGKILL:
		r.die("dies")
	case sig == evidence.SIGSTOP: // from the host it is forced, even on PID 1
		r.stays(effectPending, "stops it (state T), does not end it", "WS116", Certain)
	case s.held(r):
	case r.disp.kind == byDefault:
		s.takeDefault(r)
	case r.disp.kind == ignored:
		r.stays(effectDiscarded, "ignored", "WS102", r.disp.conf)
	case r.disp.kind == blocked:
		s.takeBlocked(r)
	case r.disp.kind == waited && r.disp.unblocked:
		s.takeUnblockedWait(r)
	case r.disp.kind == notKnown:
		r.open(effectUnknown, "not known", r.disp.gap)
	default:
		r.conf = r.disp.conf
		s.handle(r)
	}
	s.distrustYoung(r)
	return r
}

// simulation follows one signal through one container.
type simulation struct {
	c       *inspection
	sig     int
	timeout float64 // seconds; infinite when there is none
	reached map[int]*reaction
}

func (c *inspection) simulate(sig int, timeout float64) *simulation {
	return &simulation{c: c, sig: sig, timeout: timeout, reached: map[int]*reaction{}}
}

// die: the signal's default action ends the process.
func (r *reaction) die(note string) {
	code := 128 + r.sig
	r.effect, r.note, r.ends, r.code, r.bySignal, r.tellsNobody = effectDies, note, catalog.EndsYes, &code, true, true
}

// stays: the process does not end.
func (r *reaction) stays(effect, note, why string, conf Confidence) {
	r.effect, r.note, r.ends, r.why, r.conf = effect, note, catalog.EndsNo, why, conf
}

// open: whether it ends is not known; gap names what would settle it, "" if
// nothing can before it runs.
func (r *reaction) open(effect, note, gap string) {
	r.effect, r.note, r.ends, r.conf, r.gap = effect, note, catalog.EndsUnknown, Assumed, gap
}

// handled: the process ends by its own code.
func (r *reaction) handled(note string, code int, after float64, conf Confidence) {
	r.effect, r.note, r.ends, r.after = effectHandler, note, catalog.EndsYes, after
	if code >= 0 {
		r.code = &code
	}
	r.conf = worse(r.conf, conf)
}

// takeDefault is for a signal whose action is SIG_DFL.
func (s *simulation) takeDefault(r *reaction) {
	r.conf = r.disp.conf
	if r.p.TracerPID != 0 {
		r.conf = worse(r.conf, Likely) // a tracer may drop or change it
	}
	init := nsInit(r.p)
	switch {
	case doesNothing(r.sig):
		r.stays(effectDiscarded, "does nothing by default", "WS116", r.conf)
	case init && (!r.disp.opens || dumpsCore(r.sig)):
		r.stays(effectDiscarded, "discarded: default action, and PID 1 of a PID namespace", "WS101", r.conf)
		if r.disp.blind {
			s.blindDefault(r)
		}
	case stops(r.sig):
		// The kernel drops it for an orphaned process group.
		r.stays(effectPending, "stops it at most, does not end it", "WS116", Assumed)
	case r.disp.opens && init:
		// complete_signal may begin a group exit, or the open thread fetch it and
		// drop it: on one and the same kernel both were measured.
		r.stays(effectPending, "PID 1 blocks it, and another thread is open to it: it may end it, or be dropped", "WS101", Assumed)
	default:
		r.die("dies")
	}
}

// blindDefault: an unseen sigwait would change everything for a program that is
// not known not to use one.
func (s *simulation) blindDefault(r *reaction) {
	if s.c.program(r.p) != nil && s.c.program(r.p).NeverWaits {
		return
	}
	r.open(effectUnknown, "discarded, unless it waits for it in a way that only root can see", r.disp.gap)
}

// takeBlocked is for a signal that is queued and that nobody is seen to fetch.
func (s *simulation) takeBlocked(r *reaction) {
	why := "WS103"
	for _, fd := range r.p.SignalFDs {
		if fd.Mask.Has(r.sig) {
			why = "WS118"
		}
	}
	if row := s.c.program(r.p); r.disp.finite && row != nil && (row.Fetches || r.p.Signals.Caught.Has(r.sig)) && row.Responses[r.sig].Ends == catalog.EndsYes {
		// It opens its mask between waits (mosquitto), and is known to end then.
		r.conf = Likely
		s.respond(r, row, row.Responses[r.sig])
		return
	}
	if r.disp.conf == Assumed {
		r.open(effectPending, "blocked for now: it stays queued until the program opens its mask", r.disp.gap)
		r.why = why
		return
	}
	r.stays(effectPending, "blocked, and nobody waits for it", why, r.disp.conf)
}

// takeUnblockedWait is for sigwait on a signal that was never blocked: the init
// of a PID namespace loses it before sigwait can see it (sig_ignored looks at
// real_blocked).
func (s *simulation) takeUnblockedWait(r *reaction) {
	switch {
	case r.p.Signals.Caught.Has(r.sig):
		r.conf = Assumed
		s.handle(r)
	case nsInit(r.p) && !r.p.Signals.Ignored.Has(r.sig):
		r.stays(effectDiscarded, "discarded: waited for, but not blocked, and PID 1", "WS117", Certain)
	case r.p.Signals.Ignored.Has(r.sig):
		r.stays(effectDiscarded, "ignored", "WS102", Certain)
	default:
		r.conf = Assumed
		s.handle(r)
	}
}

// held is for processes that cannot take a signal now: stopped, traced, frozen,
// asleep in the kernel.
func (s *simulation) held(r *reaction) bool {
	p := r.p
	queued := p.TracerPID != 0 || r.disp.kind != ignored && !(r.disp.kind == byDefault && nsInit(p) && !r.disp.opens)
	switch {
	case s.c.leaderGone(p):
		r.stays(effectCannotDie, "its leader is a zombie: the runtime takes it for stopped and sends no signal", "WS206", Likely)
		if dying(p) {
			r.note = "is already dying, and a thread of it lives on"
		}
	case dying(p):
		r.stays(effectCannotDie, "is already dying", "WS204", Likely)
		if inZap(p) {
			r.why = "WS205"
		}
	case p.State == "t":
		r.stays(effectPending, fmt.Sprintf("held by its tracer, PID %d", p.TracerPID), "WS203", Likely)
	case !queued: // dropped whatever the process is doing
		return false
	case p.State == "T" && r.sig != evidence.SIGCONT:
		r.stays(effectPending, "stopped: the signal waits until it is continued", "WS202", Certain)
	case s.c.frozenByHand():
		r.stays(effectPending, "frozen: the signal waits until it is thawed", "WS207", Likely)
	case p.State == "D" && !s.c.paused() && sleepsOn(p):
		return s.heldInKernel(r)
	case tracerHangs(p):
		r.stays(effectPending, fmt.Sprintf("its tracer, PID %d, sees every signal first and does not answer", p.TracerPID), "WS203", Likely)
	default:
		return false
	}
	return true
}

// heldInKernel: a handler cannot run before the call returns; the default action
// ends a killable sleep.
func (s *simulation) heldInKernel(r *reaction) bool {
	if len(r.p.Tasks) > 1 {
		return false // another thread may take it
	}
	h := s.c.taskHang(r.p, &r.p.Tasks[0])
	if r.disp.kind == byDefault && h == nil {
		return false
	}
	note := "asleep in the kernel: a handler cannot run before that ends"
	if h == nil {
		r.stays(effectPending, note, "WS208", Likely)
		return true
	}
	r.stays(effectPending, note, h.code, h.conf)
	return true
}

// sleepsOn reports whether a task in D was still there at a second look.
func sleepsOn(p *evidence.Process) bool {
	t := leader(p)
	return t != nil && t.State == "D" && (t.Again == nil || t.Again.State == "D" && !t.Again.Moved)
}

// young is the age below which a program may not yet have set up its signals, in
// seconds; youngBusy is the same for one that computes: an interpreter on a slow
// host starts for seconds.
const (
	young     = 1.0
	youngBusy = 10.0
)

// distrustYoung lowers the confidence in what a process seems not to handle
// while it may still be starting.
func (s *simulation) distrustYoung(r *reaction) {
	age, ok := s.c.age(r.p)
	limit := young
	if t := leader(r.p); t != nil && t.State == "R" {
		limit = youngBusy
	}
	if !ok || age >= limit || r.conf == Assumed || r.disp.kind != byDefault || r.sig == evidence.SIGKILL {
		return
	}
	if row := s.c.program(r.p); row != nil && (row.Quick || row.Kind == catalog.KindTool || row.Kind == catalog.KindShell) {
		return
	}
	r.conf = Assumed
	r.gap = fmt.Sprintf("it started %.1f s ago and may not have set up its signals yet: look again", age)
}

// doesNothing reports whether the default action of a signal is to ignore it.
func doesNothing(sig int) bool {
	return sig == evidence.SIGCHLD || sig == evidence.SIGCONT || sig == evidence.SIGURG || sig == evidence.SIGWINCH
}

// stops reports whether the default action of a signal is to stop the process.
func stops(sig int) bool {
	return sig == evidence.SIGSTOP || sig == evidence.SIGTSTP || sig == evidence.SIGTTIN || sig == evidence.SIGTTOU
}

// dumpsCore reports whether the default action writes a core dump
// (SIG_KERNEL_COREDUMP_MASK, include/linux/signal.h).
func dumpsCore(sig int) bool {
	switch sig {
	case evidence.SIGQUIT, evidence.SIGILL, evidence.SIGTRAP, evidence.SIGABRT, evidence.SIGFPE, evidence.SIGSEGV,
		evidence.SIGBUS, evidence.SIGSYS, evidence.SIGXCPU, evidence.SIGXFSZ:
		return true
	}
	return false
}

// rank orders confidences.
func rank(c Confidence) int {
	switch c {
	case Certain:
		return 2
	case Likely:
		return 1
	}
	return 0
}

// worse is the lower of two confidences.
func worse(a, b Confidence) Confidence {
	if rank(a) < rank(b) {
		return a
	}
	return b
}
