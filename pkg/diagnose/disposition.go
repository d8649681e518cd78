package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// kind is what a process has arranged for a signal.
type kind string

const (
	byDefault kind = "default"
	ignored   kind = "ignored"
	caught    kind = "caught"
	blocked   kind = "blocked"
	waited    kind = "waited"
	signalFD  kind = "signalfd"
	notKnown  kind = "unknown"
)

// disposition is what the kernel will do when a signal is sent to a process, and
// on which evidence.
type disposition struct {
	kind kind
	conf Confidence
	// opens: another thread than the leader is open to the signal while the
	// leader blocks it, so that it is queued even for the init of a PID namespace.
	opens bool
	// unblocked: sigwait on a signal that was never blocked.
	unblocked bool
	// finite: it is blocked, but the waits of the process end by themselves, so it
	// may be opened later.
	finite bool
	// blind: what the leader sleeps in could not be read, so a sigwait would not
	// have been seen.
	blind bool
	facts []Evidence
	// gap names what would settle it, "" when nothing is missing.
	gap string
}

// dispose follows the kernel's own order: sig_ignored() looks at the leader's
// blocked and real_blocked sets and at the action; complete_signal() then picks
// any thread that does not block the signal (kernel/signal.c).
func (c *inspection) dispose(p *evidence.Process, sig int) disposition {
	if p.Signals == nil {
		return disposition{kind: notKnown, conf: Assumed, gap: fmt.Sprintf("/proc/%d/status has no signal lines", p.PID)}
	}
	if p.Brief {
		return disposeBrief(p, sig)
	}
	lead := leader(p)
	leadBlocks := blocks(lead, sig)
	if row := c.program(p); row != nil && row.Fetches && (!seen(p) || running(lead)) && !p.Signals.Caught.Has(sig) && !p.Signals.Ignored.Has(sig) {
		return disposition{kind: waited, conf: Likely, gap: fmt.Sprintf("/proc/%d/syscall", p.PID),
			facts: []Evidence{maskFact(p, "SigIgn", p.Signals.Ignored, sig, "fetched by "+row.ID+", by its name and masks")}}
	}
	if lead != nil && awaits(p, lead, sig) != no {
		return c.disposeWaiting(p, lead, sig)
	}
	if !leadBlocks {
		return c.disposeOpen(p, sig)
	}
	return c.disposeBlocked(p, sig)
}

// disposeOpen is for a leader that does not block the signal: its action counts.
func (c *inspection) disposeOpen(p *evidence.Process, sig int) disposition {
	lead := leader(p)
	d := disposition{kind: byDefault, conf: Certain, blind: c.blind(p)}
	if !seen(p) || running(lead) {
		// Not the kernel but the program's name says that it is not in sigwait; one
		// that runs may be between two of them.
		d.conf = Likely
	}
	switch {
	case p.Signals.Ignored.Has(sig):
		d.kind = ignored
		d.facts = append(d.facts, maskFact(p, "SigIgn", p.Signals.Ignored, sig, "ignored"))
	case p.Signals.Caught.Has(sig):
		d.kind = caught
		d.facts = append(d.facts, maskFact(p, "SigCgt", p.Signals.Caught, sig, "caught"))
	default:
		d.facts = append(d.facts, maskFact(p, "SigCgt", p.Signals.Caught, sig, "not caught"))
	}
	if d.blind && d.kind != caught {
		d.gap = fmt.Sprintf("/proc/%d/syscall", p.PID)
	}
	return d
}

// disposeWaiting is for a leader asleep in sigtimedwait with the signal in its
// set (or with a set that could not be read).
func (c *inspection) disposeWaiting(p *evidence.Process, lead *evidence.Task, sig int) disposition {
	d := disposition{kind: waited, conf: Certain}
	d.facts = append(d.facts, waitFact(p, lead, sig))
	switch awaits(p, lead, sig) {
	case perhaps:
		d.conf = Likely
		if c.programID(p) == "" {
			d.kind, d.conf = notKnown, Assumed
			d.gap = fmt.Sprintf("/proc/%d/mem at the call's argument", p.PID)
		}
		return d
	case never:
		d.unblocked = true
		return d
	}
	if kernelTask(p, lead.TID) == nil && c.programID(p) == "" {
		// Whether it had been blocked before stands in no file of /proc.
		d.conf = Assumed
		d.gap = "real_blocked, which the BPF iterator reads"
	} else if kernelTask(p, lead.TID) == nil {
		d.conf = Likely
	}
	return d
}

// disposeBlocked is for a leader that blocks the signal: it is queued whatever
// its action, and the first thread that is open, waits or reads a signalfd takes
// it.
func (c *inspection) disposeBlocked(p *evidence.Process, sig int) disposition {
	blockFact := maskFact(p, "SigBlk", *leader(p).Blocked, sig, "blocked")
	if t := openThread(p, sig); t != nil {
		d := disposition{kind: byDefault, conf: Certain, opens: true, facts: []Evidence{blockFact, openFact(p, t, sig)}}
		switch {
		case p.Signals.Ignored.Has(sig):
			d.kind = ignored
		case p.Signals.Caught.Has(sig):
			d.kind = caught
		}
		return d
	}
	if t := waitingThread(p, sig); t != nil {
		d := c.disposeWaiting(p, t, sig)
		d.unblocked = false // the leader blocks it, so it is queued for sure
		if d.kind == waited && awaits(p, t, sig) != perhaps {
			d.conf = Certain
		}
		return d
	}
	if d, ok := c.disposeSignalFD(p, sig, blockFact); ok {
		return d
	}
	d := disposition{kind: blocked, conf: Certain, facts: []Evidence{blockFact}}
	d.finite, d.blind = finiteWaits(p), !seen(p)
	switch {
	case d.finite:
		d.conf = Assumed
	case d.blind:
		d.conf = Assumed
		d.gap = fmt.Sprintf("/proc/%d/task/*/syscall and fdinfo", p.PID)
	default:
		d.conf = Likely
	}
	return d
}

// disposeSignalFD looks for a signalfd that takes the signal and is waited on.
func (c *inspection) disposeSignalFD(p *evidence.Process, sig int, fact Evidence) (disposition, bool) {
	unread := false
	for _, fd := range p.SignalFDs {
		if !fd.Mask.Has(sig) {
			continue
		}
		says := "a signalfd takes " + evidence.SignalName(sig)
		if fd.Watched != nil && !*fd.Watched {
			unread = true
			continue
		}
		d := disposition{kind: signalFD, conf: Certain}
		if fd.Watched == nil {
			d.conf = Likely
		} else {
			says += ", watched by " + fd.How
		}
		d.facts = []Evidence{fact, {Source: fmt.Sprintf("/proc/%d/fdinfo/%d", p.PID, fd.FD), Field: "sigmask", Value: fd.Mask.String(), Says: says}}
		return d, true
	}
	if !unread {
		return disposition{}, false
	}
	d := disposition{kind: blocked, conf: Likely, finite: finiteWaits(p)}
	if d.finite {
		d.conf = Assumed
	}
	d.facts = []Evidence{fact, {Source: fmt.Sprintf("/proc/%d/fdinfo", p.PID), Field: "sigmask", Value: evidence.SignalName(sig), Says: "a signalfd has it, but nobody waits on that descriptor"}}
	return d, true
}

// blind reports whether the leader may sleep in a sigwait that could not be seen:
// nothing said what it sleeps in, and the program is not known never to do that.
func (c *inspection) blind(p *evidence.Process) bool {
	if seen(p) {
		return false
	}
	row := c.program(p)
	return row == nil || !row.NeverWaits
}

// seen reports whether something says what the leader sleeps in. A task that
// does not sleep is not in sigwait.
func seen(p *evidence.Process) bool {
	lead := leader(p)
	switch {
	case lead == nil:
		return false
	case lead.Syscall != nil, lead.Wchan != nil && *lead.Wchan != "", kernelTask(p, lead.TID) != nil:
		return true
	}
	return lead.State != "S" && lead.State != "R"
}

// running reports whether a task was on its way at the look, so that what it
// otherwise sleeps in was not seen.
func running(t *evidence.Task) bool {
	return t != nil && (t.State == "R" || t.Syscall != nil && t.Syscall.Running)
}

// leader is the task whose TID is the PID, nil when it was not read.
func leader(p *evidence.Process) *evidence.Task {
	for i := range p.Tasks {
		if p.Tasks[i].TID == p.PID {
			return &p.Tasks[i]
		}
	}
	return nil
}

func blocks(t *evidence.Task, sig int) bool {
	return t != nil && t.Blocked != nil && t.Blocked.Has(sig)
}

// living reports whether a task can still take a signal.
func living(t *evidence.Task) bool { return t.State != "Z" && t.State != "X" }

// openThread is a living thread other than the leader that does not block sig
// and is not in sigwait for it.
func openThread(p *evidence.Process, sig int) *evidence.Task {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if t.TID != p.PID && living(t) && t.Blocked != nil && !t.Blocked.Has(sig) && awaits(p, t, sig) == no {
			return t
		}
	}
	return nil
}

// waitingThread is a thread in sigwait that (surely or perhaps) waits for sig.
func waitingThread(p *evidence.Process, sig int) *evidence.Task {
	var maybe *evidence.Task
	for i := range p.Tasks {
		switch awaits(p, &p.Tasks[i], sig) {
		case yes, never:
			return &p.Tasks[i]
		case perhaps:
			maybe = &p.Tasks[i]
		}
	}
	return maybe
}

// answer of awaits.
type answer int

const (
	no answer = iota
	yes
	perhaps // it sleeps in sigtimedwait, and its set is not known
	never   // it waits for it without having blocked it (the kernel says so)
)

// awaits reports whether t sleeps in sigtimedwait for sig.
func awaits(p *evidence.Process, t *evidence.Task, sig int) answer {
	if !inSigwait(t) {
		return no
	}
	if t.Awaited == nil {
		return perhaps
	}
	if !t.Awaited.Has(sig) {
		return no
	}
	// do_sigtimedwait saves blocked in real_blocked before it opens the awaited
	// signals: one that is in neither was never blocked.
	if k := kernelTask(p, t.TID); k != nil && !k.RealBlocked.Has(sig) && !k.Blocked.Has(sig) {
		return never
	}
	return yes
}

func inSigwait(t *evidence.Task) bool {
	if t.State != "S" {
		return false
	}
	if t.Syscall != nil && !t.Syscall.Running {
		return t.Syscall.Name == "rt_sigtimedwait"
	}
	return t.Wchan != nil && catalog.TrimSuffix(*t.Wchan) == "do_sigtimedwait"
}

func kernelTask(p *evidence.Process, tid int) *evidence.KernelTask {
	if p.Kernel == nil {
		return nil
	}
	for i := range p.Kernel.Tasks {
		if p.Kernel.Tasks[i].TID == tid {
			return &p.Kernel.Tasks[i]
		}
	}
	return nil
}

// finiteWaits reports whether some thread's wait ends by itself, so that the
// program may open its mask later (mosquitto does, between waits).
func finiteWaits(p *evidence.Process) bool {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if !living(t) {
			continue
		}
		if t.Syscall == nil || t.Syscall.Running || len(t.Syscall.Args) < 6 {
			if t.Syscall == nil {
				continue // blind() speaks of this
			}
			return true
		}
		if finite(t.Syscall) {
			return true
		}
	}
	return false
}

// finite reports whether a system call has a time limit, by its arguments.
func finite(s *evidence.Syscall) bool {
	negative := func(v uint64) bool { return int32(v) < 0 }
	switch s.Name {
	case "nanosleep", "clock_nanosleep":
		return true
	case "epoll_wait", "epoll_pwait":
		return !negative(s.Args[3])
	case "poll":
		return !negative(s.Args[2])
	case "ppoll":
		return s.Args[2] != 0
	case "select", "pselect6":
		return s.Args[4] != 0
	case "epoll_pwait2", "futex":
		return s.Args[3] != 0
	case "rt_sigtimedwait":
		return s.Args[2] != 0
	case "restart_syscall":
		return true // only calls with a time limit are restarted this way
	}
	return false
}

func maskFact(p *evidence.Process, field string, set evidence.SigSet, sig int, word string) Evidence {
	return Evidence{Source: fmt.Sprintf("/proc/%d/status", p.PID), Field: field, Value: set.String(), Says: evidence.SignalName(sig) + " " + word}
}

func openFact(p *evidence.Process, t *evidence.Task, sig int) Evidence {
	return Evidence{Source: fmt.Sprintf("/proc/%d/task/%d/status", p.PID, t.TID), Field: "SigBlk", Value: t.Blocked.String(), Says: "this thread does not block " + evidence.SignalName(sig)}
}

func waitFact(p *evidence.Process, t *evidence.Task, sig int) Evidence {
	e := Evidence{Source: fmt.Sprintf("/proc/%d/task/%d/syscall", p.PID, t.TID), Field: "rt_sigtimedwait", Value: "set not read", Says: "it waits for signals"}
	if t.Awaited != nil {
		e.Value = t.Awaited.String()
		e.Says = "it waits for " + evidence.SignalName(sig) + " among " + setName(*t.Awaited)
	}
	return e
}

// setName names a set of signals shortly.
func setName(s evidence.SigSet) string {
	list := s.Signals()
	if len(list) > 4 {
		return fmt.Sprintf("%d signals", len(list))
	}
	var names []string
	for _, n := range list {
		names = append(names, evidence.SignalName(n))
	}
	return strings.Join(names, ", ")
}
