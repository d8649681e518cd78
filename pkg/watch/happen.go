package watch

import (
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

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
		if s != nil && s.command == CommandStop && s.underWay() && s.told != StageNever {
			return // a second docker stop waits for the same end
		}
		m.begin(c, CommandStop, e, now)
		c.stop.timeout, c.stop.source = m.timeoutOf(c)
	case s == nil || s.command == CommandSignal && m.taken(c, s, e, now):
		m.begin(c, CommandSignal, e, now)
	}
}

// stopSeen is a stop that has begun, of an engine that tells of no signal (Podman).
// What -t said nobody knows; a container with a timeout of 0 that is seen at it had
// one, or does not die.
func (m *Machine) stopSeen(c *container, e engine.Event, now Moment) {
	if !c.alive || c.stop != nil && c.stop.command == CommandStop {
		return
	}
	e.Signal = c.stopSignal
	m.begin(c, CommandStop, e, now)
	if c.stop.timeout, c.stop.source = m.timeoutOf(c); c.stop.timeout == 0 {
		c.stop.timeout, c.stop.source = defaultTimeout, "default"
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

// taken: the container has lived on with a signal for so long that no SIGKILL
// belongs to it any more.
func (m *Machine) taken(c *container, s *stopping, e engine.Event, now Moment) bool {
	timeout, _ := m.timeoutOf(c)
	return between(s.at, e.At, s.began, now) > timeout+time.Second
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
