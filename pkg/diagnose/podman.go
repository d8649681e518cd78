package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// podmanWait is how long Podman waits after its SIGKILL, in seconds (libpod
// killContainerTimeout).
const podmanWait = 5

// podman reports whether the engine behind the socket is Podman.
func (c *inspection) podman() bool {
	return c.fromPodman() && c.t.Kind == evidence.KindContainer && c.t.Container != nil
}

// fromPodman is podman for what is left of a container.
func (c *inspection) fromPodman() bool {
	return isPodman(c.host.Engine)
}

// podmanStop turns the course of docker stop into Podman's own, for its
// Docker-compatible socket: T seconds, SIGKILL, then 5 seconds. There is no
// last SIGKILL by the engine and no second wait. Measured with Podman 4.3.
func (c *inspection) podmanStop(out *Container, o *outlook) {
	h := c.worstHang(o)
	if k := c.t.Container; k.StopTimeout == nil && !k.Inspected && c.opt.Timeout == nil {
		out.Confidence = Assumed // its timeout stands in Podman's database alone
	}
	switch {
	case o.timeout < 0:
		c.podmanFails(out, "failed to parse parameters: a timeout below 0 is not taken")
	case c.paused():
		c.podmanFails(out, fmt.Sprintf("container %s is running or paused, refusing to clean up: container state improper", c.t.Container.ID))
		out.Findings = append([]Finding{c.podmanPaused()}, withoutCode(out.Findings, "WS307")...)
	case h != nil && out.Verdict == Stuck:
		c.podmanStuck(out, o, h)
	case o.timeout == 0:
		c.podmanAtOnce(out, o)
	}
}

func withoutCode(list []Finding, code string) []Finding {
	var out []Finding
	for _, f := range list {
		if f.Code != code {
			out = append(out, f)
		}
	}
	return out
}

// podmanFails: docker stop is answered by an error at once, and nothing is sent.
func (c *inspection) podmanFails(out *Container, message string) {
	no, zero := false, 0.0
	text := "Error response from daemon: " + message
	out.Verdict, out.Confidence, out.Layer = Stuck, Likely, LayerEngine
	out.Headline = "Podman refuses to stop it: " + message
	if c.paused() {
		out.Headline = "Podman does not stop a paused container: docker stop is an error at once, and it stays paused"
	}
	s := out.Stop
	s.Outcome, s.ExitCode, s.AfterSeconds, s.ContainerEnds, s.KilledUnheard = string(Stuck), nil, nil, &no, []int{}
	s.Command = Command{Returns: true, AfterSeconds: &zero, ExitStatus: status(1), Error: &text}
	s.Steps = []Step{{Action: "docker stop asks Podman", Effect: "an error at once: nothing is sent"}}
}

// podmanPaused: kill and rm -f do work.
func (c *inspection) podmanPaused() Finding {
	f := newFinding("WS307", nil)
	f.Summary = "paused: Podman's stop does not unpause it as Docker's does; kill and rm -f end it"
	f.Evidence = append(f.Evidence, configFact("State.Status", "paused", "frozen by podman pause"))
	f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "unpause it first", Command: command("docker unpause %s", c.displayName())})
	return f
}

// podmanStuck: SIGKILL does not end it all.
func (c *inspection) podmanStuck(out *Container, o *outlook, h *hang) {
	no := false
	word := "PIDs"
	if !strings.HasPrefix(c.host.Engine.Version, "4.") && !strings.HasPrefix(c.host.Engine.Version, "3.") {
		word = "PID" // libpod 5
	}
	given := "given " + word + " did not die within timeout"
	at := float64(o.timeout)
	after := at + podmanWait
	text := "Error response from daemon: " + given
	s := out.Stop
	s.ExitCode, s.AfterSeconds, s.ContainerEnds = nil, nil, &no
	s.Command = Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &text}
	last := "an error: " + given
	s.Steps = []Step{{Action: s.Signal + " to " + c.title(c.root), Effect: o.root.note}}
	if o.timeout == 0 {
		s.Steps = nil // no stop signal is sent at all
	}
	if h.p == c.root && h.t != nil && h.t.TID != h.p.PID {
		// The runtime takes a dead leader for the end of it all: success, or not.
		s.Command.ExitStatus, s.Command.AfterSeconds, s.Command.Error = nil, nil, nil
		last = "an error, or as if all were well (a race); what hangs lives on"
	}
	s.Steps = append(s.Steps, Step{AtSeconds: at, Action: "SIGKILL to " + c.title(c.root), Effect: h.says},
		Step{AtSeconds: after, Action: "docker stop returns", Effect: last})
	out.Kill = podmanEnd("timed out waiting for file", "booked as exited (-1), and it lives", h.says, c.title(c.root))
	out.Kill.Signal = "SIGKILL"
	if out.Rm != nil {
		out.Rm = podmanEnd("cannot remove container "+c.t.Container.ID+" as it could not be stopped: "+given, "it stays", h.says, c.title(c.root))
	}
}

// conmonHeld: Podman signals by the runtime and not by conmon, which only reaps.
// Measured with Podman 4.3: the signal arrives and the program ends, but stays a
// zombie; stop says so after its timeout, or as kill fails after podmanWait.
func (c *inspection) conmonHeld(p *evidence.Part) *cause {
	return newCause("WS314", LayerShim, endsUnsettled, Assumed,
		fmt.Sprintf("conmon (PID %d) is %s: signals get through, but Podman does not learn of the container's end before it goes on", p.PID, heldWord(p))).
		shows(heldFact(p)...).
		fix(withText(fixHeld(p), "let it go on"))
}

// podmanEnd is docker kill or docker rm -f of what does not die.
func podmanEnd(message, then, says, who string) *EndForecast {
	no, after := false, float64(podmanWait)
	text := "Error response from daemon: " + message
	return &EndForecast{Outcome: "stuck", ContainerEnds: &no,
		Command: Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &text},
		Steps:   []Step{{Action: "SIGKILL to " + who, Effect: says}, {AtSeconds: after, Action: "docker gives up", Effect: "an error; " + then}}}
}

// podmanAtOnce: with a timeout of 0 Podman sends SIGKILL and no stop signal
// (libpod StopContainer). A container that was made by its Docker API without a
// timeout has 0, not 10.
func (c *inspection) podmanAtOnce(out *Container, o *outlook) {
	zero, yes := 0.0, true
	out.Confidence = Certain
	if out.Verdict != Killed {
		out.Verdict = Abrupt
		out.Headline = "timeout 0: Podman sends SIGKILL at once and no stop signal"
	}
	s := out.Stop
	s.Outcome, s.ExitCode, s.AfterSeconds, s.ContainerEnds = string(out.Verdict), status(137), &zero, &yes
	s.Command, s.KilledUnheard = returned(&zero), c.withHandler(o.sig)
	s.Steps = []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: c.dyingWords() + ". Exit code 137, unsaved data lost; no " + s.Signal + " before it"}}
}

// podmanForgets: what is in "stopping", by a stop under way or one that has failed,
// docker rm -f takes out of the list and does not kill. Measured with Podman 4.3: 0
// at once, and the process lives on until the stop under way, if there is one,
// sends its SIGKILL.
func (c *inspection) podmanForgets(out *Container) {
	if !strings.HasPrefix(c.host.Engine.Version, "4.") {
		out.Rm = &EndForecast{Outcome: "unknown", Command: Command{Returns: true}, Steps: []Step{}}
		return
	}
	zero := 0.0
	out.Rm = &EndForecast{Outcome: string(Ghost), Command: returned(&zero),
		Steps: []Step{{Action: "remove", Effect: "gone from docker ps -a, and not killed: its processes live on without a container"}}}
}
