package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// ghost: the engine says running, there is no such process, and it says so again
// when it is asked a second time.
func (c *inspection) ghost(out *Container) {
	out.Confidence = Likely
	f := c.findGhost(out.Headline)
	out.Headline = f.Summary
	timeout, source := c.stopTimeout()
	out.Stop = &StopForecast{Signal: evidence.SignalName(c.stopSignal()), TimeoutSeconds: timeout, TimeoutSource: source, Outcome: string(Ghost),
		Command: Command{Returns: true}, Then: "stays", KilledUnheard: []int{}, Steps: []Step{}}
	c.healedByStop(out, timeout)
	out.Findings = append(out.Findings, f)
}

// healedByStop is how docker stop, kill and rm -f go when containerd says that
// there is no such task: dockerd takes that for good news, and books the exit
// itself after the container's own stop timeout, whatever the command's (moby
// daemon/kill.go killWithSignal). A command gives up 10 s after its SIGKILL, with
// success: the direct kill finds nobody.
func (c *inspection) healedByStop(out *Container, timeout int) {
	own := c.ownTimeout()
	heals := float64(own)
	if own < 0 {
		d := c.defect(catalog.GhostForMinus1)
		if d != nil {
			out.Findings = append(out.Findings, c.findDefect(d))
			if timeout < 0 {
				out.Stop.Command = Command{Returns: false}
			}
		}
		if d != nil || c.host.Engine == nil || c.host.Engine.Version == "" {
			return
		}
		heals = 0
	}
	stop, kill := heals, min(heals, waitExitEvent)
	if timeout >= 0 {
		stop = min(heals, float64(timeout+waitExitEvent))
	}
	yes := true
	out.Stop.Command, out.Stop.ContainerEnds = returned(&stop), &yes
	out.Stop.Steps = []Step{
		{Action: out.Stop.Signal + " through containerd", Effect: "no such process: taken for an end that is still to be told"},
		{AtSeconds: heals, Action: "the engine", Effect: "books the exit by itself"},
	}
	out.Kill = &EndForecast{Signal: "SIGKILL", Outcome: "ghost", Command: returned(&kill), ContainerEnds: &yes, Steps: []Step{}}
}

// ownTimeout is the container's own stop timeout, or the engine's for all (moby
// daemon/kill.go killWithSignal), which no flag of a command changes.
func (c *inspection) ownTimeout() int {
	own, _ := c.configuredTimeout()
	return own
}

// findGhost says why the engine does not know, as far as that can be seen.
func (c *inspection) findGhost(what string) Finding {
	for i := range c.t.Clients {
		if p := &c.t.Clients[i]; heldPart(p) {
			return c.execHolds(p, what)
		}
	}
	if alive := c.alive(); len(alive) > 0 {
		return c.execSurvives(alive, what)
	}
	f := newFinding("WS301", nil)
	f.Summary = what + ": the exit was lost on its way to the engine"
	f.Evidence = []Evidence{{Source: fmt.Sprintf("/proc/%d", c.t.PID), Field: "status", Value: "absent", Says: "no such process"}}
	if id := c.t.Identity; id != nil && id.Reason != "" {
		f.Evidence[0] = Evidence{Source: fmt.Sprintf("/proc/%d", c.t.PID), Field: "start time, cgroup", Value: "not the container's", Says: id.Reason}
	}
	f.Evidence = append(f.Evidence, Evidence{Source: "docker inspect", Field: "State.Running", Value: "true", Says: c.askedTwice()}, c.shimFact())
	if n := len(c.t.Container.ExecIDs); n > 0 {
		f.Evidence = append(f.Evidence, Evidence{Source: "docker inspect", Field: "ExecIDs", Value: fmt.Sprint(n), Says: "an exec that the engine has not seen end either may hold it back"})
	}
	if c.ownTimeout() < 0 && c.defect(catalog.GhostForMinus1) != nil {
		return f // WS326 has the way out
	}
	f.Fixes = []Fix{{When: FixNow, Text: "docker stop heals it: the engine books the exit after the container's stop timeout; if not, restart the engine (with live-restore the other containers stay)",
		Command: command("docker stop %s", c.displayName())}}
	return f
}

func (c *inspection) askedTwice() string {
	if c.t.StayedMillis == nil {
		return "the engine does not know"
	}
	return fmt.Sprintf("the engine does not know, and says the same %.1f s later", float64(*c.t.StayedMillis)/1000)
}

// shimFact says whether the shim, which tells of the exit, is still there.
func (c *inspection) shimFact() Evidence {
	if p := part(c.t.Shims, evidence.RoleShim); p != nil {
		return Evidence{Source: fmt.Sprintf("/proc/%d", p.PID), Field: "shim", Value: "lives", Says: "it has told of the exit, or has still to"}
	}
	return Evidence{Source: "/proc", Field: "shim", Value: "gone", Says: "there is nobody left to tell of the exit"}
}

// execHolds: the end of an exec stands before the container's own in dockerd's
// queue, and does not come through, because its client is stopped and takes no
// output (moby daemon/monitor.go: one queue for each container).
func (c *inspection) execHolds(client *evidence.Part, what string) Finding {
	f := newFinding("WS320", nil)
	f.PID = client.PID
	f.Summary = fmt.Sprintf("%s: the end of a docker exec stands before its own, and the client of that (PID %d) is %s", what, client.PID, heldWord(client))
	f.Evidence = append([]Evidence{{Source: fmt.Sprintf("/proc/%d", c.t.PID), Field: "status", Value: "absent", Says: "no such process"},
		{Source: "docker inspect", Field: "State.Running", Value: "true", Says: c.askedTwice()}}, heldFact(client)...)
	f.Fixes = []Fix{withText(fixHeld(client), "let the client go on: the exits are then booked"),
		{When: FixNow, Text: "or end it", Command: fmt.Sprintf("sudo kill -KILL %d", client.PID), Risk: text("the output of that exec is lost")}}
	return f
}

// execSurvives: what was run by docker exec lives on in another PID namespace, and
// the shim tells of the container's end after that of all execs (containerd 1.6.36,
// 1.7.22 and 2.0; measured with 2.3.3).
func (c *inspection) execSurvives(alive []*evidence.Process, what string) Finding {
	f := newFinding("WS320", alive[0])
	f.Summary = what + ": the shim tells of its end once all that was run in it by docker exec has ended, and " + c.livesOn(alive)
	shows, fixes, h := c.survivor(alive)
	if h != nil {
		f.Summary += ", " + c.cause(h)
	}
	f.Evidence = append([]Evidence{{Source: fmt.Sprintf("/proc/%d", c.t.PID), Field: "status", Value: "absent", Says: "no such process"},
		{Source: "docker inspect", Field: "State.Running", Value: "true", Says: c.askedTwice()}, c.shimFact()}, shows...)
	f.Fixes = append(fixes, Fix{When: FixNow, Text: "or have the engine book the exit without it", Command: command("docker stop %s", c.displayName()),
		Risk: text("the process lives on, and no container of the engine has it")})
	return f
}

// exitHeld: the processes are gone, and the engine holds the container's lock: it
// is handling the exit and does not come to an end.
func (c *inspection) exitHeld() *cause {
	k := c.t.Container
	if holders := outputHolders(c.alive()); len(holders) > 0 {
		if since, _ := catalog.Since(c.engineVersion(), outputWaited); since {
			return c.outputKept(holders)
		}
	}
	out := newCause("WS321", LayerEngine, endsNever, Likely,
		"its processes are gone, and the engine hangs in the handling of their exit").
		shows(Evidence{Source: fmt.Sprintf("/proc/%d", c.t.PID), Field: "status", Value: "absent", Says: "no such process"}).shows(c.lockFact()...)
	if remoteLog(k.LogDriver) {
		if path := c.t.Log; path != nil && path.Deaf > 0 {
			out.headline += ": " + c.receiverWords() + " does not read"
		} else {
			out.headline += ": most likely in its log driver " + bounded(k.LogDriver, 40)
		}
		out.shows(c.logFacts()...).fix(c.logFixes()...)
	}
	out.finding.Summary = out.headline
	if c.host.Engine == nil {
		return out
	}
	if d := part(c.host.Engine.Parts, evidence.RoleDaemon); d != nil && d.PID != 0 {
		out.fix(fixDump(d, "the stack with handleContainerExit in it names what it waits for; its log names the file"))
	}
	return out
}
