package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// tracerHangs reports whether a tracer will not let a dying tracee go: it is
// stopped itself, or it sits in something else than a wait for its tracees. A
// tracer that could not be looked at is taken for a good one.
func tracerHangs(p *evidence.Process) bool {
	if p.TracerPID == 0 || p.TracerState == "" {
		return false
	}
	switch p.TracerState {
	case "T", "t", "D":
		return true
	}
	return p.State == "t" && p.TracerCall != "" && p.TracerCall != "wait4" && p.TracerCall != "waitid"
}

// hangTraced: SIGKILL ends the stop, but a tracer that does not wait keeps the
// dead task (state Z), or holds it once more at its exit (PTRACE_O_TRACEEXIT,
// state t). Which of both decides when docker gives up, and stands in no file
// before it has happened: only the kernel itself tells.
func (c *inspection) hangTraced(p *evidence.Process, t *evidence.Task) *hang {
	h := &hang{p: p, t: t, code: "WS203", conf: Likely,
		says: fmt.Sprintf("its tracer, PID %d, does not let it go", p.TracerPID)}
	switch k := kernelTask(p, t.TID); {
	case slices.Contains(t.Stack, "do_exit") || k != nil && k.HeldAtExit:
		h.says = fmt.Sprintf("its tracer, PID %d, holds it at its exit", p.TracerPID)
	case k != nil && t.TID == p.PID:
		h.leaderZombie = true
		h.says = fmt.Sprintf("its tracer, PID %d, does not wait for it: it dies and stays a zombie", p.TracerPID)
	default:
		h.timeless = true
	}
	if c.tracerDies(p) {
		return c.tracedFromInside(h)
	}
	return h
}

// tracerDies reports whether SIGKILL to the container ends the tracer of p as well:
// what it traces is then let go (kernel/ptrace.c exit_ptrace).
func (c *inspection) tracerDies(p *evidence.Process) bool {
	w, ok := c.waiterOf(p.TracerPID)
	return ok && w.p != nil && c.holdsEnd(w.p)
}

// tracedFromInside: only an init that is held at its exit outlasts SIGKILL. It has
// not begun to empty its namespace, so its tracer lives. Whether a tracer that is
// stopped itself has asked for that stop only the kernel tells.
func (c *inspection) tracedFromInside(h *hang) *hang {
	k := kernelTask(h.p, h.t.TID)
	switch held := slices.Contains(h.t.Stack, "do_exit") || k != nil && k.HeldAtExit; {
	case h.p != c.root:
		return nil
	case held:
		return h
	case k == nil && h.p.TracerState != "S":
		h.conf = Assumed
		return h
	}
	return nil
}
