package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// stopForecast puts the outlook into the contract's words.
func (c *inspection) stopForecast(o *outlook) *StopForecast {
	f := &StopForecast{Signal: evidence.SignalName(o.sig), TimeoutSeconds: o.timeout, TimeoutSource: o.timeoutSource,
		Outcome: string(o.verdict), ExitCode: o.code, AfterSeconds: o.after, KilledUnheard: o.unheard,
		Command: o.command, ContainerEnds: o.ends, Then: c.then(o), Steps: o.steps}
	f.Status, f.Freed = c.afterStop(o, f.Then)
	if o.verdict == Stops || o.verdict == Abrupt {
		c.lastStep(o, f)
	}
	if o.ends != nil && *o.ends && c.autoRemoved() {
		at := 0.0
		if o.after != nil {
			at = *o.after
		}
		f.Steps = append(f.Steps, c.autoRemoval(at, "docker stop")...)
	}
	return f
}

// lastStep says what becomes of the others when the init has gone.
func (c *inspection) lastStep(o *outlook, f *StopForecast) {
	others := 0
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if p != c.root && !p.Outside && !dead(p) {
			if r := o.sim.reached[p.PID]; r == nil || r.ends != catalog.EndsYes || !r.awaited {
				others++
			}
		}
	}
	at, effect := 0.0, "ends"
	if o.after != nil {
		at = *o.after
	} else {
		effect = "ends when it has done its work, if within the timeout"
	}
	if o.code != nil {
		effect += fmt.Sprintf(". Exit code %d", *o.code)
	}
	if len(o.cheated) > 0 {
		effect += fmt.Sprintf("; %s cut off by SIGKILL, unheard", c.names(o.cheated))
	} else if others > 0 && o.verdict == Abrupt {
		effect += fmt.Sprintf("; the kernel kills the other %s", processes(others))
	}
	f.Steps = append(f.Steps, Step{AtSeconds: at, Action: c.title(c.root), Effect: effect})
}

func processes(n int) string {
	if n == 1 {
		return "process"
	}
	return fmt.Sprintf("%d processes", n)
}

// names lists processes for a sentence.
func (c *inspection) names(list []*evidence.Process) string {
	switch len(list) {
	case 0:
		return "nothing"
	case 1:
		return fmt.Sprintf("%s (PID %d)", name(list[0]), pidInside(list[0]))
	}
	return fmt.Sprintf("%s (PID %d) and %d more", name(list[0]), pidInside(list[0]), len(list)-1)
}

// pidInside is the PID that a user in the container sees, the host's where there
// is no other.
func pidInside(p *evidence.Process) int {
	if n := p.NSPID(); n != 0 {
		return n
	}
	return p.PID
}

// then is what the engine does after the container ended.
func (c *inspection) then(o *outlook) string {
	k := c.t.Container
	switch {
	case k == nil:
		return "stays"
	case k.AutoRemove:
		return "removed"
	case c.comesBack(o):
		return "restarted"
	}
	return "stays"
}

// comesBack reports whether the restart policy starts the container again after a
// stop. ExitOnNext, which prevents it, is called only for SIGKILL and for the
// container's own signal, or where none is configured (moby daemon/kill.go). So
// it takes an end by another signal, before SIGKILL: "always" then comes back
// although it was stopped by hand, "on-failure" with an exit code that is not 0.
func (c *inspection) comesBack(o *outlook) bool {
	k := c.t.Container
	if c.opt.Signal == 0 || c.opt.Signal == evidence.SIGKILL || k.StopSignal == "" || c.opt.Signal == c.inspectionStop() {
		return false
	}
	if o.verdict != Stops && o.verdict != Abrupt {
		return false // SIGKILL comes after it
	}
	switch k.RestartPolicy {
	case "always":
		return true
	case "on-failure":
		return o.code != nil && *o.code != 0 && (k.RestartMax == 0 || k.RestartCount < k.RestartMax)
	}
	return false
}

// killForecast is `docker kill`: SIGKILL and no waiting for a handler.
func (c *inspection) killForecast(o *outlook) *EndForecast {
	f := c.killOrRemove(o, c.errorBegins("kill"))
	f.Signal = "SIGKILL"
	f.Status, f.Freed = c.afterKill(f)
	if f.Outcome == "dies" && c.autoRemoved() {
		f.Steps = append(f.Steps, c.autoRemoval(0, "docker kill")...)
	}
	return f
}

// rmForecast is `docker rm -f`.
func (c *inspection) rmForecast(o *outlook) *EndForecast {
	f := c.killOrRemove(o, c.errorBegins("rm"))
	f.Status, f.Freed = c.afterRm(f)
	if f.Outcome == "dies" {
		f.Steps = append(f.Steps, Step{AtSeconds: 0, Action: "remove", Effect: "gone from docker ps -a" + c.volumesStay()})
	}
	return f
}

// errorBegins is how the message of a failed docker kill or docker rm -f begins;
// where the engine's version is not known only the reason is told.
func (c *inspection) errorBegins(command string) string {
	e, k := c.host.Engine, c.t.Container
	if e == nil || k == nil {
		return ""
	}
	return catalog.ErrorBegins(command, e.Version, c.displayName(), k.ID)
}

// killOrRemove is what both have in common.
func (c *inspection) killOrRemove(o *outlook, message string) *EndForecast {
	zero, yes, no := 0.0, true, false
	h := c.worstHang(o)
	if hostInit(c.root) {
		return &EndForecast{Outcome: "refused", ContainerEnds: &no, Command: Command{Returns: true},
			Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: "discarded: the host's own PID 1 takes no SIGKILL"}}}
	}
	if h == nil {
		return &EndForecast{Outcome: "dies", AfterSeconds: &zero, ContainerEnds: &yes, Command: returned(&zero),
			Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: c.dyingWords()}}}
	}
	if c.outlivedBy(h.p) {
		return c.forgottenEnd(o, h)
	}
	after := float64(waitExitEvent + waitDirectKill)
	text := message + noExitEvent
	if h.leaderZombie && h.p == c.root {
		after = waitExitEvent
		text = message + c.zombieText()
	}
	cmd := Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &text}
	if h.timeless {
		cmd.AfterSeconds, cmd.Error = nil, nil
	}
	booked, known := c.bookedAt(h)
	switch gone := alreadyZombie(h) && h.p == c.root; {
	case gone && !known:
		cmd, text = Command{Returns: true}, "when is not known"
	case gone && c.ownTimeout() <= waitExitEvent: // else it gives up first
		after = booked
		cmd = returned(&after)
		text = "as if all were well: the engine books it as exited, and it lives"
		if after >= waitExitEvent-raceMargin && after <= waitExitEvent+raceMargin { // measured: 0 and 1
			cmd.ExitStatus = nil
			text = "an error, or " + text + " (a race)"
		}
	}
	if !c.byEngine() {
		return &EndForecast{Outcome: "stuck", ContainerEnds: &no, Command: Command{Returns: true},
			Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: h.says}}}
	}
	return &EndForecast{Outcome: "stuck", ContainerEnds: &no, Command: cmd,
		Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: h.says},
			{AtSeconds: after, Action: "the command returns", Effect: text}}}
}

// dyingWords says what SIGKILL does.
func (c *inspection) dyingWords() string {
	n := 0
	for i := range c.t.Processes {
		if p := &c.t.Processes[i]; p != c.root && !p.Outside && !dead(p) {
			n++
		}
	}
	switch {
	case n == 0:
		return "dies"
	case nsInit(c.root):
		return "dies; the kernel kills the other " + processes(n)
	}
	return "dies; the runtime kills the other " + processes(n)
}

// signalForecast is `docker kill -s SIG`: one signal to the init, nothing else.
func (c *inspection) signalForecast() *SignalForecast {
	sim := c.simulate(c.opt.Kill, 1e9)
	r := sim.send(c.root, c.opt.Kill)
	f := &SignalForecast{Signal: evidence.SignalName(c.opt.Kill), Confidence: r.conf, Effect: r.note, ReceivedBy: []int{}}
	f.Outcome = signalOutcome(r, c.opt.Kill)
	if f.Outcome == "unknown" {
		f.Confidence = Assumed
	}
	if d := deepest(r); d.effect == effectHandler && f.Outcome == "handled" && d.ends == catalog.EndsUnknown {
		// That it is handled is sure; only what follows is not.
		f.Confidence = d.disp.conf
		if d != r {
			f.Confidence = worse(f.Confidence, Likely)
		}
	}
	for i := range c.t.Processes {
		q := sim.reached[c.t.Processes[i].PID]
		if q != nil && (q.effect == effectHandler || q.effect == effectDies) {
			f.ReceivedBy = append(f.ReceivedBy, q.p.PID)
		}
	}
	return f
}

// signalOutcome is the contract's word for a reaction.
func signalOutcome(r *reaction, sig int) string {
	if stops(sig) && r.why == "WS116" && r.effect == effectPending {
		return "stops"
	}
	if sig == evidence.SIGSTOP {
		return "stops"
	}
	switch r.effect {
	case effectDies:
		return "dies"
	case effectDiscarded:
		if r.disp.kind == ignored {
			return "ignored"
		}
		return "discarded"
	case effectHandler:
		return "handled"
	case effectPending:
		return "blocked"
	case effectCannotDie:
		return "stuck"
	case effectForwards:
		if r.because != nil {
			return signalOutcome(r.because, r.because.sig)
		}
		return "handled"
	}
	return "unknown"
}
