package watch

import (
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// View is the engine's list with what inspect said, taken to find out what was
// missed: events are lost while the stream is broken, and an engine that was
// restarted remembers none.
type View struct {
	Asked time.Duration // Moment.Mono before the list was asked for
	List  []engine.Brief
	// Inspected holds those that NeedsInspect named, nil for what is gone by now.
	Inspected map[string]*evidence.Container
}

// settling is how long events may still come that the list knew already.
const settling = 5 * time.Second

// alive: there is a run that can end. "restarting" waits between two runs.
func alive(status string) bool { return diagnose.IsRunning(status) && status != "restarting" }

// NeedsInspect names the containers of a list that have to be inspected to
// compare them with what is known. After a break these are all that live, since
// a run may have ended and another begun; otherwise only those that differ.
func (m *Machine) NeedsInspect(list []engine.Brief, afterBreak bool) []string {
	var ids []string
	for _, l := range list {
		if !m.watches(l.ID, l.Name) {
			continue
		}
		c := m.known[l.ID]
		switch {
		case alive(l.Status) && (c == nil || !c.alive || !c.configured || afterBreak):
			ids = append(ids, l.ID)
		case !alive(l.Status) && c != nil && c.alive:
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// Reconcile compares what is known with the engine's list. What was missed is
// told once, marked as reconciled.
func (m *Machine) Reconcile(v View, now Moment) {
	m.settled = now.Mono + settling
	listed := map[string]bool{}
	for _, l := range v.List {
		if !m.watches(l.ID, l.Name) {
			continue
		}
		listed[l.ID] = true
		m.compare(l, v, now)
	}
	for id, c := range m.known {
		if listed[id] || c.touched >= v.Asked {
			continue
		}
		if c.alive {
			m.end(c, time.Time{}, nil, now, true)
		}
		delete(m.known, id)
	}
}

// compare is Reconcile for one container of the list.
func (m *Machine) compare(l engine.Brief, v View, now Moment) {
	c, isNew := m.known[l.ID], false
	if c == nil {
		c, isNew = m.add(l.ID), true
	} else if c.touched >= v.Asked && c.touched > 0 {
		return // an event is newer than the list
	}
	c.Name, c.Image = l.Name, l.Image
	i := v.Inspected[l.ID]
	switch lives := alive(l.Status); {
	case isNew:
		c.alive = lives
	case c.alive && !lives:
		at, code := time.Time{}, (*int)(nil)
		if i != nil && !alive(i.Status) {
			code = i.ExitCode
			if i.FinishedAt != nil {
				at = *i.FinishedAt
			}
		}
		m.end(c, at, code, now, true)
	case c.alive && i != nil && c.otherRun(i):
		m.end(c, time.Time{}, nil, now, true)
		c.alive = true
	case !c.alive && lives:
		c.alive = true
	}
	if i == nil {
		return
	}
	c.configure(i)
	if c.alive && i.StartedAt != nil {
		c.started, c.exact = *i.StartedAt, true
	}
	m.cameBack(c, i, now, true)
}

// otherRun: inspect speaks of a later run than the one that is known.
func (c *container) otherRun(i *evidence.Container) bool {
	switch {
	case i.StartedAt == nil || c.started.IsZero() || !alive(i.Status):
		return false
	case c.exact:
		return !i.StartedAt.Equal(c.started)
	}
	return i.StartedAt.After(c.started) // the event comes after the start
}
