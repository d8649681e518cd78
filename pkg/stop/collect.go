package stop

import (
	"context"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
)

// collect takes the runs as they end. Whatever one of them hangs in, it waits no
// longer than the deadline; false: some did not end.
func (p *Prepared) collect(ctx context.Context, out *Result, g *beside.Group, ended chan *run, n int) bool {
	all := beside.Run(g.Wait)
	late := time.NewTimer(time.Until(p.end()) + slack)
	defer late.Stop()
	interrupted := context.AfterFunc(ctx, func() { late.Reset(afterInterrupt + slack) })
	defer interrupted()
	for {
		select {
		case r := <-ended:
			p.take(out, r)
			n--
		case <-all.Done():
			all.Wait() // a bug of ours comes out here
			for ; n > 0; n-- {
				p.take(out, <-ended)
			}
			return true
		case <-late.C:
			p.lost(out)
			return false
		}
	}
}

// slack is what a run may be late in its own last moments.
const slack = 500 * time.Millisecond

// end is the latest deadline of all runs.
func (p *Prepared) end() time.Time {
	end := p.began
	for i := range p.Report.Containers {
		end = later(end, p.began.Add(p.opt.deadline(&p.Report.Containers[i])))
	}
	return end
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// take puts the end of a run into the result.
func (p *Prepared) take(out *Result, r *run) {
	out.Report.Containers[r.index] = *r.c
	if r.hold != nil {
		out.Hold = append(out.Hold, r.hold)
	}
}

// lost says of the runs that did not come back that nothing is known of their end.
func (p *Prepared) lost(out *Result) {
	for i := range out.Report.Containers {
		c := &out.Report.Containers[i]
		if c.Observed == nil && stoppable(c) {
			c.Observed = &diagnose.Observed{Outcome: string(diagnose.Unknown), Survivors: []int{}, Events: []diagnose.ObservedEvent{}, Proof: []diagnose.Check{},
				Cut: "deadline", Left: leftUnknown, Note: "the look at what is left did not return"}
		}
	}
}
