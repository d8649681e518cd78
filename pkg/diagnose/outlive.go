package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// outputWaited is from when on dockerd waits for the output of a container to end
// before it books its exit, without a limit and with the container's lock held
// (moby daemon/monitor.go handleContainerExit: task.Delete waits for the streams;
// 23.0 and before ask for the task anew, which has none). Measured: 20.10.24 gives
// up after 2 s; 28.5.2 and 29.7.2 wait for as long as somebody holds the pipe.
const outputWaited = "24.0.0"

// outlivedBy reports whether p may outlive the container's own process: that is no
// init of a PID namespace, so that the kernel does not end the others with it.
func (c *inspection) outlivedBy(p *evidence.Process) bool {
	if p == c.root {
		return false
	}
	host := c.t.HostPIDNS
	return host != nil && *host || c.root.NSPID() > 1 && !nsInit(c.root)
}

// outlives: the container's own process dies, and a task that SIGKILL cannot end
// lives on (measured with --pid=host and --pid=container:X).
func (c *inspection) outlives(o *outlook) {
	no := false
	o.verdict, o.ends, o.code = Ghost, &no, nil
	after, settled := c.forgets(o)
	switch {
	case !settled:
		o.conf, o.command = Assumed, Command{Returns: true}
	case !after.Returns:
		o.verdict, o.after, o.command = Stuck, nil, after
		o.step(0, "the engine waits for the end of its output", "what hangs holds it open: no command of this container returns before that")
	case after.AfterSeconds == nil:
		o.command = after
	case o.after != nil:
		sum := *o.after + *after.AfterSeconds
		o.command = returned(&sum)
	}
}

// forgets is how a command comes back once the container's own process is dead and
// a task outlives it. false: not known.
func (c *inspection) forgets(o *outlook) (Command, bool) {
	seconds := float64(waitForgotten)
	waits, known := catalog.Since(c.engineVersion(), outputWaited)
	held := c.outputHeld(o)
	switch {
	case c.byEngine() && c.execOutlives(o):
		return Command{Returns: true}, false
	case !c.byEngine() || known && !waits:
		return returned(&seconds), true
	case held == no:
		return returned(&seconds), true
	case held == perhaps || !known:
		return Command{Returns: true}, false
	case c.t.Container.Tty:
		// The terminal hangs up with its leader; the shim gives it 2 s to drain or,
		// since containerd 2.2, 10 s.
		return returned(nil), true
	}
	return Command{Returns: false}, true
}

// forgottenEnd is docker kill or docker rm -f of such a container.
func (c *inspection) forgottenEnd(o *outlook, h *hang) *EndForecast {
	no := false
	f := &EndForecast{Outcome: string(Ghost), ContainerEnds: &no}
	f.Command, _ = c.forgets(o)
	effect := "dies; " + name(h.p) + " lives on without a container"
	if !f.Command.Returns {
		f.Outcome, effect = "stuck", "dies; "+name(h.p)+" lives on and holds its output, which the engine waits for"
	}
	f.Steps = []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: effect}}
	return f
}

// execOutlives reports whether one of those that outlive the container's own process
// may have been run by docker exec. Then it is up to the version of containerd, which
// is not known: from 1.6.36, 1.7.22 and 2.0 on the shim tells of the container's end
// after that of all execs (measured: 1.6.20 2 s; 2.3.3 10 s, 20 s for rm -f, and the
// container stays Up).
func (c *inspection) execOutlives(o *outlook) bool {
	k := c.t.Container
	if k == nil || k.Inspected && len(k.ExecIDs) == 0 {
		return false
	}
	return slices.ContainsFunc(o.hangs, func(h hang) bool {
		return h.p.PPID == c.root.PPID && c.holdsEnd(h.p) && c.outlivedBy(h.p)
	})
}

// outputHeld reports whether one of those that outlive the container's own process
// has its output: the pipe or the terminal that is that one's, too.
func (c *inspection) outputHeld(o *outlook) answer {
	held := no
	for i := range o.hangs {
		p := o.hangs[i].p
		if !c.holdsEnd(p) || !c.outlivedBy(p) {
			continue
		}
		switch h := sharesOutput(c.root, p); {
		case h == yes:
			return yes
		case h == perhaps:
			held = perhaps
		}
	}
	return held
}

// sharesOutput compares the descriptors 1 and 2 of two processes.
func sharesOutput(root, p *evidence.Process) answer {
	if len(root.Stdio) < 3 || len(p.Stdio) < 3 {
		return perhaps
	}
	for _, a := range root.Stdio[1:] {
		for _, b := range p.Stdio[1:] {
			if a == b && isOutput(a) {
				return yes
			}
		}
	}
	return no
}

// outputHolders are those who may hold the output of a process that is dead: all but
// those known to write to no pipe and no terminal.
func outputHolders(alive []*evidence.Process) []*evidence.Process {
	var out []*evidence.Process
	for _, p := range alive {
		if len(p.Stdio) < 3 || slices.ContainsFunc(p.Stdio[1:], isOutput) {
			out = append(out, p)
		}
	}
	return out
}

// isOutput reports whether a descriptor may be the container's own output, by its link.
func isOutput(link string) bool {
	return strings.HasPrefix(link, "pipe:[") || strings.HasPrefix(link, "/dev/pts/") || link == "/dev/console"
}

func (c *inspection) engineVersion() string {
	if c.host.Engine == nil {
		return ""
	}
	return c.host.Engine.Version
}

// outputKept: the container's own process is dead, and the engine waits for the
// output that others hold.
func (c *inspection) outputKept(alive []*evidence.Process) *cause {
	out := newCause("WS321", LayerEngine, endsNever, Likely,
		"its own process is dead, and the engine waits for the end of its output: "+c.livesOn(alive))
	out.shows(c.lockFact()...)
	evidence, fixes, h := c.survivor(alive)
	if h != nil {
		out.headline += ", " + c.cause(h)
		out.layer, out.finding.PID, out.finding.TID = LayerKernel, h.p.PID, h.t.TID
		out.finding.Summary = out.headline
	}
	return out.shows(evidence...).fix(fixes...)
}

// survivor says what one of those who live on hangs in, and what ends it; nil where
// none is known to hang.
func (c *inspection) survivor(alive []*evidence.Process) ([]Evidence, []Fix, *hang) {
	for _, p := range alive {
		for i := range p.Tasks {
			if h := c.taskHang(p, &p.Tasks[i]); h != nil && !h.unread {
				f := c.findHang(h)
				return f.Evidence, f.Fixes, h
			}
		}
	}
	p := alive[0]
	return []Evidence{{Source: fmt.Sprintf("/proc/%d/stat", p.PID), Field: "state", Value: p.State, Says: stateWord(p.State) + ", in the container's cgroup"}},
		[]Fix{{When: FixNow, Text: "end it: what was asked of the engine is then carried out", Command: fmt.Sprintf("sudo kill -KILL %d", p.PID)}}, nil
}

// ruleHeldOutput shows why no command of the container will return: what outlives
// it has its output.
func (c *inspection) ruleHeldOutput(o *outlook) []Finding {
	h := c.worstHang(o)
	if h == nil || o.verdict != Stuck || !c.byEngine() || !c.outlivedBy(h.p) || len(h.p.Stdio) < 3 {
		return nil
	}
	f := newFinding("WS321", h.p)
	f.Summary = fmt.Sprintf("once its own process is dead the engine waits for the end of its output, without a limit, and %s (PID %d) holds that open", name(h.p), h.p.PID)
	f.Evidence = []Evidence{{Source: fmt.Sprintf("/proc/%d/fd", h.p.PID), Field: "1, 2", Value: bounded(h.p.Stdio[1], 40) + ", " + bounded(h.p.Stdio[2], 40), Says: "the container's own, " + name(c.root) + " has them too"}}
	f.Fixes = []Fix{{When: FixRun, Text: "a PID namespace of its own: the kernel then ends all of it, or nothing"}}
	return []Finding{f}
}
