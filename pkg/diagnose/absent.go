package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// hostFindings are about the engine as a whole.
func hostFindings(s *evidence.Snapshot) []Finding {
	out := append([]Finding{}, emptyCgroups(s)...)
	e := s.Host.Engine
	if e == nil || e.Trouble == "" {
		return out
	}
	f := newFinding("WS304", nil)
	f.Summary = fmt.Sprintf("the engine at %s does not answer (%s); what follows comes from its own files", e.Endpoint, e.Trouble)
	f.Evidence = []Evidence{{Source: e.Endpoint, Field: "answer", Value: e.Trouble, Says: "docker commands to it fail or hang"}}
	f.Fixes = []Fix{{When: FixHost, Text: "see whether dockerd and containerd run, and whether one of them is stopped (state T)", Command: "ps -o pid,stat,args -C dockerd,containerd"}}
	return append(out, f)
}

// elsewhere: the PID is not of this kernel.
func (c *inspection) elsewhere(out *Container) {
	out.Verdict, out.Confidence, out.Layer = Unknown, Assumed, LayerEngine
	out.Headline = "its processes are not on this kernel: " + c.t.Identity.Reason
	f := newFinding("WS305", nil)
	f.Summary = out.Headline
	f.Evidence = []Evidence{{Source: "/proc", Field: "PID", Value: fmt.Sprint(c.t.PID), Says: c.t.Identity.Reason}}
	f.Fixes = []Fix{{When: FixHost, Text: "run whystuck on the engine's own host, or take the evidence there and judge it here",
		Command: command("whystuck capture %s > evidence.json", c.displayName())}}
	out.Findings = append(out.Findings, f)
}

// engineSilent reports whether this container's engine or lock does not answer.
func (c *inspection) engineSilent() bool {
	k, e := c.t.Container, c.host.Engine
	if k == nil || e == nil || !isRunning(k.Status) && k.Status != "created" {
		return false
	}
	return e.Trouble != "" || !k.Inspected && k.Source != ""
}

// silent: docker stop cannot get through, whatever the container would do.
func (c *inspection) silent(out *Container) {
	if c.root != nil && isRunning(c.t.Container.Status) && (c.t.Identity == nil || c.t.Identity.Alive) {
		c.living(out)
	}
	f := newFinding("WS303", nil)
	f.Summary = "docker inspect of this container does not answer while docker ps does: its lock is held, so a runtime or shim call hangs"
	f.Evidence = []Evidence{{Source: "docker inspect", Field: "answer", Value: "none in time", Says: "the container's lock is held"}}
	f.Fixes = []Fix{{When: FixHost, Text: "look at its shim: a stopped one (state T) goes on with SIGCONT, and the queued commands are then carried out", Command: shimCommand(c.t.Container.ID)}}
	out.Verdict, out.Confidence, out.Layer = Stuck, Likely, LayerShim
	out.Headline = "its lock in the engine is held: docker stop, kill, rm and inspect of it hang"
	never := Command{Returns: false}
	if e := c.host.Engine; e.Trouble != "" {
		f = Finding{}
		out.Layer = LayerEngine
		out.Headline = fmt.Sprintf("the engine does not answer (%s): no docker command reaches this container", e.Trouble)
		if e.Trouble == "refused" || e.Trouble == "gone" {
			msg := "Cannot connect to the Docker daemon"
			zero := 0.0
			never = Command{Returns: true, AfterSeconds: &zero, ExitStatus: status(1), Error: &msg}
		}
	}
	no := false
	if out.Stop == nil {
		sig := c.stopSignal()
		timeout, source := c.stopTimeout()
		out.Stop = &StopForecast{Signal: evidence.SignalName(sig), TimeoutSeconds: timeout, TimeoutSource: source, Then: "stays", KilledUnheard: []int{}}
	}
	out.Stop.Outcome, out.Stop.ExitCode, out.Stop.AfterSeconds = string(Stuck), nil, nil
	out.Stop.ContainerEnds, out.Stop.Command = &no, never
	out.Stop.Steps = []Step{{Action: "docker stop asks the engine", Effect: "no signal is sent: " + out.Headline}}
	end := EndForecast{Outcome: "stuck", Command: never, ContainerEnds: &no, Steps: []Step{}}
	kill, rm := end, end
	kill.Signal = "SIGKILL"
	out.Kill, out.Rm = &kill, &rm
	if f.Code != "" {
		out.Findings = append([]Finding{f}, out.Findings...)
	}
}

// shimCommand lists the shim of a container.
func shimCommand(id string) string {
	if !safeWord(id) || id == "" {
		return ""
	}
	return fmt.Sprintf("ps -eo pid,stat,args | grep '[c]ontainerd-shim.*%s'", bounded(id, 12))
}

// gone: the engine says running, and there is no such process.
func (c *inspection) gone(out *Container) {
	out.Verdict, out.Confidence, out.Layer = Ghost, Certain, LayerEngine
	out.Headline = fmt.Sprintf("the engine says running, but there is no process %d", c.t.PID)
	if c.t.Identity != nil && c.t.Identity.Vanished {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "it ended while it was being looked at: look again"
		return
	}
	if c.t.Container == nil {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "it could not be read"
		return
	}
	if c.t.PID == 0 {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "the engine names no process for it yet: look again"
		if c.t.Container.Status == "restarting" {
			out.Verdict, out.Confidence = NotRunning, Likely
			out.Headline = "it is between two starts of its restart policy"
		}
		return
	}
	f := newFinding("WS301", nil)
	f.Summary = out.Headline + ": the exit was lost, or something holds its handling (a log driver, an exec, a hung shim)"
	f.Evidence = []Evidence{{Source: fmt.Sprintf("/proc/%d", c.t.PID), Field: "status", Value: "absent", Says: "no such process"},
		{Source: "docker inspect", Field: "State.Running", Value: "true", Says: "the engine does not know"}}
	f.Fixes = []Fix{{When: FixNow, Text: "docker stop heals a lost exit after about the timeout; if not, restart the engine (with live-restore the other containers stay)", Command: command("docker stop %s", c.displayName())}}
	timeout, source := c.stopTimeout()
	out.Stop = &StopForecast{Signal: evidence.SignalName(c.stopSignal()), TimeoutSeconds: timeout, TimeoutSource: source, Outcome: string(Ghost),
		Command: Command{Returns: true}, Then: "stays", KilledUnheard: []int{}, Steps: []Step{}}
	out.Findings = append(out.Findings, f)
}

// notRunning: created, exited, dead, removing.
func (c *inspection) notRunning(out *Container) {
	k := c.t.Container
	out.Verdict, out.Layer, out.ExitCode = NotRunning, LayerEngine, k.ExitCode
	switch k.Status {
	case "exited":
		out.Headline = "it has exited"
		if k.ExitCode != nil {
			out.Headline = fmt.Sprintf("it has exited with code %d", *k.ExitCode)
		}
		if k.OOMKilled {
			out.Headline += " (out of memory)"
		}
	case "created":
		out.Headline = "it was created and never started"
		if k.Error != "" {
			out.Headline = "its start failed: " + bounded(k.Error, 200)
		}
		if k.PID != 0 || c.root != nil || len(c.t.Processes) > 0 {
			c.halfway(out, "it is stuck in its start: the runtime has begun and not come back")
		}
	case "removing":
		c.halfway(out, "it is being removed, and that has not ended")
	case "dead":
		c.halfway(out, "its removal failed half-way (Dead)")
	default:
		out.Headline = "it is " + bounded(k.Status, 40)
	}
	if k.Status == "exited" && len(c.alive()) > 0 {
		c.orphan(out)
	}
}

// halfway: a start or a removal that does not end.
func (c *inspection) halfway(out *Container, says string) {
	out.Headline, out.Confidence = says, Likely
	f := newFinding("WS308", c.root)
	f.Summary = says
	f.Evidence = []Evidence{{Source: "docker inspect", Field: "State.Status", Value: out.Status, Says: "neither running nor gone"}}
	f.Fixes = []Fix{{When: FixNow, Text: "try the removal again; what holds it is named in its error", Command: command("docker rm -f %s", c.displayName())}}
	out.Findings = append(out.Findings, f)
}
