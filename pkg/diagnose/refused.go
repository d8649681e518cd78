package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// refused turns what was forecast into what happens when the engine's signals are
// denied. Measured with Docker 20.10 without CAP_KILL: the error of the first
// signal shortens every timeout to 2 s, also 0 and 30; then come 10 s for a
// SIGKILL that is denied too; then dockerd's own one. With timeout -1 the wait has
// no end.
func (c *inspection) refused(out *Container, o *outlook, r *refusal) {
	f := newFinding(r.code, c.root)
	f.Summary = "the engine's signals are denied (" + r.errno + "): " + r.by
	f.Evidence, f.Fixes = r.facts, append([]Fix{c.killByHand()}, r.fixes...)
	if out.Verdict == Stuck { // something in it holds out against SIGKILL as well
		out.Findings = append([]Finding{f}, out.Findings...)
		return
	}
	// What it would do with a signal that it does not get, and which time would do.
	beside := slices.DeleteFunc(out.Findings, func(f Finding) bool { return strings.HasPrefix(f.Code, "WS1") || strings.HasPrefix(f.Code, "WS5") })
	out.Findings = append([]Finding{f}, beside...)
	out.Verdict, out.Confidence, out.Layer = Refused, r.conf, LayerSecurity
	out.Headline = "every signal of the engine is denied: " + r.by
	if c.podman() {
		c.podmanRefused(out, o, r)
	} else {
		c.refusedByDocker(out, o, r)
	}
	if out.Signal != nil {
		out.Signal.Outcome, out.Signal.Confidence = "refused", r.conf
		out.Signal.Effect, out.Signal.ReceivedBy = r.errno, []int{}
	}
	for i := range out.Processes {
		if p := &out.Processes[i]; p.Effect != effectUnknown {
			p.Effect, p.Note = effectNever, "is never sent it"
		}
		if p := &out.Processes[i]; p.PID == c.root.PID {
			p.Note = "denied: " + r.errno
		}
	}
}

// refusedByDocker is what docker's commands come to.
func (c *inspection) refusedByDocker(out *Container, o *outlook, r *refusal) {
	if !r.daemon {
		out.Headline = "the runtime's signals are denied, dockerd's own SIGKILL is not: " + r.by
	}
	out.Stop = c.refusedStop(o, r)
	out.Kill = c.refusedEnd(r, c.errorBegins("kill"))
	out.Kill.Signal = "SIGKILL"
	if out.Rm != nil {
		out.Rm = c.refusedEnd(r, c.errorBegins("rm"))
	}
}

// killByHand: who is not the engine is not refused, unless a module says so.
func (c *inspection) killByHand() Fix {
	return Fix{When: FixNow, Text: "from a root shell that is not confined: the engine's rights are missing, not yours",
		Command: fmt.Sprintf("sudo kill -TERM %d", c.root.PID)}
}

func (c *inspection) refusedStop(o *outlook, r *refusal) *StopForecast {
	no, yes := false, true
	f := &StopForecast{Signal: evidence.SignalName(o.sig), TimeoutSeconds: o.timeout, TimeoutSource: o.timeoutSource,
		Outcome: string(Refused), KilledUnheard: []int{}, ContainerEnds: &no, Then: "stays"}
	f.Steps = []Step{{Action: f.Signal + " to " + c.title(c.root), Effect: "denied: " + r.errno}}
	if o.timeout < 0 {
		f.Command = Command{Returns: false}
		f.Steps = append(f.Steps, Step{Action: "no SIGKILL ever follows", Effect: "timeout -1: docker stop waits for ever"})
		return f
	}
	f.Steps = append(f.Steps, Step{AtSeconds: waitNoSignal, Action: "SIGKILL to " + c.title(c.root), Effect: "denied as well; the timeout was cut short by the error"})
	direct := float64(waitNoSignal + waitExitEvent)
	if !r.daemon {
		f.ExitCode, f.AfterSeconds, f.ContainerEnds = status(137), &direct, &yes
		f.Command, f.Then = returned(&direct), c.then(o)
		f.KilledUnheard = c.withHandler(o.sig)
		f.Steps = append(f.Steps, Step{AtSeconds: direct, Action: "dockerd itself: SIGKILL to " + c.title(c.root), Effect: c.dyingWords() + ". Exit code 137, unsaved data lost"})
		return f
	}
	after, text := direct+waitStopExtra, fmt.Sprintf("cannot stop container: %s: %s", c.displayName(), r.errno)
	f.Command = Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &text}
	f.Steps = append(f.Steps, Step{AtSeconds: direct, Action: "dockerd itself: SIGKILL to " + c.title(c.root), Effect: "denied"},
		Step{AtSeconds: after, Action: "docker stop returns", Effect: "an error: " + r.errno})
	return f
}

// withHandler are the host PIDs with code of their own for the signal: none of it
// runs.
func (c *inspection) withHandler(sig int) []int {
	out := []int{}
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if p.Outside || dead(p) {
			continue
		}
		if has, _ := c.hasHandler(p, sig); has == yes {
			out = append(out, p.PID)
		}
	}
	return out
}

// refusedEnd is docker kill or docker rm -f.
func (c *inspection) refusedEnd(r *refusal, message string) *EndForecast {
	no, yes, after := false, true, float64(waitExitEvent)
	f := &EndForecast{Outcome: "refused", ContainerEnds: &no,
		Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: "denied: " + r.errno}}}
	if !r.daemon {
		f.Outcome, f.AfterSeconds, f.ContainerEnds, f.Command = "dies", &after, &yes, returned(&after)
		// Measured 0 and, seldom, 1 ("read /proc/PID/stat: no such process"): dockerd
		// looks for a zombie after its own SIGKILL (moby daemon/kill.go), a race.
		f.Command.ExitStatus = nil
		f.Steps = append(f.Steps, Step{AtSeconds: after, Action: "dockerd itself: SIGKILL to " + c.title(c.root), Effect: c.dyingWords()})
		return f
	}
	text := message + r.errno
	f.Command = Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &text}
	f.Steps = append(f.Steps, Step{AtSeconds: after, Action: "docker gives up", Effect: text})
	return f
}
