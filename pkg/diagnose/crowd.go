package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// alike is what a process that was looked at briefly shares with the siblings
// that were looked at in full in its place (pkg/probe chose them by the same).
type alike struct {
	ppid            int
	comm            string
	ignored, caught evidence.SigSet
}

// legacy are the signals that /proc/PID/stat has masks for, 1 to 31.
const legacy evidence.SigSet = 1<<31 - 1

func alikeOf(p *evidence.Process) (alike, bool) {
	if p.Signals == nil {
		return alike{}, false
	}
	return alike{p.PPID, p.Comm, p.Signals.Ignored & legacy, p.Signals.Caught & legacy}, true
}

// indexTwins finds the siblings that speak for those that were looked at briefly.
func (c *inspection) indexTwins() {
	c.twins = map[alike]*evidence.Process{}
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if k, ok := alikeOf(p); ok && !p.Brief && c.twins[k] == nil {
			c.twins[k] = p
		}
	}
}

// twin is the sibling that was looked at in full and is like p as far as p was
// looked at, nil when there is none.
func (c *inspection) twin(p *evidence.Process) *evidence.Process {
	k, ok := alikeOf(p)
	if !ok {
		return nil
	}
	if c.twins == nil {
		c.indexTwins()
	}
	return c.twins[k]
}

// disposeBrief is for a process that was looked at briefly: one thread, which
// blocks nothing and sleeps where no signal is fetched. Its masks hold signals 1 to
// 31. Never certain: it may be traced, or the init of a namespace of its own. The
// evidence for findings is its twin's.
func disposeBrief(p *evidence.Process, sig int) disposition {
	switch {
	case !legacy.Has(sig):
		return disposition{kind: notKnown, conf: Assumed, gap: fmt.Sprintf("/proc/%d/status", p.PID)}
	case p.Signals.Ignored.Has(sig):
		return disposition{kind: ignored, conf: Likely}
	case p.Signals.Caught.Has(sig):
		return disposition{kind: caught, conf: Likely}
	}
	return disposition{kind: byDefault, conf: Likely}
}

// sameWait is q, or where q was looked at briefly its twin, if both sleep in the
// same kernel function: what the twin's system call says holds for q too.
func (c *inspection) sameWait(q *evidence.Process) *evidence.Process {
	if !q.Brief {
		return q
	}
	if t := c.twin(q); t != nil && wchan(leader(q)) != "" && wchan(leader(t)) == wchan(leader(q)) {
		return t
	}
	return q
}
