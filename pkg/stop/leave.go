package stop

import (
	"context"

	"github.com/whystuck/whystuck/pkg/engine"
)

// leave notes what becomes of the requests that are still under way.
func (r *run) leave(caller context.Context) {
	r.survived.Cut = r.why(caller)
	for _, p := range r.pending {
		if p.done {
			continue
		}
		r.survived.Left = r.goesOn(p)
	}
}

// why is the reason for leaving.
func (r *run) why(caller context.Context) string {
	if caller.Err() != nil {
		return "interrupted"
	}
	return "deadline"
}

// goesOn tells whether the engine carries a request on without us.
func (r *run) goesOn(p *pendingAct) string {
	taken := p.order.Taken()
	switch {
	case taken == nil && !r.facts.asked:
		return leftUnknown
	case taken != nil && !*taken && !r.facts.asked:
		return neverAccepted
	case p.stop && engine.KillsWhenLeft(r.p.Report.Host.Engine):
		r.hold = p.order.File()
		return keptOpen
	}
	return carriedOn
}

// The values of Observed.Left.
const (
	carriedOn     = "carried-on"
	neverAccepted = "never-accepted"
	keptOpen      = "kept-open"
	leftUnknown   = "unknown"
)
