package diagnose

import (
	"fmt"
	"math"

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
	if c.opt.Timeout != nil {
		return max(*c.opt.Timeout, -1), "flag"
	}
	return c.configuredTimeout()
}

// configuredTimeout is the timeout of a command without a flag.
func (c *inspection) configuredTimeout() (int, string) {
	switch {
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

// byEngine reports whether an engine stops it: a PID alone, or what an engine has
// forgotten, gets signals and no command that gives up.
func (c *inspection) byEngine() bool { return c.t.Kind == evidence.KindContainer }

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
