package watch

import (
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Tick does what is due: it tells of stops that overrun, and asks for looks.
func (m *Machine) Tick(now Moment) {
	for _, c := range m.open {
		for s := c.stop; ; {
			next, ok := s.next()
			if !ok || next.at > now.Mono {
				break
			}
			s.did(next.what)
			if next.what == stepLook {
				m.looks = append(m.looks, c.ID)
			} else {
				m.tell(m.overrun(c, s, now))
			}
		}
	}
}

// Next is when Tick has something to do; false: not before the next event.
func (m *Machine) Next() (time.Duration, bool) {
	var first time.Duration
	found := false
	for _, c := range m.open {
		if next, ok := c.stop.next(); ok && (!found || next.at < first) {
			first, found = next.at, true
		}
	}
	return first, found
}

// Diagnosed keeps what a look has shown of a container whose stop is under way;
// it is told with the next overrun, should nothing newer be seen by then.
func (m *Machine) Diagnosed(id string, d *diagnose.Container, note string, at Moment) {
	c := m.known[id]
	if c == nil || c.stop == nil {
		return
	}
	s := c.stop
	if !worthTelling(d) {
		if s.diagnosis == nil && note != "" {
			s.note = note
		}
		return
	}
	s.diagnosis, s.diagnosed, s.note = d, at.Mono-s.began.Mono, ""
	switch d.Verdict {
	case diagnose.Stuck, diagnose.Refused, diagnose.Ghost:
		s.hopeless = true
	}
}

// worthTelling: there is something of the container left to see.
func worthTelling(d *diagnose.Container) bool {
	return d != nil && (d.Verdict != diagnose.NotRunning && len(d.Processes) > 0 || len(d.Findings) > 0)
}

func (m *Machine) overrun(c *container, s *stopping, now Moment) Report {
	r := m.report(KindOverrun, c, s, now)
	r.Trouble, r.Stage = true, ptr(s.told)
	r.AfterSeconds = seconds(now.Mono - s.began.Mono)
	r.attach(s)
	return r
}

// attach adds what the latest look has shown.
func (r *Report) attach(s *stopping) {
	r.DiagnosisNote = s.note
	if s.diagnosis != nil {
		r.Diagnosis, r.DiagnosedAfter, r.DiagnosisNote = s.diagnosis, seconds(s.diagnosed), ""
	}
}

func (m *Machine) endedReport(c *container, s *stopping, at time.Time, code *int, now Moment, reconciled bool) Report {
	r := m.report(KindEnded, c, s, now)
	r.Reconciled, r.ExitCode, r.OOM = reconciled, code, s.oom
	if s.command == CommandUnknown {
		r.Outcome = ptr(OutcomeUnseen)
		r.Trouble = code != nil && *code == 137
		return r
	}
	r.Outcome = ptr(s.outcome(code))
	if !at.IsZero() {
		r.AfterSeconds = seconds(between(s.at, at, s.began, now))
	}
	if s.told != "" {
		r.Stage = ptr(s.told)
	}
	r.Trouble = *r.Outcome == OutcomeKilled || *r.Outcome == OutcomeStuck
	if r.Trouble {
		r.attach(s)
	}
	return r
}

// report has what all reports about a stop have.
func (m *Machine) report(kind string, c *container, s *stopping, now Moment) Report {
	named := c.Named
	r := Report{Schema: ReportSchema, At: now.Wall.UTC(), Kind: kind, Container: &named, Command: ptr(s.command)}
	if s.command == CommandUnknown {
		return r
	}
	r.SignalledAt = ptr(s.at)
	if s.signal != 0 {
		r.Signal = ptr(evidence.SignalName(s.signal))
	}
	if s.command == CommandStop {
		r.TimeoutSource, r.TimeoutSeconds = ptr(s.source), seconds(s.timeout)
		if s.timeout < 0 {
			r.TimeoutSeconds = ptr(-1.0)
		}
	}
	if s.killed != nil && s.command == CommandStop {
		r.SIGKILLAfter = seconds(between(s.at, s.killAt, s.began, *s.killed))
	}
	return r
}

// Attach gives a report of a stop that is still under way what is known of it.
func (m *Machine) Attach(r *Report) {
	if c := m.open[r.Container.ID]; c != nil {
		r.attach(c.stop)
	}
}

// Living names at most n containers that run, those being stopped first.
func (m *Machine) Living(n int) []string {
	var ids []string
	for id := range m.open {
		if m.Stopping(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	first := len(ids)
	for id, c := range m.known {
		if c.alive && !m.Stopping(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids[first:])
	return ids[:min(n, len(ids))]
}

// Lives reports whether a container is known and runs.
func (m *Machine) Lives(id string) bool { c := m.known[id]; return c != nil && c.alive }

// Stopping reports whether a stop of it is under way.
func (m *Machine) Stopping(id string) bool { c := m.open[id]; return c != nil && c.stop.underWay() }

// CountStopping is how many stops are under way.
func (m *Machine) CountStopping() int {
	n := 0
	for id := range m.open {
		if m.Stopping(id) {
			n++
		}
	}
	return n
}

// Latest is the newest event's time, by the engine's clock.
func (m *Machine) Latest() time.Time { return m.seen.latest }
