package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// findInit: an init that passes the signal to a child that does not end.
func (c *inspection) findInit(o *outlook, r *reaction) Finding {
	f := r.finding("WS107")
	if r.because != nil {
		f.Summary = fmt.Sprintf("%s passes %s on, but %s does not end: %s", name(r.p), evidence.SignalName(r.sig), name(r.because.p), r.because.note)
	}
	f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "the init does its part; the child has to react to the signal"})
	return f
}

// findProgram is for what known programs make of a signal.
func (c *inspection) findProgram(o *outlook, r *reaction) Finding {
	f := r.finding(r.why)
	sig := evidence.SignalName(r.sig)
	switch r.why {
	case "WS109":
		f.Summary = fmt.Sprintf("%s catches %s only to raise it again, and PID 1 drops what it raises", name(r.p), sig)
		if h, ok := handler(r.p, r.sig); ok {
			f.Evidence = append(f.Evidence, Evidence{Source: "kernel: sighand->action", Field: "sa_flags", Value: fmt.Sprintf("%#x", h.Flags),
				Says: map[bool]string{true: "SA_RESETHAND: node's own handler", false: "not SA_RESETHAND: a handler of the program"}[h.Flags&saResetHand != 0]})
		} else if r.p.Inside != nil && r.p.Inside.Node != nil {
			f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/mem", r.p.PID), Field: "uv__signal_tree", Value: fmt.Sprint(r.p.Inside.Node.UserHandlers), Says: "no JavaScript handler for " + sig})
		}
		f.Fixes = append(c.fixNow(o), Fix{When: FixImage, Text: "handle it in the program", Patch: fmt.Sprintf("process.on('%s', () => process.exit(0))", sig)},
			Fix{When: FixRun, Text: "behind an init node is not PID 1, and its own handler ends it", Command: c.dockerOnly("docker run --init ...")})
	case "WS110":
		if r.better != "" {
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "the signal that ends it", Command: command("docker kill -s "+r.better+" %s", c.displayName())},
				Fix{When: FixImage, Text: "make it the container's stop signal", Patch: "STOPSIGNAL " + r.better})
		} else {
			f.Fixes = c.fixNow(o)
		}
	case "WS111":
		if h, ok := handler(r.p, r.sig); ok && h.File != "" {
			where := h.Symbol
			if where == "" {
				where = fmt.Sprintf("%#x", h.Offset)
			}
			f.Evidence = append(f.Evidence, Evidence{Source: "kernel: sighand->action", Field: "handler", Value: bounded(where, 80), Says: "in " + bounded(h.File, 120)})
		}
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "nothing is wrong as far as can be seen; if the stop overruns, look again while it runs: the masks and the history then tell more"})
	case "WS112":
		f.Fixes = append(c.fixNow(o), Fix{When: FixImage, Text: "set a handler that the runtime lets run, or put an init in front"})
	case "WS113":
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "run init and child as the same user, or give the capability back", Command: c.dockerOnly("docker run --cap-add KILL ...")})
	case "WS114":
		f.Summary = fmt.Sprintf("%s (may take longer than %s)", r.note, seconds(float64(max(o.timeout, 0))))
		f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "give it the time it needs", Command: command("docker stop -t 60 %s", c.displayName())})
		if r.better != "" {
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "or end it at once", Command: command("docker kill -s "+r.better+" %s", c.displayName())})
		}
	case "WS119":
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "signal.NotifyContext and a clean return let deferred work run"})
	}
	return f
}

// handler is the kernel's entry for a signal.
func handler(p *evidence.Process, sig int) (evidence.Handler, bool) {
	if p.Kernel == nil {
		return evidence.Handler{}, false
	}
	h, ok := p.Kernel.Handlers[evidence.SignalName(sig)]
	return h, ok
}

// seconds writes a time for people.
func seconds(s float64) string {
	if s == float64(int(s)) {
		return fmt.Sprintf("%d s", int(s))
	}
	return fmt.Sprintf("%.1f s", s)
}

// ruleUnheard: somebody has a handler and is cut off.
func (c *inspection) ruleUnheard(o *outlook) []Finding {
	if o.verdict != Abrupt || len(o.cheated) == 0 || o.sig == evidence.SIGKILL {
		return nil
	}
	f := newFinding("WS108", o.cheated[0])
	verb := "is never sent it"
	if r := o.sim.reached[o.cheated[0].PID]; r != nil {
		verb = "is signalled, and nobody waits for it"
	}
	f.Summary = fmt.Sprintf("the container ends at once, but %s has a handler for %s and %s", c.names(o.cheated), evidence.SignalName(o.sig), verb)
	c.addHandlerFact(&f, o)
	if o.timeout == 0 {
		f.Summary = fmt.Sprintf("timeout 0: SIGKILL follows before the handler of %s can finish", c.names(o.cheated))
	}
	f.Fixes = append(c.fixesUnheard(o), Fix{When: FixImage, Text: "start it by exec, so that it gets the signal itself and is waited for"})
	return []Finding{f}
}

// ruleSettings: the container's own settings that decide the ending.
func (c *inspection) ruleSettings(o *outlook) []Finding {
	var out []Finding
	k := c.t.Container
	if k == nil {
		return nil
	}
	if o.sig == evidence.SIGKILL && c.opt.Signal == 0 {
		f := newFinding("WS503", nil)
		f.Summary = "the container's stop signal is SIGKILL: nothing in it can finish its work"
		f.Evidence = append(f.Evidence, configFact("Config.StopSignal", k.StopSignal, "SIGKILL"))
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "choose a signal that can be handled", Patch: "STOPSIGNAL SIGTERM"})
		out = append(out, f)
	}
	if k.StopSignal != "" && o.sig == evidence.SIGTERM && c.opt.Signal == 0 && !parses(k.StopSignal) {
		f := newFinding("WS501", nil)
		f.Summary = "the engine cannot parse the stop signal and silently sends SIGTERM instead"
		f.Evidence = append(f.Evidence, configFact("Config.StopSignal", bounded(k.StopSignal, 40), "not a signal name or number"))
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "write a name that the engine knows", Patch: "STOPSIGNAL SIGTERM"})
		out = append(out, f)
	}
	if o.timeout <= 0 {
		f := newFinding("WS502", nil)
		f.Summary = c.oddTimeout(o)
		f.Evidence = append(f.Evidence, configFact("StopTimeout", fmt.Sprint(o.timeout), "from "+o.timeoutSource))
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "give a time that is long enough", Command: command("docker stop -t 10 %s", c.displayName())})
		out = append(out, f)
	}
	return append(out, c.ruleRestart(o)...)
}

// oddTimeout says what a timeout of 0, or below, comes to.
func (c *inspection) oddTimeout(o *outlook) string {
	switch podman := c.podman(); {
	case o.timeout < 0 && podman:
		return "timeout -1: Podman takes no time below 0"
	case o.timeout < 0:
		return "timeout -1: docker stop never sends SIGKILL"
	case podman:
		return "timeout 0: Podman sends SIGKILL at once and no stop signal"
	}
	return "timeout 0: SIGKILL follows the stop signal at once"
}

// ruleRestart: the container that comes back.
func (c *inspection) ruleRestart(o *outlook) []Finding {
	if c.then(o) != "restarted" {
		return nil
	}
	f := newFinding("WS306", nil)
	policy := bounded(c.t.Container.RestartPolicy, 20)
	f.Summary = "restart policy " + policy + ", and a stop signal that is not the container's own: the engine starts it again"
	f.Evidence = append(f.Evidence, configFact("RestartPolicy", policy, "comes back even after docker stop --signal"),
		configFact("Config.StopSignal", bounded(c.t.Container.StopSignal, 40), "only this one and SIGKILL switch the restart off"))
	f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "stop it with its own signal", Command: command("docker stop %s", c.displayName())})
	return []Finding{f}
}

func configFact(field, value, says string) Evidence {
	return Evidence{Source: "docker inspect", Field: field, Value: value, Says: says}
}
