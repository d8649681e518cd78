package watch

import (
	"github.com/moby/sys/signal"

	"github.com/whystuck/whystuck/pkg/evidence"
)

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
