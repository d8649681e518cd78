package diagnose

import (
	"fmt"
	"strconv"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// doing is what a shell does at the moment, as far as a trap cares.
type doing int

const (
	doingUnknown    doing = iota
	doingForeground       // waits for a foreground child: a trap waits with it
	doingWait             // the wait builtin: a trap runs at once
	doingRead             // reads its input: a trap runs at once
	doingSubst            // reads a command substitution: a trap waits
	doingRun              // runs commands of its own: a trap runs between two
)

// shell is for a shell that has a handler for the signal: a trap of the script,
// or the shell's own.
func (s *simulation) shell(r *reaction, row *catalog.Program) {
	r.tellsNobody = false
	if row.ID == "bash" && s.bashExitTrap(r) {
		return
	}
	if own := s.ownHandler(r, row); own {
		return
	}
	what, conf := s.c.doing(r.p, row)
	r.facts = append(r.facts, s.c.doingFact(r.p, what)...)
	switch what {
	case doingForeground, doingSubst:
		s.deferred(r, conf)
	case doingUnknown:
		r.open(effectHandler, "has a trap: it runs at once in `wait`, but only later behind a foreground child", "")
		r.why = "WS111"
	default:
		s.trapRuns(r, 0, conf)
	}
}

// bashExitTrap: with a trap on EXIT and none on the signal, bash catches every
// deadly signal itself, runs the EXIT trap at once and leaves, foreground child
// or not (measured: 143).
func (s *simulation) bashExitTrap(r *reaction) bool {
	deadly := evidence.SetOf(evidence.SIGILL, evidence.SIGBUS, evidence.SIGSEGV, evidence.SIGUSR1, evidence.SIGUSR2, evidence.SIGALRM)
	if r.p.Signals.Caught&deadly != deadly || r.p.Signals.Ignored.Has(evidence.SIGTERM) && r.sig == evidence.SIGTERM {
		return false
	}
	conf := Likely
	if b := bashInside(r.p); b != nil {
		if _, own := b.Traps[evidence.SignalName(r.sig)]; own {
			return false
		}
		if t, ok := b.Traps["EXIT"]; ok && !t.Exits && !t.Plain {
			conf = Assumed
		}
	}
	r.handled("bash runs its EXIT trap at once and leaves", 128+r.sig, 0, conf)
	return true
}

// ownHandler is for shells that catch the signal without any trap.
func (s *simulation) ownHandler(r *reaction, row *catalog.Program) bool {
	switch {
	case row.ID == "mksh" && r.sig != evidence.SIGUSR1 && r.sig != evidence.SIGUSR2:
		// mksh catches TERM, INT, QUIT and HUP in any case; whether a trap is set
		// cannot be seen. Behind a foreground child nothing happens either way.
		what, conf := s.c.doing(r.p, row)
		if what == doingForeground && nsInit(r.p) {
			s.deferred(r, worse(conf, Likely))
		} else {
			r.open(effectHandler, "mksh has a handler of its own; whether a trap is set cannot be seen", "")
			r.why = "WS111"
		}
		return true
	case r.sig == evidence.SIGINT && bashTrap(r.p, r.sig) == nil && nsInit(r.p):
		// dash, ash and bash catch INT while they wait, to end a loop when the
		// child dies of it; the signal goes to the shell alone here.
		if what, _ := s.c.doing(r.p, row); what == doingForeground {
			r.stays(effectHandler, "the shell's own handler waits for the foreground child, which never gets the signal", "WS104", Likely)
			return true
		}
	}
	return false
}

// deferred: a trap is held back until the foreground child ends.
func (s *simulation) deferred(r *reaction, conf Confidence) {
	child := s.c.foreground(r.p)
	if child == nil {
		s.trapRuns(r, 0, Assumed)
		return
	}
	if left, ok := s.c.sleepLeft(child); ok && left <= s.timeout {
		s.trapRuns(r, left, conf)
		return
	}
	if !s.c.lasts(child, r.p) {
		conf = Assumed
	}
	r.stays(effectPending, fmt.Sprintf("its trap is held back until %s, in the foreground, ends", name(child)), "WS105", conf)
}

// foreground is the child that a shell waits for: the youngest that was not
// surely started with `&`, nil when it has no child.
func (c *inspection) foreground(p *evidence.Process) *evidence.Process {
	kids := c.children[p.PID]
	for i := len(kids) - 1; i >= 0; i-- {
		if background(p, kids[i]) != yes {
			return kids[i]
		}
	}
	if len(kids) > 0 {
		return kids[len(kids)-1]
	}
	return nil
}

// trapRuns: the trap runs after `wait` seconds, and its text decides, where it
// could be read.
func (s *simulation) trapRuns(r *reaction, wait float64, conf Confidence) {
	t := bashTrap(r.p, r.sig)
	if t == nil || t.Ignored || t.Truncated || !t.Exits {
		r.open(effectHandler, "its trap runs; whether it ends the shell cannot be seen before", "")
		r.why, r.after = "WS111", wait
		return
	}
	r.handled("its trap runs and exits", -1, wait, worse(conf, Likely))
	r.code = t.Code
	r.tellsNobody = !t.Forwards
	if !t.Waits {
		return
	}
	for _, k := range s.c.children[r.p.PID] {
		q := s.childOfTrap(k, r, t)
		r.after = max(r.after, q.after)
		if q.ends != catalog.EndsYes {
			r.ends, r.why, r.conf = catalog.EndsUnknown, "WS111", Assumed
		}
		r.conf = worse(r.conf, q.conf)
	}
}

// childOfTrap is what a child does when the trap kills and waits for it. A trap
// that only waits gets no end from its children.
func (s *simulation) childOfTrap(k *evidence.Process, r *reaction, t *evidence.Trap) *reaction {
	if !t.Forwards {
		return &reaction{p: k, ends: catalog.EndsUnknown, conf: Assumed}
	}
	q := s.send(k, r.sig)
	q.awaited = true
	// Which children the text really names cannot be told.
	q.conf = worse(q.conf, Likely)
	return q
}

// doing finds what a shell does from its leader's system call and its children.
func (c *inspection) doing(p *evidence.Process, row *catalog.Program) (doing, Confidence) {
	if b := bashInside(p); b != nil && b.Waiting != nil {
		if *b.Waiting {
			return doingWait, Likely
		}
		if call(p) == "wait4" || call(p) == "waitid" {
			return doingForeground, Likely
		}
	}
	if b := bashInside(p); b != nil && b.Reading != nil {
		return map[bool]doing{true: doingRead, false: doingSubst}[*b.Reading], Likely
	}
	switch row.ID {
	case "dash", "ash":
		return c.doingBySyscall(p)
	case "zsh":
		t := leader(p)
		if call(p) == "rt_sigsuspend" && t.Blocked != nil {
			if t.Blocked.Has(evidence.SIGINT) {
				return doingForeground, Likely
			}
			return doingWait, Likely
		}
	}
	if call(p) == "read" {
		return doingRead, Likely
	}
	if t := leader(p); t != nil && t.State == "R" {
		return doingRun, Likely
	}
	return c.doingByChildren(p)
}

// doingBySyscall: dash and busybox ash wait for a foreground child in wait4 and
// in the wait builtin in rt_sigsuspend.
func (c *inspection) doingBySyscall(p *evidence.Process) (doing, Confidence) {
	t := leader(p)
	switch call(p) {
	case "wait4", "waitid":
		return doingForeground, Likely
	case "rt_sigsuspend":
		return doingWait, Likely
	case "read":
		if len(t.Syscall.Args) > 0 && t.Syscall.Args[0] >= 3 && len(c.children[p.PID]) > 0 {
			return doingSubst, Likely
		}
		return doingRead, Likely
	case "":
		if t != nil && t.State == "R" {
			return doingRun, Likely
		}
		return c.doingByChildren(p)
	}
	return doingUnknown, Assumed
}

// doingByChildren: a shell without job control starts `&` children with INT and
// QUIT ignored. That a child has neither proves a foreground child only for
// programs that keep what they were given.
func (c *inspection) doingByChildren(p *evidence.Process) (doing, Confidence) {
	kids := c.children[p.PID]
	if len(kids) == 0 {
		return doingUnknown, Assumed
	}
	all := true
	for _, k := range kids {
		switch background(p, k) {
		case yes:
			continue
		case perhaps:
			return doingUnknown, Assumed
		}
		all = false
		if row := c.program(k); row != nil && row.Plain {
			return doingForeground, Likely
		}
	}
	if all {
		return doingWait, Likely
	}
	return doingUnknown, Assumed
}

// background reports whether a child was started with `&`: INT ignored (QUIT is
// too, but Go and the JVM take it back). In a shell that was itself started that
// way every child has the mark, so that it tells nothing.
func background(shell, p *evidence.Process) answer {
	switch {
	case p.Signals == nil || shell.Signals == nil:
		return perhaps
	case !p.Signals.Ignored.Has(evidence.SIGINT):
		return no
	case shell.Signals.Ignored.Has(evidence.SIGINT):
		return perhaps
	}
	return yes
}

// sleepLeft is how long a `sleep` still sleeps; false for other programs.
func (c *inspection) sleepLeft(p *evidence.Process) (float64, bool) {
	if p.Program.ID != "sleep" {
		return 0, false
	}
	total, err := strconv.ParseFloat(p.Program.Options["seconds"], 64)
	age, ok := c.age(p)
	if err != nil || !ok {
		return 0, false
	}
	return max(total-age, 0), true
}

// lasts reports whether a foreground child looks like one that stays: a sleep
// that is long, a program that follows a file, or one that has already lived
// longer than the timeout, or as long as its shell.
func (c *inspection) lasts(child, shell *evidence.Process) bool {
	switch c.programID(child) {
	case "tail":
		return true
	case "sleep": // one whose time is not known may be a short one of a loop
		_, known := c.sleepLeft(child)
		return known
	}
	if row := c.program(child); row != nil && (row.Kind == catalog.KindApp || row.Kind == catalog.KindInit) {
		return true
	}
	age, ok := c.age(child)
	if !ok {
		return false
	}
	if age >= 10 {
		return true
	}
	shellAge, _ := c.age(shell)
	return age >= 1.5 && 2*age >= shellAge
}

// call is the name of the leader's system call, "" when not known.
func call(p *evidence.Process) string {
	t := leader(p)
	if t == nil || t.Syscall == nil || t.Syscall.Running {
		return ""
	}
	return t.Syscall.Name
}

func (c *inspection) doingFact(p *evidence.Process, d doing) []Evidence {
	e := Evidence{Source: fmt.Sprintf("/proc/%d/syscall", p.PID), Field: "call", Value: call(p)}
	switch d {
	case doingForeground:
		e.Says = "the shell waits for a foreground child"
	case doingSubst:
		e.Says = "the shell reads the output of a command substitution"
	case doingWait:
		e.Says = "the shell sits in the wait builtin"
	default:
		return nil
	}
	if b := bashInside(p); b != nil && b.Waiting != nil {
		e.Source, e.Field, e.Value = fmt.Sprintf("/proc/%d/mem", p.PID), "this_shell_builtin", map[bool]string{true: "wait", false: "not wait"}[*b.Waiting]
	} else if e.Value == "" {
		e.Source, e.Field, e.Value = fmt.Sprintf("/proc/%d/status", p.PID), "children", "SigIgn of the children"
	}
	return []Evidence{e}
}

func bashInside(p *evidence.Process) *evidence.BashInside {
	if p.Inside == nil {
		return nil
	}
	return p.Inside.Bash
}

// bashTrap is the trap on a signal, nil when there is none or it was not read.
func bashTrap(p *evidence.Process, sig int) *evidence.Trap {
	b := bashInside(p)
	if b == nil {
		return nil
	}
	if t, ok := b.Traps[evidence.SignalName(sig)]; ok {
		return &t
	}
	return nil
}
