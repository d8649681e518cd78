package watch

import (
	"slices"
	"strings"
	"time"

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
	// touched is when the latest event of its life came: a list that was asked for before that
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
	if !m.watches(e.ID, e.Name) || m.seen.again(e) {
		return
	}
	c := m.of(e)
	if c == nil || now.Mono < m.settled && e.At.Before(c.started) {
		return // of an earlier run
	}
	if changes(e.Action) {
		c.touched = now.Mono
	}
	switch e.Action {
	case "kill":
		m.signalled(c, e, now)
	case engine.ActionStopping:
		m.stopSeen(c, e, now)
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

// watches: a container that is known stays so under another name.
func (m *Machine) watches(id, name string) bool {
	return m.Chosen == nil || m.known[id] != nil || m.Chosen(id, name)
}

// changes: the event tells more than the list of the moment before it.
func changes(action string) bool {
	switch action {
	case "kill", "die", "start", "destroy", engine.ActionStopping:
		return true
	}
	return false
}

// of finds the container of an event, or begins to know it.
func (m *Machine) of(e engine.Event) *container {
	c := m.known[e.ID]
	if c == nil {
		if e.ID == "" || e.Action == "destroy" || !changes(e.Action) {
			return nil
		}
		c = m.add(e.ID)
		if e.Action == "kill" || e.Action == engine.ActionStopping {
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
