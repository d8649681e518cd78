package diagnose

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// runtimes are the runtime's processes below the container's shims, the oldest
// first. A container may call its own program runc, and that one is not to be
// ended: what is in the container's cgroup counts only until its program runs.
func (c *inspection) runtimes() []*evidence.Process {
	var out []*evidence.Process
	for _, shim := range c.keepers() {
		for j := range shim.Below {
			if p := &shim.Below[j]; c.isRuntime(p) {
				out = append(out, p)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *evidence.Process) int { return cmp.Compare(a.StartTicks, b.StartTicks) })
	return out
}

// isRuntime reports whether a process below a shim is the runtime, and not one of
// the container's own that is called like it.
func (c *inspection) isRuntime(p *evidence.Process) bool { return c.notStarted() || !c.isMember(p.PID) }

// withoutMembers is a shim without what is below it and not the runtime.
func (c *inspection) withoutMembers(shim *evidence.Part) *evidence.Part {
	own := *shim
	own.Below = slices.DeleteFunc(slices.Clone(shim.Below), func(p evidence.Process) bool { return !c.isRuntime(&p) })
	return &own
}

// isMember reports whether a process is one of the container's own.
func (c *inspection) isMember(pid int) bool {
	return pid == c.t.PID || slices.ContainsFunc(c.t.Processes, func(p evidence.Process) bool { return p.PID == pid && !p.Outside })
}

// runtimeWaits: the lock is held and a runc below the shim neither hangs in the
// kernel nor is stopped: it sleeps or runs, and does not end. The shim waits for
// it without a limit, with the lock that the exit needs, too (containerd
// process/init.go).
func (c *inspection) runtimeWaits(p *evidence.Process) *cause {
	who := fmt.Sprintf("%s (PID %d), which its shim waits for,", bounded(p.Comm, 20), p.PID)
	age, known := c.age(p)
	conf, since := Assumed, Evidence{Source: fmt.Sprintf("/proc/%d/stat", p.PID), Field: "starttime", Value: "not known", Says: "how long it has been there"}
	if known {
		since.Value, since.Says = fmt.Sprintf("%.0f s ago", age), "runc's work takes a fraction of a second"
	}
	if known && age*1000 >= longWait {
		conf = Likely
	}
	lost := "its request counts as failed; a docker stop whose signal is lost sends SIGKILL 2 s later"
	if c.root == nil {
		lost = "its request counts as failed: the exit is booked, and the shim may be left over (WS318)"
	}
	return newCause("WS319", LayerShim, endsNever, conf, who+" does not end").
		shows(since).shows(c.lockFact()...).
		fix(Fix{When: FixNow, Text: "end it: " + afterwards(c.host.Engine), Command: fmt.Sprintf("sudo kill -KILL %d", p.PID), Risk: text(lost)})
}

// runtimeStuck: the shim, or the runtime that it has started and waits for, hangs
// in the kernel.
func (c *inspection) runtimeStuck(in *inspection, h *hang, shim *evidence.Part) *cause {
	code, who := "WS315", fmt.Sprintf("%s (PID %d)", roleWords(shim), h.p.PID)
	switch below := h.p.PID != shim.PID; {
	case below && shim.Process != nil && h.p.Comm == shim.Process.Comm:
		who = fmt.Sprintf("%s (PID %d) is to start the runtime, and its fork (PID %d)", roleWords(shim), shim.PID, h.p.PID)
	case below:
		code, who = "WS319", fmt.Sprintf("%s (PID %d), which its shim waits for,", bounded(h.p.Comm, 20), h.p.PID)
	}
	if h.p.PID != shim.PID && c.notStarted() {
		code = "WS322"
	}
	f := in.findHang(h)
	out := newCause(code, LayerKernel, endsNever, h.conf, who+" hangs in the kernel")
	if h.wait != nil {
		out.headline += ": " + h.wait.Cause + aboutWords(h.t)
	}
	if code == "WS322" {
		out.headline = "stuck in its start: " + out.headline
	}
	out.finding.Summary = out.headline + "; " + afterwards(c.host.Engine)
	out.finding.PID, out.finding.TID = h.p.PID, f.TID
	return out.shows(f.Evidence...).shows(c.birthFacts()...).shows(c.lockFact()...).fix(f.Fixes...)
}

// runtimeHeld: a runc below the shim is stopped.
func (c *inspection) runtimeHeld(p *evidence.Process) *cause {
	held := &evidence.Part{Role: "runc", PID: p.PID, Process: p}
	return newCause("WS319", LayerShim, endsNever, heldConf(p),
		fmt.Sprintf("%s (PID %d), which its shim waits for, is %s", bounded(p.Comm, 20), p.PID, heldWord(held))).
		shows(heldFact(held)...).shows(c.lockFact()...).fix(fixHeld(held))
}

// notStarted: its program has not been executed yet.
func (c *inspection) notStarted() bool {
	return c.t.Container.Status == "created" || c.startsAgain() || c.t.Birth != nil && c.t.Birth.Unstarted
}

// birthFacts show how far the start has come.
func (c *inspection) birthFacts() []Evidence {
	b := c.t.Birth
	if b == nil || !b.Record && !b.Unstarted {
		return nil
	}
	if b.Unstarted {
		return []Evidence{{Source: "the runtime's state", Field: "exec.fifo", Value: "there", Says: "runc init has not been told to execute the program"}}
	}
	return []Evidence{{Source: "the runtime's state", Field: "state.json", Value: "there", Says: "runc create has begun"}}
}
