package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// causes are the faults between the docker command and this container, the one
// that decides first: those of the whole engine, and those of its own shim and
// lock.
func (c *inspection) causes() (engine, own []*cause) {
	k := c.t.Container
	if k == nil || c.t.Kind != evidence.KindContainer {
		return nil, nil
	}
	if k.Status == "exited" || k.Status == "dead" {
		if why := c.endedAndLocked(); why != nil {
			return nil, []*cause{why}
		}
		if !c.startsAgain() {
			return nil, nil
		}
	}
	if IsRunning(k.Status) {
		engine = engineCauses(c.host.Engine)
	}
	for _, p := range c.keepers() {
		if heldPart(p) {
			own = append(own, c.shimHeld(p))
		}
	}
	if f := c.freshContainerd(); f != nil && len(engine)+len(own) == 0 && IsRunning(k.Status) {
		own = append(own, f)
	}
	if len(engine)+len(own) == 0 && k.InspectTrouble == evidence.GapTimeout {
		if why := c.locked(); why != nil {
			own = append(own, why)
		}
	}
	return engine, own
}

// startsAgain: it has exited, and its lock is held: a start holds it until the
// runtime has begun.
func (c *inspection) startsAgain() bool {
	return c.t.Container.Status == "exited" && c.t.Container.InspectTrouble == evidence.GapTimeout && !c.t.Moved
}

// shimHeld: the container's shim is stopped or traced.
func (c *inspection) shimHeld(p *evidence.Part) *cause {
	if c.fromPodman() {
		return c.conmonHeld(p)
	}
	if c.t.Container.BundleGone && (c.root == nil || dead(c.root)) {
		return c.givenUp(p)
	}
	return newCause("WS314", LayerShim, endsNever, heldConf(p.Process),
		fmt.Sprintf("%s (PID %d) is %s: no signal gets through to the container", roleWords(p), p.PID, heldWord(p))).
		shows(heldFact(p)...).shows(c.lockFact()...).
		fix(withText(fixHeld(p), "let it go on: "+afterwards(c.host.Engine)))
}

// lockFact says that the container's lock is held, where that was seen.
func (c *inspection) lockFact() []Evidence {
	if c.t.Container.InspectTrouble != evidence.GapTimeout {
		return nil
	}
	return []Evidence{{Source: "docker inspect", Field: "answer", Value: "none in time", Says: "the container's lock is held; docker ps does not take it"}}
}

// locked: the list answers and inspect of this container does not. Who holds the
// lock is looked for from the container outwards. nil where that is no fault, for all
// that can be seen.
func (c *inspection) locked() *cause {
	for _, p := range c.keepers() {
		if in, hangs := partHangs(c.withoutMembers(p)); len(hangs) > 0 {
			return c.runtimeStuck(in, &hangs[0], p)
		}
	}
	below := c.runtimes()
	for _, p := range below {
		if heldMute(p) {
			return c.runtimeHeld(p)
		}
	}
	if c.host.Engine != nil {
		d := part(c.host.Engine.Parts, evidence.RoleDaemon)
		if in, hangs := partHangs(d); len(hangs) > 0 {
			return daemonStuck(c.host.Engine, in, &hangs[0], d).shows(c.lockFact()...)
		}
	}
	ending := c.root == nil && c.wasRunning() && !c.unread()
	passes := c.startsAgain() || ending && c.underWay() // a start or an exit may take its time
	if len(below) > 0 {
		if why := c.runtimeWaits(below[0]); why.conf != Assumed || !passes {
			return why
		}
	}
	if passes {
		return nil
	}
	if ending {
		return c.exitHeld()
	}
	conf := Likely
	if c.late() {
		conf = Assumed
	}
	return newCause("WS303", LayerShim, endsNever, conf,
		"its lock in the engine is held: docker stop, kill, rm and inspect of it hang").
		shows(c.lockFact()...).
		fix(Fix{When: FixHost, Text: "look at its shim: a stopped one (state T) goes on with SIGCONT, and the queued commands are then carried out", Command: shimCommand(c.t.Container.ID)})
}

// wasRunning: the engine books it as running, under a PID.
func (c *inspection) wasRunning() bool { return IsRunning(c.t.Container.Status) && c.t.PID != 0 }

// blocked judges a container that docker's commands do not reach as they should.
// What the container itself would do is judged before, where it lives: its
// findings stay true.
func (c *inspection) blocked(out *Container, why *cause, own []*cause) {
	alive := c.t.Identity == nil || c.t.Identity.Alive
	if c.root != nil && alive && IsRunning(c.t.Container.Status) {
		c.living(out)
	}
	out.Verdict, out.Confidence, out.Layer, out.Headline = Stuck, why.conf, why.layer, why.headline
	if out.Stop == nil {
		timeout, source := c.stopTimeout()
		out.Stop = &StopForecast{Signal: evidence.SignalName(c.stopSignal()), TimeoutSeconds: timeout, TimeoutSource: source, Then: "stays", KilledUnheard: []int{}}
	}
	switch why.ends {
	case endsUnsent:
		c.unsent(out)
	case endsUnsettled:
		c.unsettle(out)
	case endsForgotten:
		c.forgotten(out)
	default:
		c.unreached(out, why)
	}
	out.Findings = stillTrue(out.Findings)
	for _, o := range slices.Backward(own) {
		out.Findings = slices.Insert(out.Findings, 0, o.finding)
	}
}

// stillTrue are the container's own findings that matter while docker's commands
// do not get through: no remarks, and no fix that is such a command.
func stillTrue(list []Finding) []Finding {
	out := []Finding{}
	for _, f := range list {
		if f.Severity == SeverityInfo {
			continue
		}
		f.Fixes = slices.DeleteFunc(slices.Clone(f.Fixes), func(x Fix) bool {
			return x.When == FixNow && strings.HasPrefix(x.Command, "docker ")
		})
		out = append(out, f)
	}
	return out
}

// unsettle takes back what cannot be told at this moment.
func (c *inspection) unsettle(out *Container) {
	out.Verdict = Unknown
	s := out.Stop
	s.Outcome, s.ExitCode, s.AfterSeconds, s.ContainerEnds, s.Command = string(Unknown), nil, nil, nil, Command{Returns: true}
	s.KilledUnheard = []int{}
	for _, e := range []*EndForecast{out.Kill, out.Rm} {
		if e != nil {
			*e = EndForecast{Signal: e.Signal, Outcome: "unknown", Command: Command{Returns: true}, Steps: []Step{}}
		}
	}
}

// unreached: no signal is sent at all.
func (c *inspection) unreached(out *Container, why *cause) {
	end := Command{Returns: false}
	switch why.ends {
	case endsUnconnected:
		message, zero := "Cannot connect to the Docker daemon", 0.0
		end = Command{Returns: true, AfterSeconds: &zero, ExitStatus: status(1), Error: &message}
	case endsAstray:
		end = Command{Returns: true}
	}
	no := false
	out.Stop.Outcome, out.Stop.ExitCode, out.Stop.AfterSeconds = string(Stuck), nil, nil
	out.Stop.ContainerEnds, out.Stop.Command, out.Stop.KilledUnheard, out.Stop.Then = &no, end, []int{}, "stays"
	out.Stop.Steps = []Step{{Action: "docker stop asks the engine", Effect: "no signal is sent"}}
	for _, to := range []**EndForecast{&out.Kill, &out.Rm} {
		*to = &EndForecast{Outcome: "stuck", Command: end, ContainerEnds: &no, Steps: []Step{}}
	}
	out.Kill.Signal = "SIGKILL"
}

// unsent: containerd is away. Its absence is an error for dockerd, which waits 2 s
// instead of the timeout, and in the end kills the init itself (moby
// daemon/kill.go killProcessDirectly); the exit is not booked before containerd
// is back. Measured with 20.10: 14 or 16 s for a stop, 12 s for kill and rm -f,
// with an error whose text is a race: whether dockerd finds the killed process
// once more.
func (c *inspection) unsent(out *Container) {
	yes, no := true, false
	cmd := Command{Returns: true, ExitStatus: status(1)}
	if part(c.host.Engine.Parts, evidence.RoleContainerd).ByDaemon { // it may be back before that
		cmd.ExitStatus = nil
	}
	out.Verdict = Ghost
	s := out.Stop
	s.Outcome, s.ExitCode, s.AfterSeconds, s.ContainerEnds, s.Command = string(Ghost), status(137), nil, &yes, cmd
	s.Steps = []Step{
		{Action: s.Signal + " through containerd", Effect: "fails: containerd is not running"},
		{AtSeconds: waitNoSignal, Action: "SIGKILL through containerd", Effect: "fails"},
		{AtSeconds: waitNoSignal + waitExitEvent, Action: "SIGKILL by dockerd itself", Effect: "dies, unheard. The engine goes on to say running until containerd is back, and docker stop ends with an error"},
	}
	out.Kill = &EndForecast{Signal: "SIGKILL", Outcome: "ghost", Command: cmd, ContainerEnds: &yes, Steps: []Step{}}
	out.Rm = &EndForecast{Outcome: "ghost", Command: cmd, ContainerEnds: &no, Steps: []Step{}}
}
