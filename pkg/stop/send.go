package stop

import (
	"context"
	"fmt"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// act sends the next request.
func (r *run) act(ctx context.Context) {
	if len(r.acts) == 0 || r.facts.died {
		r.acts = nil
		return
	}
	p := &pendingAct{act: r.acts[0], order: &engine.Order{}}
	r.acts = r.acts[1:]
	r.pending = append(r.pending, p)
	r.note(0, p.words(), fromAPI)
	id := r.c.ID
	r.p.helpers.Go(func() {
		err := errBug
		defer func() { r.replies <- reply{p, err} }() // also when a bug ends it: the loop waits
		if p.stop {
			err = r.p.s.Engine.Stop(ctx, id, p.opt, p.order)
		} else {
			err = r.p.s.Engine.Kill(ctx, id, p.sig, p.order)
		}
	})
}

// words say what is asked of the engine.
func (a *act) words() string {
	if !a.stop {
		return "asks the engine to send " + evidence.SignalName(a.sig)
	}
	text := "asks the engine to stop it"
	if a.opt.Signal != 0 {
		text += " with " + evidence.SignalName(a.opt.Signal)
	}
	if a.opt.Timeout != nil {
		text += fmt.Sprintf(", timeout %d s", *a.opt.Timeout)
	}
	return text
}

func (r *run) replied(a reply) {
	a.p.done = true
	f := &r.facts
	if taken := a.p.order.Taken(); a.err != nil && taken != nil && !*taken {
		a.p.unsent = true
	} else {
		f.asked = true
	}
	f.lastErr = a.err
	switch {
	case a.p.stop:
		f.stopDone, f.stopErr = true, a.err
		r.survived.Command = r.command(a.err)
		if a.err == nil {
			r.note(0, "the engine says that it is stopped", fromAPI)
			return
		}
		r.note(0, "the engine gives up: "+engine.Refusal(a.err), fromAPI)
	case a.err != nil:
		r.note(0, "the engine did not send it: "+engine.Refusal(a.err), fromAPI)
	}
}

// command is the request's end in the words of the contract.
func (r *run) command(err error) *diagnose.Command {
	at, status := r.now(), 0
	c := &diagnose.Command{Returns: true, AfterSeconds: &at, ExitStatus: &status}
	if err != nil {
		status = 1
		text := engine.Refusal(err)
		c.Error = &text
	}
	return c
}
