package watch

import (
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/signal"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// container is what is known of one container.
type container struct {
	Named
	alive bool
	// started is when the present or latest run began, by the engine's clock; zero:
	// not known. exact: inspect said it, and not the event, which comes later.
	started time.Time
	exact   bool
	// touched is when the latest event came: a list that was asked for before that
	// is older than what is known.
	touched time.Duration

	configured  bool
	stopSignal  int // SIGTERM until the container's configuration is known
	stopTimeout *int

	stop *stopping
	// last is the latest stop that ended, until it is known whether the container
	// stays away.
	last *stopping
}

// maxKnown bounds what is remembered; beyond it containers that have ended are
// forgotten first.
const maxKnown = 20000

// Machine turns the engine's events into reports. It does no I/O and has no
// clock: the moment comes with every call. It is not safe for several goroutines.
type Machine struct {
	// Chosen says whether a container is watched; nil: all are.
	Chosen func(id, name string) bool
	// DefaultTimeout is the engine's, in seconds; nil: the built-in 10.
	DefaultTimeout *int

	// Learning keeps it from telling anything: what lies before its beginning.
	Learning bool

	known   map[string]*container
	open    map[string]*container // those with a stop under way
	reports []Report
	inspect []string // ids whose configuration is wanted
	looks   []string // ids that are to be looked at before it is too late
	seen    dedupe
	// settled is when events that the latest list already knew have surely come.
	settled time.Duration
}

// NewMachine knows nothing yet.
func NewMachine() *Machine {
	return &Machine{known: map[string]*container{}, open: map[string]*container{}}
}

// Take handles one event.
func (m *Machine) Take(e engine.Event, now Moment) {
	if m.Chosen != nil && !m.Chosen(e.ID, e.Name) || m.seen.again(e) {
		return
	}
	c := m.of(e)
	if c == nil || now.Mono < m.settled && e.At.Before(c.started) {
		return // of an earlier run
	}
	c.touched = now.Mono
	switch e.Action {
	case "kill":
		m.signalled(c, e, now)
	case "die":
		m.died(c, e, now)
	case "stop":
		m.stopEvent(c)
	case "start":
		m.startedAgain(c, e, now)
	case "oom":
		if c.stop != nil {
			c.stop.oom = true
		}
	case "destroy":
		m.destroyed(c, e, now)
	}
}

// of finds the container of an event, or begins to know it.
func (m *Machine) of(e engine.Event) *container {
	c := m.known[e.ID]
	if c == nil {
		if e.ID == "" || e.Action == "destroy" || e.Action == "update" {
			return nil
		}
		c = m.add(e.ID)
		if e.Action == "kill" {
			c.alive = true
			m.inspect = append(m.inspect, e.ID)
		}
	}
	if e.Name != "" {
		c.Name = e.Name
	}
	if e.Image != "" {
		c.Image = e.Image
	}
	return c
}

func (m *Machine) add(id string) *container {
	if len(m.known) >= maxKnown {
		m.forgetOne()
	}
	c := &container{Named: Named{ID: id}, stopSignal: evidence.SIGTERM}
	m.known[id] = c
	return c
}

// forgetOne makes room: one that has ended, or any.
func (m *Machine) forgetOne() {
	victim := ""
	for id, c := range m.known {
		if c.stop != nil {
			continue
		}
		victim = id
		if !c.alive {
			break
		}
	}
	delete(m.known, victim)
}

// signalled is a kill event: the engine has sent a signal.
func (m *Machine) signalled(c *container, e engine.Event, now Moment) {
	if !c.alive {
		return // replayed, or told after the list had said that it ended
	}
	s := c.stop
	switch {
	case e.Signal == evidence.SIGKILL && s != nil && m.isStop(c, s, e) && (s.told != StageNever || s.killed == nil):
		m.sigkill(s, e, now)
	case e.Signal == evidence.SIGKILL || e.Signal == 0:
		if s == nil || s.command == CommandSignal || s.told == StageNever {
			m.begin(c, CommandKill, e, now)
			c.stop.killAt, c.stop.killed = e.At, &now
		}
	case e.Signal == c.stopSignal:
		if s != nil && s.command == CommandStop && s.told != StageNever {
			return // a second docker stop waits for the same end
		}
		m.begin(c, CommandStop, e, now)
		c.stop.timeout, c.stop.source = m.timeoutOf(c)
	case s == nil:
		m.begin(c, CommandSignal, e, now)
	}
}

// isStop: SIGKILL belongs to the stop under way. After another signal than the
// stop signal it does where it comes when the timeout is over: docker stop -s.
func (m *Machine) isStop(c *container, s *stopping, e engine.Event) bool {
	if s.command != CommandSignal {
		return s.command == CommandStop
	}
	timeout, source := m.timeoutOf(c)
	if (e.At.Sub(s.at) - timeout).Abs() > time.Second {
		return false
	}
	s.command, s.timeout, s.source = CommandStop, timeout, source
	return true
}

func (m *Machine) begin(c *container, command string, e engine.Event, now Moment) {
	if m.Learning { // told again by the engine: it began before we did
		now = Moment{Mono: now.Mono - max(now.Wall.Sub(e.At), 0), Wall: e.At}
	}
	c.stop = &stopping{command: command, signal: e.Signal, at: e.At, began: now}
	m.open[c.ID] = c
}

// sigkill corrects the timeout by what is seen: the engine sends SIGKILL when it
// has passed.
func (m *Machine) sigkill(s *stopping, e engine.Event, now Moment) {
	if s.killed != nil {
		return
	}
	s.killAt, s.killed = e.At, &now
	s.timeout = between(s.at, e.At, s.began, now)
	s.source = "observed"
}

// timeoutOf is the timeout that docker stop has without -t, and whose it is.
func (m *Machine) timeoutOf(c *container) (time.Duration, string) {
	switch {
	case c.stopTimeout != nil:
		return time.Duration(*c.stopTimeout) * time.Second, "container"
	case m.DefaultTimeout != nil:
		return time.Duration(*m.DefaultTimeout) * time.Second, "daemon"
	}
	return defaultTimeout, "default"
}

const defaultTimeout = 10 * time.Second

// died is the end of a run.
func (m *Machine) died(c *container, e engine.Event, now Moment) {
	if !c.alive {
		return
	}
	m.end(c, e.At, e.Code, now, false)
}

// end closes a run and tells how the stop went that led to it, if one did.
func (m *Machine) end(c *container, at time.Time, code *int, now Moment, reconciled bool) {
	s := c.stop
	if s == nil && reconciled {
		s = &stopping{command: CommandUnknown}
	}
	c.alive, c.stop, c.last = false, nil, s
	delete(m.open, c.ID)
	if s == nil {
		return
	}
	if s.command == CommandSignal && now.Mono-s.began.Mono > reactsWithin {
		c.last = nil
		return
	}
	r := m.endedReport(c, s, at, code, now, reconciled)
	if s.command == CommandSignal {
		s.untold = &r // should it turn out to be docker stop -s
		return
	}
	m.tell(r)
}

// reactsWithin is how long after a signal an end is put down to it. A container
// that dies hours after a reload has died of something else.
const reactsWithin = 30 * time.Second

// stopEvent tells that what went on was docker stop, with another signal than
// was known for it. It comes before "die" or after it: moby wakes those who wait
// before it tells that the container died.
func (m *Machine) stopEvent(c *container) {
	s := c.stop
	if s == nil {
		s = c.last
	}
	if s == nil || s.command != CommandSignal {
		return
	}
	s.command = CommandStop
	s.timeout, s.source = m.timeoutOf(c)
	if r := s.untold; r != nil {
		s.untold = nil
		r.Command, r.TimeoutSeconds, r.TimeoutSource = ptr(CommandStop), seconds(s.timeout), ptr(s.source)
		m.tell(*r)
	}
}

// startedAgain: who started it is known by the restart count, which the engine
// sets to 0 when a person does.
func (m *Machine) startedAgain(c *container, e engine.Event, now Moment) {
	if c.alive && now.Mono < m.settled && e.At.Sub(c.started) < settling {
		return // the list knew it already
	}
	if c.alive {
		m.end(c, e.At, nil, now, true) // its end was not told to us
	}
	c.alive, c.started, c.exact = true, e.At, false
	m.inspect = append(m.inspect, c.ID)
}

// destroyed: with docker rm -f "die" comes first.
func (m *Machine) destroyed(c *container, e engine.Event, now Moment) {
	if c.alive {
		m.end(c, e.At, nil, now, false)
	}
	delete(m.known, c.ID)
}

// Configured is the answer to an inspect that was wanted.
func (m *Machine) Configured(c *evidence.Container, now Moment) {
	k := m.known[c.ID]
	if k == nil || c == nil {
		return
	}
	k.configure(c)
	if k.alive && c.StartedAt != nil && alive(c.Status) {
		k.started, k.exact = *c.StartedAt, true
	}
	if s := k.stop; s != nil && s.killed == nil && s.told == "" {
		if s.command == CommandSignal && s.signal == k.stopSignal {
			s.command = CommandStop
		}
		if s.command == CommandStop {
			s.timeout, s.source = m.timeoutOf(k)
		}
	}
	m.cameBack(k, c, now, false)
}

func (c *container) configure(as *evidence.Container) {
	c.configured = true
	c.stopTimeout, c.stopSignal = as.StopTimeout, evidence.SIGTERM
	if n, err := signal.ParseSignal(as.StopSignal); err == nil && as.StopSignal != "" {
		c.stopSignal = int(n)
	}
	if as.Name != "" {
		c.Name = as.Name
	}
	if as.Image != "" {
		c.Image = as.Image
	}
}

// cameBack tells once of a container that was stopped or killed and runs again
// by its restart policy.
func (m *Machine) cameBack(k *container, c *evidence.Container, now Moment, reconciled bool) {
	s := k.last
	if s == nil || !k.alive {
		return
	}
	k.last = nil
	if c.RestartCount == 0 || s.command == CommandUnknown {
		return
	}
	r := m.report(KindCameBack, k, s, now)
	r.Trouble, r.Reconciled, r.RestartCount = true, reconciled, ptr(c.RestartCount)
	r.AfterSeconds = seconds(between(s.at, k.started, s.began, now))
	m.tell(r)
}

// tell keeps a report until it is taken, and counts it.
func (m *Machine) tell(r Report) {
	if m.Learning {
		return
	}
	r.Headline = headline(&r)
	m.reports = append(m.reports, r)
}

// Reports takes what there is to tell, in its order.
func (m *Machine) Reports() []Report {
	out := m.reports
	m.reports = nil
	return out
}

// Inspects takes the ids whose configuration is wanted, each once.
func (m *Machine) Inspects() []string {
	out := m.inspect
	m.inspect = nil
	slices.Sort(out)
	return slices.Compact(out)
}

// Looks takes the ids of those that are to be looked at now.
func (m *Machine) Looks() []string {
	out := m.looks
	m.looks = nil
	return out
}

// Choose makes Machine.Chosen of names, ids and prefixes of ids as docker takes
// them; nil for none.
func Choose(words []string) func(id, name string) bool {
	if len(words) == 0 {
		return nil
	}
	return func(id, name string) bool {
		return slices.ContainsFunc(words, func(w string) bool {
			w = strings.TrimPrefix(w, "/")
			return w == name || len(w) >= 4 && strings.HasPrefix(id, w)
		})
	}
}
