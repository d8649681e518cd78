package stop

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// The sources of an event.
const (
	fromAPI    = "api"
	fromEvents = "docker events"
	fromProc   = "/proc"
	fromPidfd  = "pidfd"
	fromTrace  = "tracefs"
)

// pollState is how often the engine is asked whether the container still runs,
// where no answer of a stop will say so.
const pollState = 500 * time.Millisecond

// follow sends the acts in their time and takes in what happens, until the end is
// known or until ctx ends. caller is the context whose end means an interruption.
func (r *run) follow(ctx, caller context.Context) {
	// The requests outlive ctx for the moment in which their state is read.
	asking, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if r.hold == nil { // else the engine must not see us go
			hangUp()
		}
	}()
	r.sent = time.Now()
	if ctx.Err() != nil { // a look that took all the time: nothing is sent any more
		r.survived.Cut, r.survived.Left = r.why(caller), neverAccepted
		return
	}
	next := time.NewTimer(0)
	defer next.Stop()
	tick := time.NewTicker(pollState)
	defer tick.Stop()
	tell := time.NewTicker(holdBack)
	defer tell.Stop()
	for !r.finished() {
		select {
		case <-next.C:
			r.act(asking)
			if len(r.acts) > 0 {
				next.Reset(time.Until(r.sent.Add(r.acts[0].at)))
			}
		case a := <-r.replies:
			r.replied(a)
		case h := <-r.happenings:
			r.happened(ctx, h)
		case d := <-r.deaths:
			r.died(d)
		case s := <-r.signals:
			r.signal(s)
		case s := <-r.states:
			r.state(s)
		case <-r.flushed:
			r.flushed = nil
			r.heard()
		case <-tick.C:
			r.poll(ctx)
		case <-tell.C:
			r.tell(r.now() - holdBack.Seconds())
		case <-ctx.Done():
			r.leave(caller)
			r.drain(0)
			return
		}
	}
	r.drain(60 * time.Millisecond)
}

// finished: nothing more will come of it.
func (r *run) finished() bool {
	f := &r.facts
	waits := slices.ContainsFunc(r.pending, func(p *pendingAct) bool { return !p.done })
	switch {
	case waits || len(r.pending) == 0:
		return false
	case f.stopDone && f.stopErr == nil, f.died && !f.stopDone:
		return true
	case len(r.acts) > 0:
		return false
	}
	last := r.pending[len(r.pending)-1]
	return f.stopDone || f.lastErr != nil && last.sig == evidence.SIGKILL
}

// happened takes in an event of the engine.
func (r *run) happened(ctx context.Context, h engine.Event) {
	f := &r.facts
	f.asked = true
	switch h.Action {
	case "kill":
		f.killed = f.killed || h.Signal == evidence.SIGKILL
		f.first(r.now())
		r.note(r.t.PID, fmt.Sprintf("the engine has sent %s", evidence.SignalName(h.Signal)), fromEvents)
		r.pendingNow(ctx, h.Signal)
	case "die":
		f.died, f.dieCode, f.diedAt = true, h.Code, r.now()
		text := "the exit event has come"
		if h.Code != nil {
			text += fmt.Sprintf(", exit code %d", *h.Code)
		}
		r.note(r.t.PID, text, fromEvents)
	case "start":
		r.note(0, "it is started again", fromEvents)
	case "oom":
		r.note(0, "out of memory in its cgroup", fromEvents)
	case "destroy":
		r.note(0, "it is removed", fromEvents)
	}
}

// first notes when the first signal was sent.
func (f *facts) first(at float64) {
	if f.signalled == nil || at < *f.signalled {
		f.signalled = &at
	}
}

// pendingNow tells what became of a signal where the kernel itself is not heard: a
// signal that is queued and not taken shows in status.
func (r *run) pendingNow(ctx context.Context, sig int) {
	if r.p.trace.on() || sig == evidence.SIGKILL || r.t.PID == 0 {
		return
	}
	if p := r.p.prober.Pending(ctx, r.t.PID, sig); p != nil && *p {
		r.note(r.t.PID, fmt.Sprintf("%s waits in its queue (SigPnd, ShdPnd), not taken", evidence.SignalName(sig)), fromProc)
	}
}

// state takes in an answer to poll.
func (r *run) state(s engine.State) {
	r.facts.polling = false
	if !r.facts.died && (s.Gone || s.Status == "exited" || s.Status == "dead" || s.Status == "removing") {
		r.facts.died, r.facts.dieCode, r.facts.diedAt = true, s.ExitCode, r.now()
		r.note(0, "the engine has it as "+ended(s), fromAPI)
	}
}

func ended(s engine.State) string {
	switch {
	case s.Gone:
		return "removed"
	case s.ExitCode != nil:
		return fmt.Sprintf("%s (%d)", s.Status, *s.ExitCode)
	}
	return s.Status
}

// poll asks for the state where no reply of a stop tells the end.
func (r *run) poll(ctx context.Context) {
	stops := slices.ContainsFunc(r.pending, func(p *pendingAct) bool { return p.stop })
	if stops || r.facts.polling || len(r.pending) == 0 {
		return
	}
	r.facts.polling = true
	r.p.helpers.Go(func() {
		s, err := r.p.s.Engine.State(ctx, r.c.ID)
		if err != nil {
			s = engine.State{Status: "not known"}
		}
		select {
		case r.states <- s:
		case <-ctx.Done():
		}
	})
}

// drain takes what is still on its way: what is there, and for at most d what has
// to come yet. Signals that do not cease, or a trace that hangs, keep it for a
// moment more and no longer.
func (r *run) drain(d time.Duration) {
	late, last := time.NewTimer(d), time.NewTimer(d+200*time.Millisecond)
	defer late.Stop()
	defer last.Stop()
	for flushed := r.p.trace.flush(); ; {
		select {
		case h := <-r.happenings:
			r.happened(context.Background(), h)
		case x := <-r.deaths:
			r.died(x)
		case s := <-r.signals:
			r.signal(s)
		case <-flushed:
			flushed = nil
		case <-late.C:
			d = 0
		case <-last.C:
			return
		}
		if flushed == nil && len(r.happenings)+len(r.deaths)+len(r.signals) == 0 && (d == 0 || r.complete()) {
			return
		}
	}
}

// complete: the last words have come, and nothing is to be waited for.
func (r *run) complete() bool { return r.facts.died && r.facts.initDied != nil }
