package stop

import (
	"context"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
	"github.com/whystuck/whystuck/pkg/probe"
)

// Result is how a run went.
type Result struct {
	// Report is the forecast with Observed and Agreed filled for every container
	// that was told to stop.
	Report diagnose.Report
	// Hold are connections that the engine must not see closed: one that kills at
	// once when its client leaves (observed.left is "kept-open"). The caller keeps
	// them open somewhere, or closes them.
	Hold []*os.File
}

// Run sends the stop to all containers at once, follows it to its end or to the
// deadline, and compares. When ctx ends it leaves, and says what goes on without it.
func (p *Prepared) Run(ctx context.Context) *Result {
	out := &Result{Report: p.Report}
	out.Report.Containers = slices.Clone(p.Report.Containers)
	takes, err := p.s.Engine.TakesStopSignal(withTimeout(ctx, p.opt.Signal != 0))
	runs := p.runs(err == nil && takes)
	if len(runs) == 0 {
		p.trace.shut()
		return out
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	p.helpers.Go(func() { p.dispatch(following, runs) })
	p.trace.watch(ctx, runs, p.opt.signals(runs), min(traceWait, time.Until(p.end())/2))
	deaths := newMourner(following)
	var followed sync.WaitGroup
	followed.Add(len(runs))
	ended := make(chan *run, len(runs))
	g := beside.NewGroup(len(runs) + 1)
	for _, r := range runs {
		g.Go(func() {
			r.run(ctx, deaths, sync.OnceFunc(followed.Done))
			ended <- r
		})
	}
	g.Go(func() { // beside the proof
		followed.Wait()
		p.trace.shut()
	})
	if p.collect(ctx, out, g, ended, len(runs)) {
		cancel()
		p.helpers.Go(deaths.wait) // it notices within a moment, and nobody needs it
	}
	p.heard(out)
	p.helpers.Raise()
	deaths.raise()
	return out
}

// heard says in the report whether the kernel was.
func (p *Prepared) heard(out *Result) {
	if gap := p.trace.gap(p.opt.Trace); gap != nil {
		for i := range out.Report.Containers {
			c := &out.Report.Containers[i]
			c.Gaps = append(c.Gaps, *gap)
		}
	} else if p.opt.Trace {
		out.Report.Host.Sources = append(out.Report.Host.Sources, fromTrace)
	}
}

// withTimeout bounds the question for the API version, which is asked only where
// it matters: an expired context answers at once.
func withTimeout(ctx context.Context, matters bool) context.Context {
	d := time.Second
	if !matters {
		d = 0
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// runs are the containers that are told to stop: all but those that do not run.
func (p *Prepared) runs(takesSignal bool) []*run {
	var out []*run
	serial := &sync.Mutex{}
	for i := range p.Report.Containers {
		c := p.Report.Containers[i]
		if !stoppable(&c) {
			continue
		}
		out = append(out, &run{
			p: p, index: i, c: &c, t: &p.snapshot.Targets[i], acts: p.opt.acts(&c, ownSignal(&p.snapshot.Targets[i]), takesSignal), serial: serial,
			happenings: make(chan engine.Event, 64), deaths: make(chan death, 64), signals: make(chan kernel.SignalEvent, 256),
			replies: make(chan reply, len(p.opt.Chain)+3), states: make(chan engine.State, 1), gone: make(chan struct{}),
			survived: diagnose.Observed{Outcome: string(diagnose.Unknown), Survivors: []int{}, Events: []diagnose.ObservedEvent{}, Proof: []diagnose.Check{}},
		})
	}
	return out
}

// stoppable: there is something to tell to stop.
func stoppable(c *diagnose.Container) bool {
	return c.Kind == evidence.KindContainer && c.ID != "" && c.Verdict != diagnose.NotRunning
}

// dispatch follows the engine's events for all runs. A stream that breaks, as when
// the engine restarts, is taken up again where it ended.
func (p *Prepared) dispatch(ctx context.Context, runs []*run) {
	byID := make(map[string]*run, len(runs))
	for _, r := range runs {
		byID[r.c.ID] = r
	}
	since := time.Now()
	for ctx.Err() == nil {
		_ = p.s.Engine.Stream(ctx, since, func() {}, func(e engine.Event) {
			since = e.At.Add(1)
			if r := byID[e.ID]; r != nil {
				give(ctx, r.happenings, r.gone, e)
			}
		})
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// give sends to a run. One that listens no more takes what there is room for, and
// holds up nobody: the others wait behind it. false: ctx has ended.
func give[T any](ctx context.Context, to chan<- T, gone <-chan struct{}, v T) bool {
	select {
	case to <- v:
		return true
	default:
	}
	select {
	case to <- v:
	case <-gone:
	case <-ctx.Done():
		return false
	}
	return true
}

// run is the stop of one container. Its own goroutine alone touches it; what others
// see comes through the channels.
type run struct {
	p     *Prepared
	index int                 // in the report
	c     *diagnose.Container // its own copy
	t     *evidence.Target
	base  probe.Baseline
	acts  []act
	sent  time.Time // when the first act went out

	serial     *sync.Mutex // Progress is called by one run at a time
	happenings chan engine.Event
	deaths     chan death
	signals    chan kernel.SignalEvent
	replies    chan reply
	states     chan engine.State
	gone       chan struct{} // closed when it follows no more

	pending []*pendingAct
	facts   facts
	// heard is called when the kernel has no more to tell: removing the trace takes
	// as long as the engine's own tidying after the end, and goes beside it.
	heard   func()
	flushed <-chan struct{}
	told    int // events that Progress has been told
	untold  int // signals above maxSignals
	// survived is what becomes Observed.
	survived diagnose.Observed
	hold     *os.File
}

// facts are what the loop has learned.
type facts struct {
	asked     bool // the engine has answered some act, or was seen to act
	stopErr   error
	stopDone  bool // the stop came back
	lastErr   error
	died      bool // the engine says that it ended
	dieCode   *int
	diedAt    float64
	initDied  *float64
	killed    bool     // the engine sent SIGKILL
	signalled *float64 // when the first signal was seen to be sent
	polling   bool
	deadOf    map[int]int  // the signal that a process died of, 0: it exited
	dying     map[int]bool // processes that SIGKILL was sent to
	delivered map[int]bool // processes whose handler has begun
}

// reply is how a request ended.
type reply struct {
	p   *pendingAct
	err error
}

// pendingAct is a request under way.
type pendingAct struct {
	act
	order *engine.Order
	done  bool
	// unsent: it has failed before the engine had read it.
	unsent bool
}

func (r *run) run(ctx context.Context, deaths *mourner, heard func()) {
	limit := r.p.opt.deadline(r.c)
	end := r.p.began.Add(limit)
	until, cancel := context.WithDeadline(ctx, end.Add(-reserve(limit)))
	defer cancel()
	r.facts.deadOf, r.facts.delivered, r.facts.dying = map[int]int{}, map[int]bool{}, map[int]bool{}
	r.base = r.p.prober.Baseline(until, r.t)
	defer r.base.Close()
	r.heard = heard
	deaths.add(until, r)
	func() {
		defer heard() // also when a bug of ours ends it: somebody waits
		defer close(r.gone)
		r.follow(until, ctx)
		r.tell(math.Inf(1))
		if r.nothingSent() {
			r.survived.Left = neverAccepted
		}
	}()
	// The rest has the reserve, also after the caller's context ended.
	if ctx.Err() != nil {
		end = earlier(end, time.Now().Add(afterInterrupt))
	}
	last, cancelLast := context.WithDeadline(context.WithoutCancel(ctx), end)
	defer cancelLast()
	r.prove(last)
	r.compare()
	r.c.Observed = &r.survived
}

// afterInterrupt is what somebody who pressed Ctrl-C is kept waiting for the truth.
const afterInterrupt = 1500 * time.Millisecond

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
