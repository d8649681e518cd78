package diagnose

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/moby/sys/signal"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Docker's own waits in seconds (moby daemon/stop.go, daemon/kill.go).
const (
	defaultTimeout = 10
	waitExitEvent  = 10 // after SIGKILL
	waitDirectKill = 2  // after dockerd's own kill(2)
	waitStopExtra  = 2  // only docker stop
	waitForgotten  = 2  // the runtime's wait for what a host PID namespace keeps alive
	waitNoSignal   = 2  // instead of the timeout, when the stop signal was refused
)

const noExitEvent = "tried to kill container, but did not receive an exit event"

// outlook is the forecast of docker stop before it is put into words.
type outlook struct {
	sig           int
	timeout       int // seconds, -1 for ever
	timeoutSource string
	root          *reaction
	sim           *simulation
	hangs         []hang

	verdict Verdict
	conf    Confidence
	code    *int
	after   *float64
	unheard []int
	cheated []*evidence.Process
	command Command
	ends    *bool
	steps   []Step
}

// stopSignal is the signal that docker stop sends: the flag's, else the
// container's; what dockerd cannot parse silently becomes SIGTERM.
func (c *inspection) stopSignal() int {
	if c.opt.Signal != 0 {
		return c.opt.Signal
	}
	if c.t.Container == nil || c.t.Container.StopSignal == "" {
		return evidence.SIGTERM
	}
	n, err := signal.ParseSignal(c.t.Container.StopSignal)
	if err != nil {
		return evidence.SIGTERM
	}
	return int(n)
}

// stopTimeout is the timeout and where it comes from.
func (c *inspection) stopTimeout() (int, string) {
	switch {
	case c.opt.Timeout != nil:
		return max(*c.opt.Timeout, -1), "flag"
	case c.t.Container != nil && c.t.Container.StopTimeout != nil:
		return max(*c.t.Container.StopTimeout, -1), "container"
	case c.host.Engine != nil && c.host.Engine.DefaultStopTimeout != nil:
		return *c.host.Engine.DefaultStopTimeout, "daemon"
	}
	return defaultTimeout, "default"
}

// forecast follows docker stop to its end.
func (c *inspection) forecast() *outlook {
	o := &outlook{sig: c.stopSignal(), hangs: c.hangs(), unheard: []int{}}
	o.timeout, o.timeoutSource = c.stopTimeout()
	limit := float64(o.timeout)
	if o.timeout < 0 {
		limit = math.Inf(1)
	}
	o.sim = c.simulate(o.sig, limit)
	o.root = o.sim.send(c.root, o.sig)
	if c.pausedThrough() {
		o.root.stays(effectPending, "paused: this signal does not unpause it", "WS307", Likely)
	}
	o.step(0, fmt.Sprintf("%s to %s", evidence.SignalName(o.sig), c.title(c.root)), o.root.note)
	c.decide(o, limit)
	c.unheard(o)
	c.endings(o)
	return o
}

// pausedThrough: a stop signal that is not the container's own leaves it paused
// (moby killWithSignal unpauses only for SIGKILL and the configured one).
func (c *inspection) pausedThrough() bool {
	return c.paused() && c.opt.Signal != 0 && c.t.Container.StopSignal != "" && c.root != nil &&
		c.opt.Signal != evidence.SIGKILL && c.inspectionStop() != c.opt.Signal
}

// inspectionStop is the container's own stop signal, whatever the flag says.
func (c *inspection) inspectionStop() int {
	plain := *c
	plain.opt.Signal = 0
	return plain.stopSignal()
}

func (o *outlook) step(at float64, action, effect string) {
	o.steps = append(o.steps, Step{AtSeconds: at, Action: action, Effect: effect})
}

// title is how a process is named in the timeline: its PID in the container and
// its name.
func (c *inspection) title(p *evidence.Process) string {
	if n := p.NSPID(); n != 0 {
		return fmt.Sprintf("%d %s", n, name(p))
	}
	return fmt.Sprintf("%d %s", p.PID, name(p))
}

// decide sets verdict, confidence, time and exit code from the root's reaction.
func (c *inspection) decide(o *outlook, limit float64) {
	r := o.root
	o.conf = r.conf
	switch {
	case o.sig == evidence.SIGKILL:
		o.verdict, o.conf = Abrupt, Certain
		o.ended(0, status(137))
	case r.ends == catalog.EndsYes && r.after <= limit:
		o.verdict = Stops
		o.ended(r.after, r.code)
		if r.atMost {
			o.after = nil
		}
		if o.timeout == 0 && !r.bySignal { // SIGKILL follows at once
			o.verdict, o.code, o.conf = Abrupt, nil, Assumed
		}
	case r.ends == catalog.EndsYes:
		o.killed(limit)
		o.root.why = "WS114"
	case r.ends == catalog.EndsNo:
		o.killed(limit)
	case r.gap != "":
		o.verdict, o.conf = Unknown, Assumed
	case o.timeout == 0:
		o.verdict, o.conf = Abrupt, Assumed
	default:
		o.verdict, o.code = Stops, nil
	}
}

func (o *outlook) ended(after float64, code *int) {
	o.after, o.code = &after, code
}

// killed: nothing ends it before the timeout.
func (o *outlook) killed(limit float64) {
	if o.timeout < 0 {
		o.verdict = Stuck
		return
	}
	o.verdict = Killed
	o.ended(limit, status(137))
}

func status(n int) *int { return &n }

// unheard finds the processes that have a handler and die before it has done its
// work, and turns a clean end into an abrupt one where that is known.
func (c *inspection) unheard(o *outlook) {
	if o.verdict == Unknown {
		return
	}
	ends := o.verdict == Stops
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if p.Outside || dead(p) || dying(p) {
			continue
		}
		conf, cheated := c.cheated(o, p)
		if !cheated {
			continue
		}
		o.unheard = append(o.unheard, p.PID)
		o.cheated = append(o.cheated, p)
		if ends {
			if o.verdict == Stops {
				o.conf = worse(o.conf, conf)
			}
			o.verdict = Abrupt
		}
	}
	sort.Ints(o.unheard)
}

// cheated reports whether p has a handler for the signal that does not get to
// run, or not to its end.
func (c *inspection) cheated(o *outlook, p *evidence.Process) (Confidence, bool) {
	has, conf := c.hasHandler(p, o.sig)
	if has == no {
		return Certain, false
	}
	r := o.sim.reached[p.PID]
	switch {
	case o.sig == evidence.SIGKILL || o.verdict == Abrupt:
		return conf, p != c.root
	case r != nil && p == c.root:
		// Its handler did not run (a trap held back, a stopped process).
		return conf, r.effect == effectPending && r.disp.kind == caught
	case r != nil && o.verdict == Stops:
		return worse(conf, Likely), !r.awaited && o.root.ends == catalog.EndsYes && r.effect == effectHandler && o.root.tellsNobody
	case r != nil:
		return conf, r.effect == effectPending && r.disp.kind == caught
	}
	if o.root.ends == catalog.EndsUnknown {
		return conf, false // whether it is told cannot be seen
	}
	above := c.nearestReached(o, p)
	if above == nil {
		return conf, o.verdict != Stops || o.root.tellsNobody
	}
	if above.ends == catalog.EndsUnknown {
		return conf, false
	}
	silent := above.tellsNobody || above.ends == catalog.EndsNo && above.effect != effectHandler
	return worse(conf, Likely), silent
}

// nearestReached is the reaction of the closest ancestor that gets the signal.
func (c *inspection) nearestReached(o *outlook, p *evidence.Process) *reaction {
	for i, q := 0, c.byPID[p.PPID]; q != nil && i < 64; i, q = i+1, c.byPID[q.PPID] {
		if r := o.sim.reached[q.PID]; r != nil {
			return r
		}
	}
	return nil
}

// hasHandler reports whether a process has code of its own for the signal, not
// only its runtime's.
func (c *inspection) hasHandler(p *evidence.Process, sig int) (answer, Confidence) {
	if sig == evidence.SIGKILL {
		sig = evidence.SIGTERM // what it would have liked to hear
	}
	d := c.dispose(p, sig)
	switch d.kind {
	case caught, waited, signalFD:
	default:
		return no, Certain
	}
	conf := Likely
	if p.Brief {
		if t := c.twin(p); t != nil {
			has, conf := c.hasHandler(t, sig)
			return has, worse(conf, Likely)
		}
		return yes, Assumed
	}
	row := c.program(p)
	switch {
	case isGo(p):
		if asked, known := goAsked(p, sig); known && !asked {
			return no, Likely
		} else if !known {
			conf = Assumed
		}
	case row == nil:
	case row.Kind == catalog.KindInit || row.Kind == catalog.KindWrapper:
		return no, Likely
	case row.ID == "node":
		own, _ := nodeOwn(p, sig)
		if own == yes {
			return no, Likely
		} else if own == perhaps {
			conf = Assumed
		}
	case row.ID == "php":
		if p.Inside == nil || p.Inside.PHP == nil {
			return perhaps, Assumed
		}
		if slices.Contains(p.Inside.PHP.UserHandlers, sig) {
			return yes, Likely
		}
		return no, Likely
	case row.ID == "mksh":
		return perhaps, Assumed
	}
	return yes, conf
}

// endings fills what the command does, from the verdict and the hangs.
func (c *inspection) endings(o *outlook) {
	yes := true
	o.ends = &yes
	o.command = returned(o.after)
	if o.verdict == Unknown {
		o.ends, o.command = nil, Command{Returns: true}
	}
	if o.verdict == Stuck { // timeout -1 and no effect
		no := false
		o.ends, o.command = &no, Command{Returns: false}
		o.step(0, "no SIGKILL ever follows", "timeout -1: docker stop waits for ever")
		return
	}
	if h := c.worstHang(o); h != nil {
		c.stuck(o, h)
		return
	}
	for i := range o.hangs {
		if h := &o.hangs[i]; h.unread && c.holdsEnd(h.p) && o.verdict != Unknown {
			// Not Stuck: a vfork parent looks the same to those who may not read more.
			c.unreadable(o, h.p, h.t)
			return
		}
	}
	if t := leader(c.root); t != nil && o.verdict == Killed && dying(c.root) && t.State == "S" && len(t.Stack) == 0 && c.root.NSPID() == 1 {
		// It may be emptying its namespace, and that may take for ever.
		c.unreadable(o, c.root, t)
		return
	}
	if o.verdict == Killed {
		effect := c.dyingWords() + ". Exit code 137, unsaved data lost"
		if len(o.cheated) > 0 {
			effect = c.dyingWords() + ", " + c.names(o.cheated) + " unheard. Exit code 137"
		}
		o.step(*o.after, "SIGKILL to "+c.title(o.root.p), effect)
	}
}

// unreadable: what a task sleeps in decides, and could not be read.
func (c *inspection) unreadable(o *outlook, p *evidence.Process, t *evidence.Task) {
	o.verdict, o.conf, o.ends, o.after, o.code = Unknown, Assumed, nil, nil, nil
	o.command = Command{Returns: true}
	o.root.gap = fmt.Sprintf("/proc/%d/task/%d/stack", p.PID, t.TID)
}

// returned is a command that ends well when the container does.
func returned(after *float64) Command {
	return Command{Returns: true, AfterSeconds: after, ExitStatus: status(0)}
}

// worstHang is the surest hang, nil when nothing hangs.
func (c *inspection) worstHang(o *outlook) *hang {
	var worst *hang
	for i := range o.hangs {
		if !c.holdsEnd(o.hangs[i].p) || o.hangs[i].unread {
			continue
		}
		if worst == nil || rank(o.hangs[i].conf) > rank(worst.conf) {
			worst = &o.hangs[i]
		}
	}
	if worst == nil && c.frozenAbove() {
		worst = &hang{p: c.root, t: leader(c.root), code: "WS207", conf: Certain, says: "a parent cgroup is frozen"}
	}
	return worst
}

// stuck: SIGKILL does not end it all.
func (c *inspection) stuck(o *outlook, h *hang) {
	o.conf = h.conf
	o.code = nil
	if c.t.HostPIDNS != nil && *c.t.HostPIDNS && h.p != c.root {
		// The container's own process dies and the engine books it as exited; the
		// task lives on without a container (measured with --pid=host).
		o.verdict = Ghost
		no := false
		o.ends = &no
		if o.after != nil {
			after := *o.after + waitForgotten
			o.command = returned(&after)
		}
		return
	}
	wait := waitExitEvent + waitDirectKill + waitStopExtra
	message := fmt.Sprintf("cannot stop container: %s: %s", c.displayName(), noExitEvent)
	if h.leaderZombie && h.p == c.root {
		wait = waitExitEvent + waitStopExtra
		message = fmt.Sprintf("cannot stop container: %s: %s", c.displayName(), c.zombieText())
	}
	o.verdict, o.after = Stuck, nil
	no := false
	o.ends = &no
	at := float64(max(o.timeout, 0))
	after := at + float64(wait)
	o.command = Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &message}
	if h.leaderZombie && h.t != nil && h.t.TID != h.p.PID {
		o.command.ExitStatus = nil // measured 0 and 1: a race
	}
	if h.timeless {
		o.command.AfterSeconds, o.command.Error = nil, nil // one of two, and which is not known
	}
	forever := o.timeout < 0
	if forever {
		o.command = Command{Returns: false}
	}
	if c.defect(catalog.StopWithoutEnd) != nil {
		o.command = Command{Returns: false}
	}
	if h.p == c.root && alreadyZombie(h) {
		booked, known := c.bookedAt(h)
		gives := float64(o.timeout + waitExitEvent)
		switch {
		case !known:
			o.command, at, forever = Command{Returns: true}, 0, false
		case o.timeout >= 0 && booked > gives+waitStopExtra+raceMargin: // it gives up first
		default:
			at, after, forever = 0, booked, false
			o.command = returned(&after)
			if o.timeout >= 0 && booked >= gives-raceMargin {
				o.command.ExitStatus = nil // its own wait ends at the same time
			}
		}
	}
	o.cutSteps()
	if forever && c.byEngine() {
		o.step(0, "no SIGKILL ever follows", "timeout -1: docker stop waits for ever")
		return
	}
	o.step(at, "SIGKILL to "+c.title(o.root.p), h.says)
	if !c.byEngine() {
		o.command = Command{Returns: true} // kill(2) does; nobody waits and gives up
		return
	}
	o.step(after, "docker stop returns", o.lastWords())
}

// alreadyZombie reports whether the init is a zombie before any command is given.
// runc takes it for gone: no signal is sent, and the engine books an exit by itself.
func alreadyZombie(h *hang) bool { return h.leaderZombie && h.p.State == "Z" }

// raceMargin is how close two of the engine's timers may be for a race, in seconds.
const raceMargin = 0.5

// bookedAt is when the engine books the exit of an init that is a zombie already:
// after the container's own stop timeout, whatever the command's (moby
// killWithSignal), and where threads live after a try to delete the task (measured
// 10 and 12 s with the default). false: not known.
func (c *inspection) bookedAt(h *hang) (float64, bool) {
	own := c.ownTimeout()
	if own < 0 {
		return 0, false
	}
	if h.code == "WS206" {
		own += waitDirectKill
	}
	return float64(own), true
}

// zombieText is the engine's own message for a zombie init (moby daemon/kill.go).
func (c *inspection) zombieText() string {
	return fmt.Sprintf("container %s PID %d is zombie and can not be killed. Use the --init option when creating containers to run an init inside the container that forwards signals and reaps processes", c.shortID(), c.root.PID)
}

// lastWords says how a stop of something that does not end comes back.
func (o *outlook) lastWords() string {
	switch s := o.command.ExitStatus; {
	case s == nil:
		return "an error, or as if all were well (a race); what hangs lives on"
	case *s == 0:
		return "as if all were well: booked as exited, and it lives"
	}
	return "an error: " + noExitEvent
}

// byEngine reports whether an engine stops it: a PID alone, or what an engine has
// forgotten, gets signals and no command that gives up.
func (c *inspection) byEngine() bool { return c.t.Kind == evidence.KindContainer }

// cutSteps drops what follows the stop signal.
func (o *outlook) cutSteps() { o.steps = o.steps[:1] }

func (c *inspection) displayName() string {
	if c.t.Container != nil && c.t.Container.Name != "" {
		return c.t.Container.Name
	}
	return c.t.Asked
}

func (c *inspection) shortID() string {
	if c.t.Container == nil {
		return ""
	}
	return bounded(c.t.Container.ID, 12)
}
