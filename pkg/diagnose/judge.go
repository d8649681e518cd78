// Package diagnose turns a snapshot into a report: what `docker stop`,
// `docker kill` and `docker rm -f` will do to each container, why, and what to
// do about it.
//
// It is pure: it reads nothing but the snapshot and the catalog's tables, knows
// no clock and no file, and gives the same report for the same snapshot on any
// machine. It is not for reading hosts (probe, engine, kernel) nor for words on
// a screen (render).
//
// The way of a judgement: inspection indexes the evidence (case.go); dispose
// says what the kernel does with a signal (disposition.go); simulation follows
// the signal through the process tree (react*.go); forecast plays docker stop to
// its end (forecast.go, endings.go); rules put the reasons into findings
// (rules.go, rule_*.go).
package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Options are the reader's questions beyond "what if I stop it now".
type Options struct {
	Version string // of the program, for the report
	// Signal replaces the stop signal (`-s`); 0: as configured.
	Signal int
	// Timeout replaces the stop timeout in seconds (`-t`, -1 for ever); nil: as
	// configured.
	Timeout *int
	// Kill asks what `docker kill -s` of this signal would do; 0: not asked.
	Kill int
}

// Need says which costly evidence would change the answer for a target.
type Need struct {
	Memory bool // the program's own bookkeeping, pkg/probe/inside
	Kernel bool // the BPF task iterator, pkg/kernel
	// Security: what on the host may deny a signal or a start.
	Security bool
	Net      bool // the connections of its network namespace, probe.Connections
}

// Judge gives the report for a snapshot.
func Judge(s *evidence.Snapshot, opt Options) Report {
	r := Report{Schema: ReportSchema, Version: opt.Version, ObservedAt: s.TakenAt,
		Host:   Host{Kernel: s.Host.Kernel, Sources: append([]string{}, s.Host.Sources...), Findings: hostFindings(s, opt)},
		Errors: []TargetError{}, Containers: []Container{}}
	if s.Host.Engine != nil {
		r.Host.Engine = s.Host.Engine.Version
	}
	for _, e := range s.Errors {
		r.Errors = append(r.Errors, TargetError{Target: e.Target, Message: e.Message, ExitCode: e.ExitCode})
	}
	for i := range s.Targets {
		r.Containers = append(r.Containers, judgeTarget(s, &s.Targets[i], opt))
	}
	if f, ok := findSlowHost(s.Host.Load); ok && slices.ContainsFunc(r.Containers, overruns) {
		if slices.ContainsFunc(r.Containers, hurried) {
			f.Severity = SeverityWarning
		}
		r.Host.Findings = append(r.Host.Findings, f)
	}
	return r
}

// overruns reports whether it matters for a container that the host is slow: what
// stops at once anyhow needs no excuse.
func overruns(c Container) bool { return c.Verdict != Stops && c.Verdict != NotRunning }

// hurried reports whether a container's end depends on how fast the host is: a stop
// is under way, an end may take longer than the timeout, or whether a wait ends by
// itself is not known.
func hurried(c Container) bool {
	return c.Verdict == Stuck && c.Confidence == Assumed || slices.ContainsFunc(c.Findings, func(f Finding) bool {
		switch f.Code {
		case "WS114", "WS120", "WS213", "WS216", "WS217":
			return true
		}
		return false
	})
}

// judgeTarget judges one target, the cheap ways out first.
func judgeTarget(s *evidence.Snapshot, t *evidence.Target, opt Options) Container {
	c := newInspection(&s.Host, t, opt)
	c.takenAt = s.TakenAt
	out := c.header()
	engine, own := c.causes()
	faults := append(engine, own...)
	switch {
	case t.Identity != nil && !t.Identity.Here && !t.Moved:
		c.elsewhere(&out)
	case t.Kind == evidence.KindOrphan:
		c.orphan(&out)
	case len(faults) > 0:
		c.blocked(&out, faults[0], own)
	case t.Container != nil && !IsRunning(t.Container.Status):
		c.notRunning(&out)
	case t.Identity != nil && !t.Identity.Alive || c.root == nil:
		c.gone(&out)
	default:
		c.living(&out)
	}
	c.judgeShims(&out)
	if out.Stop != nil {
		out.Stop.SignalSource = "container"
		if opt.Signal != 0 {
			out.Stop.SignalSource = "flag"
		}
	}
	return out
}

// IsRunning reports whether docker stop would do something in this status.
func IsRunning(status string) bool {
	// "stopping" is Podman's: a stop is under way, or has failed.
	return status == "running" || status == "paused" || status == "restarting" || status == "stopping"
}

// header fills what needs no judgement.
func (c *inspection) header() Container {
	out := Container{Target: c.t.Asked, Kind: c.t.Kind, Name: c.t.Asked, PID: c.t.PID, Confidence: Certain, Layer: LayerApp,
		History: []Event{}, Findings: []Finding{}, Processes: []Process{}, Gaps: []Gap{}}
	if k := c.t.Container; k != nil {
		out.Name, out.ID, out.Image, out.Status = k.Name, k.ID, k.Image, k.Status
		if out.Name == "" {
			out.Name = c.t.Asked
		}
	} else {
		out.Status = "running"
	}
	for _, e := range c.t.History {
		ev := Event{At: e.At, Action: e.Action}
		if e.Signal != 0 {
			ev.Signal = evidence.SignalName(e.Signal)
		}
		out.History = append(out.History, ev)
	}
	for _, g := range c.t.Gaps {
		out.Gaps = append(out.Gaps, Gap{Path: g.Path, Kind: g.Kind, Matters: g.Matters})
	}
	return out
}

// living judges a container whose init is there.
func (c *inspection) living(out *Container) {
	o := c.forecast()
	out.Verdict, out.Confidence = o.verdict, o.conf
	out.Stop = c.stopForecast(o)
	out.Kill = c.killForecast(o)
	if c.t.Kind == evidence.KindContainer {
		out.Rm = c.rmForecast(o)
	}
	out.Processes = c.processes(o.sim, o)
	if c.opt.Kill != 0 {
		out.Signal = c.signalForecast()
	}
	out.Findings = c.findings(o)
	out.Layer = layer(out.Findings, o)
	out.Headline = c.headline(o, out)
	if c.unborn() {
		c.judgeUnborn(o, out)
		return
	}
	c.addGap(out, o)
	if c.podman() {
		c.podmanStop(out, o)
	}
	c.logHolds(out, o)
	switch r := c.refusal(); {
	case r != nil:
		c.refused(out, o, r)
	case c.filtered():
		out.Confidence = worse(out.Confidence, Likely)
	}
	if c.podman() && c.t.Container.Status == "stopping" {
		c.podmanForgets(out)
	}
}

// addGap names what would settle an answer that is not certain.
func (c *inspection) addGap(out *Container, o *outlook) {
	if o.root.gap == "" {
		return
	}
	for _, g := range out.Gaps {
		if g.Path == o.root.gap {
			return
		}
	}
	out.Gaps = append(out.Gaps, Gap{Path: o.root.gap, Kind: evidence.GapAbsent, Matters: "would settle what " + name(o.root.p) + " does with " + evidence.SignalName(o.sig)})
}

// Asked lists the signals that a judgement of t is about: the stop signal, and
// the one of `--kill`.
func Asked(t *evidence.Target, opt Options) []int {
	c := &inspection{t: t, opt: opt}
	if opt.Kill != 0 && opt.Kill != c.stopSignal() {
		return []int{c.stopSignal(), opt.Kill}
	}
	return []int{c.stopSignal()}
}

// Needs says what else to read before judging t: memory first; the kernel where
// memory has not settled it.
func Needs(t *evidence.Target, opt Options) Need {
	var n Need
	c := newInspection(&evidence.Host{}, t, opt)
	n.Security = deniable(t)
	sigs := Asked(t, opt)
	for i := range t.Processes {
		p := &t.Processes[i]
		for _, sig := range sigs {
			c.needs(&n, p, sig)
		}
	}
	return n
}

// needs adds what one process's answer depends on.
func (c *inspection) needs(n *Need, p *evidence.Process, sig int) {
	if p.Signals == nil || p.State == "Z" || p.Brief { // a brief one's twin is asked in its place
		return
	}
	n.Kernel = n.Kernel || kernelTells(p) || p.Kernel == nil && tracerHangs(p)
	for i := range p.Tasks {
		if inSigwait(&p.Tasks[i]) {
			n.Memory = n.Memory || p.Tasks[i].Awaited == nil
			n.Kernel = n.Kernel || p.Kernel == nil && c.programID(p) == ""
		}
	}
	for _, fd := range p.SignalFDs {
		n.Memory = n.Memory || fd.Watched == nil && fd.Mask.Has(sig)
	}
	if row := c.program(p); row != nil && row.Responses[sig].Drain == catalog.DrainTCP {
		n.Net = n.Net || c.t.TCPEstablished == nil
	}
	if !p.Signals.Caught.Has(sig) {
		return
	}
	switch id := c.programID(p); {
	case id == "bash" || id == "sh" || id == "php":
		n.Memory = n.Memory || p.Inside == nil
	case id == "node" && (sig == evidence.SIGTERM || sig == evidence.SIGINT):
		n.Memory = n.Memory || p.Inside == nil
		n.Kernel = n.Kernel || p.Kernel == nil && (p.Inside != nil && (p.Inside.Node == nil || p.Inside.Node.UserHandlers == nil))
	case isGo(p):
		n.Memory = n.Memory || p.Inside == nil
	}
}

// processes lists what the signal does to each, in the order of the snapshot.
func (c *inspection) processes(sim *simulation, o *outlook) []Process {
	out := []Process{}
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		q := Process{PID: p.PID, NSPID: p.NSPID(), PPID: p.PPID, Comm: p.Comm, Argv: p.Argv, State: p.State,
			Program: p.Program.ID, Tasks: []Task{}}
		for j := range p.Tasks {
			t := &p.Tasks[j]
			q.Tasks = append(q.Tasks, Task{TID: t.TID, State: t.State, Wchan: t.Wchan})
		}
		if r := sim.reached[p.PID]; r != nil {
			q.Signal, q.Effect, q.Note = string(r.disp.kind), r.effect, r.note
			if r.why == "WS101" && r.effect == effectDiscarded {
				q.Note = "discarded (PID 1)" // the timeline says it in full
			}
		} else {
			q.Signal, q.Effect, q.Note = c.notReached(p, sim, o)
		}
		if c.hung(o, p) {
			q.Effect = effectCannotDie
			q.Note = "SIGKILL does not end it now"
		}
		out = append(out, q)
	}
	return out
}

// notReached is for a process that the signal is not known to reach.
func (c *inspection) notReached(p *evidence.Process, sim *simulation, o *outlook) (signal, effect, note string) {
	d := c.dispose(p, sim.sig)
	signal = string(d.kind)
	if p.Outside {
		return signal, effectUnknown, "not in the container's cgroup"
	}
	r := c.nearestReached(o, p)
	if r == nil {
		r = o.root
	}
	if r.effect == effectHandler && !r.tellsNobody && r.disp.kind != byDefault && r.ends != catalog.EndsNo {
		return signal, effectUnknown, fmt.Sprintf("%s may pass the signal on", name(r.p))
	}
	note = "is never sent it"
	if has, _ := c.hasHandler(p, sim.sig); has == yes {
		note = "has a handler, is never sent it"
	}
	return signal, effectNever, note
}

// hung reports whether a hang belongs to p.
func (c *inspection) hung(o *outlook, p *evidence.Process) bool {
	for i := range o.hangs {
		if o.hangs[i].p == p {
			return true
		}
	}
	return false
}
