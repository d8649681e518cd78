package diagnose

import (
	"fmt"
	"strings"

	"github.com/moby/sys/signal"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxHangFindings bounds the screen: a hundred threads stuck on one lock are one
// story.
const maxHangFindings = 3

// ruleHangs: tasks that SIGKILL does not end.
func (c *inspection) ruleHangs(o *outlook) []Finding {
	var out []Finding
	for i := range o.hangs {
		if len(out) == maxHangFindings {
			break
		}
		if o.hangs[i].code == "WS215" {
			continue // ruleStrangers tells it with all who came in
		}
		out = append(out, c.findHang(&o.hangs[i]))
	}
	return out
}

// findHang names the task, what it waits for and the way out.
func (c *inspection) findHang(h *hang) Finding {
	f := newFinding(h.code, h.p)
	f.Summary = fmt.Sprintf("%s (PID %d): %s", name(h.p), h.p.PID, h.says)
	if h.t != nil {
		f.TID = h.t.TID
		f.Evidence = append(f.Evidence, taskFacts(h.p, h.t)...)
		f.Evidence = append(f.Evidence, c.aboutFacts(h.p, h.t)...)
		f.Fixes = append(f.Fixes, c.fixesFor(h)...)
	}
	if h.wait != nil {
		f.Summary += "; " + c.waitsFor(h.wait, h.t) + aboutWords(h.t)
		if len(f.Fixes) == 0 && !c.deviceHangs(h.t) { // whose finding has its own
			f.Fixes = append(f.Fixes, Fix{When: FixHost, Text: h.wait.WayOut})
		}
	}
	switch h.code {
	case "WS203":
		f.Summary = fmt.Sprintf("%s (PID %d) is traced by PID %d (%s): %s", name(h.p), h.p.PID, h.p.TracerPID, bounded(h.p.TracerComm, 20), h.says)
		f.Fixes = append(f.Fixes, fixTracer(h.p, "end the tracer: what it holds is let go at once")...)
	case "WS206":
		c.addThread(&f, h.p)
		f.Fixes = append(f.Fixes, Fix{When: FixHost, Text: "the runtime takes it for stopped and sends no signal; --init does not help. Free or end what its threads wait for"})
	case "WS205":
		f.Evidence = append(f.Evidence, c.zapFacts()...)
		f.Fixes = append(f.Fixes, c.fixZap()...)
	}
	return f
}

// addThread shows the first thread of a dead leader that hangs itself: what it
// waits for is the patient.
func (c *inspection) addThread(f *Finding, p *evidence.Process) {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if t.TID == p.PID {
			continue
		}
		h := c.taskHang(p, t)
		if h == nil {
			continue
		}
		f.Summary += fmt.Sprintf("; thread %d: %s", t.TID, h.says)
		if h.wait != nil {
			f.Summary += "; " + c.waitsFor(h.wait, t) + aboutWords(t)
		}
		f.Evidence = append(append(f.Evidence, taskFacts(p, t)...), c.aboutFacts(p, t)...)
		f.Fixes = append(f.Fixes, c.fixesFor(h)...)
		return
	}
}

func text(s string) *string { return &s }

// taskFacts shows the state and the wait of a task.
func taskFacts(p *evidence.Process, t *evidence.Task) []Evidence {
	base := fmt.Sprintf("/proc/%d", p.PID)
	if t.TID != p.PID {
		base = fmt.Sprintf("/proc/%d/task/%d", p.PID, t.TID)
	}
	out := []Evidence{{Source: base + "/stat", Field: "state", Value: t.State, Says: stateWord(t.State)}}
	if len(t.Stack) > 0 {
		n := min(len(t.Stack), 5)
		out = append(out, Evidence{Source: base + "/stack", Field: "frames", Value: strings.Join(t.Stack[:n], " < "), Says: "what it waits in"})
	} else if w := wchan(t); w != "" {
		out = append(out, Evidence{Source: base + "/wchan", Field: "function", Value: w, Says: "what it waits in"})
	}
	if sigkillPending(p, t) {
		field, pending := "SigPnd", t.Pending // the thread's own, or that of all
		if pending == nil || !pending.Has(evidence.SIGKILL) {
			field, pending = "ShdPnd", &p.Signals.Pending
		}
		out = append(out, Evidence{Source: base + "/status", Field: field, Value: pending.String(), Says: "SIGKILL was sent and has not ended it"})
	}
	if k := kernelTask(p, t.TID); k != nil && t.State == "D" {
		out = append(out, Evidence{Source: "kernel: task_struct", Field: "__state", Value: fmt.Sprintf("%#x", k.State),
			Says: wakeWord(p, t, k)})
	}
	return out
}

// wakeWord says what the kernel's state word tells of SIGKILL.
func wakeWord(p *evidence.Process, t *evidence.Task, k *evidence.KernelTask) string {
	wait := catalog.LookupWait(t.Stack, wchan(t))
	switch {
	case k.State&taskWakeKill == 0:
		return "no TASK_WAKEKILL: SIGKILL does not end it"
	case dying(p) || catalog.Exiting(t.Stack):
		return "TASK_WAKEKILL, but in its exit SIGKILL no longer reaches it"
	case wait != nil && wait.Read:
		return "TASK_WAKEKILL: SIGKILL ends it while the request is queued, not once its server has read it"
	}
	return "TASK_WAKEKILL: SIGKILL ends it"
}

func stateWord(s string) string {
	switch s {
	case "D":
		return "uninterruptible sleep"
	case "Z":
		return "zombie"
	case "T":
		return "stopped"
	case "t":
		return "held by a tracer"
	case "S":
		return "sleeping"
	case "I":
		return "idle in the kernel"
	}
	return "running"
}

// findHeld: the init is stopped or traced and takes no signal.
func (c *inspection) findHeld(o *outlook, r *reaction) Finding {
	f := r.finding(r.why)
	if t := leader(r.p); t != nil {
		f.Evidence = append(taskFacts(r.p, t)[:1], f.Evidence...)
	}
	if r.why == "WS202" {
		f.Summary = fmt.Sprintf("%s is stopped (SIGSTOP or job control): a handler cannot run before SIGCONT", name(r.p))
		f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "let it go on", Command: fmt.Sprintf("sudo kill -CONT %d", r.p.PID)})
		return f
	}
	f.Summary = fmt.Sprintf("%s is held by its tracer, PID %d (%s)", name(r.p), r.p.TracerPID, bounded(r.p.TracerComm, 20))
	f.Fixes = append(f.Fixes, fixTracer(r.p, "end the tracer")...)
	return f
}

// fixTracer ends the tracer of p: nothing where it is not known (0: it lives in
// another PID namespace, or has gone a moment ago) or is the host's init.
func fixTracer(p *evidence.Process, words string) []Fix {
	if p.TracerPID <= 1 {
		return nil
	}
	return []Fix{{When: FixNow, Text: words, Command: fmt.Sprintf("sudo kill -KILL %d", p.TracerPID), Risk: text("the debugging session ends")}}
}

// ruleFrozen: a cgroup that somebody froze behind the engine's back.
func (c *inspection) ruleFrozen(o *outlook) []Finding {
	if !c.frozenByHand() {
		return nil
	}
	g := c.t.Cgroup
	f := newFinding("WS207", c.root)
	f.Summary = "its cgroup is frozen and the engine does not know: no handler runs before it is thawed"
	if c.frozenAbove() {
		f.Summary = "a parent of its cgroup is frozen: not even SIGKILL ends it before that is thawed (the runtime thaws only the container's own)"
	}
	f.Evidence = append(f.Evidence, Evidence{Source: "/sys/fs/cgroup", Field: "freezer", Value: frozenValue(g), Says: "frozen at " + g.FrozenBy})
	f.Fixes = append(f.Fixes, c.fixThaw())
	return []Finding{f}
}

// fixThaw thaws the cgroup that was frozen, at the place where hierarchies are
// mounted by convention.
func (c *inspection) fixThaw() Fix {
	g := c.t.Cgroup
	fix := Fix{When: FixHost, Text: "thaw the cgroup that was frozen: write THAWED to its freezer.state (v1), or 0 to its cgroup.freeze (v2)"}
	switch v1 := g.Freezer == "FROZEN" || g.Freezer == "FREEZING"; {
	case !strings.HasPrefix(g.FrozenBy, "/"):
	case v1:
		fix.Command = command("echo THAWED | sudo tee /sys/fs/cgroup/freezer%s/freezer.state", g.FrozenBy)
	case c.host.Cgroup == "hybrid":
		fix.Command = command("echo 0 | sudo tee /sys/fs/cgroup/unified%s/cgroup.freeze", g.FrozenBy)
	default:
		fix.Command = command("echo 0 | sudo tee /sys/fs/cgroup%s/cgroup.freeze", g.FrozenBy)
	}
	if fix.Command != "" {
		fix.When, fix.Risk = FixNow, text("all that is in this cgroup goes on")
	}
	return fix
}

func frozenValue(g *evidence.Cgroup) string {
	if g.Freezer != "" && g.Freezer != "THAWED" {
		return g.Freezer
	}
	return "cgroup.freeze 1"
}

// findPaused: paused, and this stop signal does not unpause.
func (c *inspection) findPaused(o *outlook, r *reaction) Finding {
	f := r.finding("WS307")
	f.Summary = "the container is paused, and only its own stop signal or SIGKILL unpauses it"
	f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "unpause it first", Command: command("docker unpause %s", c.displayName())})
	return f
}

// ruleEngine: what the engine's state adds.
func (c *inspection) ruleEngine(o *outlook) []Finding {
	if !c.paused() || o.root.why == "WS307" {
		return nil
	}
	f := newFinding("WS307", nil)
	f.Summary = "paused: docker stop sends the signal and then unpauses it, so what stands above happens all the same"
	f.Evidence = append(f.Evidence, configFact("State.Paused", "true", "frozen by docker pause"))
	return []Finding{f}
}

// ruleStopRunning: the history tells that a stop or kill is under way.
func ruleStopRunning(c *inspection, o *outlook) []Finding {
	sent := -1
	for i, e := range c.t.History {
		switch e.Action {
		case "kill":
			if e.Signal == o.sig || e.Signal == evidence.SIGKILL {
				sent = i
			}
		case "die", "start", "restart":
			sent = -1
		}
	}
	if sent < 0 {
		return nil
	}
	e := c.t.History[sent]
	f := newFinding("WS120", c.root)
	f.Summary = fmt.Sprintf("the engine has sent %s already, and the container has not ended", evidence.SignalName(e.Signal))
	f.Evidence = append(f.Evidence, Evidence{Source: "docker events", Field: "kill", Value: evidence.SignalName(e.Signal), Says: "sent at " + e.At.UTC().Format("15:04:05") + " UTC"})
	return []Finding{f}
}

// parses reports whether the engine understands a stop signal.
func parses(s string) bool {
	_, err := signal.ParseSignal(s)
	return err == nil
}
