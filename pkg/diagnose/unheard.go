package diagnose

import (
	"slices"
	"sort"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

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
