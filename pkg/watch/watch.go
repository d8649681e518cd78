// Package watch follows the events of a container engine and tells of stops that
// take longer than they were given, with the diagnosis taken at that moment; of
// what ended in SIGKILL, of what came back, and, by scans, of what would not stop
// well.
//
// Machine is the judgement of events: pure, with the moment as an argument.
// Watcher moves the data: one goroutine owns the machine, all calls to the engine
// and all looks are made beside it and post their results to it. Outlets carry
// the reports away: text, JSON lines, commands; metrics has the numbers.
//
// It is not for stopping anything (package stop), and it sends no signal, except
// to a command of the user's (--exec) that does not end.
package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/look"
)

// Options say what to watch and whom to tell.
type Options struct {
	Version string
	Names   []string // containers to watch; none: all
	// EngineOptions find the engine.
	EngineOptions engine.Options
	Looker        *look.Looker
	// ScanEvery is the pause between scans of all verdicts; 0: none.
	ScanEvery time.Duration
	// SilentAfter is when an engine that does not answer is told of; 0: 5 s.
	SilentAfter time.Duration
	// Tell is given every report, in order, and must not wait.
	Tell func(*Report)
	// Metrics is kept up to date; nil: no numbers are wanted.
	Metrics *Metrics
	// Complain is told what goes wrong in the watcher itself.
	Complain func(string)
}

// Watcher follows one engine.
type Watcher struct {
	opt    Options
	engine *engine.Engine
	// quick asks with short deadlines, for when the engine is known not to answer.
	quick *engine.Engine
	begin time.Time

	machine *Machine
	queue   *queue
	posted  chan func() // results of what was done beside the loop

	since     sinceMark
	connected bool
	broken    bool // since the latest comparison with the list
	comparing bool
	inspector lane
	early     lane
	late      lane
	held      []*held
	health    health
	scan      scan
}

// sinceMark is the newest event's time, read by the feed's goroutine.
type sinceMark struct {
	mu sync.Mutex
	at time.Time
}

func (s *sinceMark) get() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *sinceMark) set(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

// lookBack is from when on stops that are under way at the beginning are known.
const lookBack = 90 * time.Second

// resyncEvery is the pause between comparisons with the engine's list. They find
// what an engine has not told; one list of 200 containers costs it some 40 ms.
const resyncEvery = 60 * time.Second

// shortCall is the deadline of a call to an engine that is known to be silent.
const shortCall = 100 * time.Millisecond

// New opens the engine; nothing is sent yet.
func New(ctx context.Context, o Options) (*Watcher, error) {
	if o.SilentAfter <= 0 {
		o.SilentAfter = 5 * time.Second
	}
	e, err := engine.Open(ctx, o.EngineOptions)
	if err != nil {
		return nil, err
	}
	short := o.EngineOptions
	short.CallTimeout = shortCall
	quick, err := engine.Open(ctx, short)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	w := &Watcher{opt: o, engine: e, quick: quick, begin: time.Now(), machine: NewMachine(), queue: newQueue(), posted: make(chan func(), 64)}
	w.machine.Chosen, w.machine.Learning = Choose(o.Names), true
	w.since.set(w.begin.Add(-lookBack))
	if o.Metrics != nil {
		o.Metrics.show(w)
	}
	return w, nil
}

// now reads both clocks.
func (w *Watcher) now() Moment {
	t := time.Now()
	return Moment{Mono: t.Sub(w.begin), Wall: t.Round(0)} // Round strips the monotonic reading
}

// Run watches until ctx ends. It then returns within a moment: what is done
// beside it is left behind.
func (w *Watcher) Run(ctx context.Context) {
	defer func() { _, _ = w.engine.Close(), w.quick.Close() }()
	beside.Run(func() { w.feed(ctx, w.since.get) })
	resync := time.NewTicker(resyncEvery)
	defer resync.Stop()
	pulse := time.NewTicker(pulseEvery)
	defer pulse.Stop()
	w.pulse(ctx)
	for {
		timer := time.NewTimer(w.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			w.flush()
			return
		case <-w.queue.ready:
			w.takeEvents(ctx)
		case f := <-w.posted:
			f()
		case <-pulse.C:
			w.pulse(ctx)
		case <-resync.C:
			w.compare(ctx)
		case <-timer.C:
		}
		timer.Stop()
		w.work(ctx)
	}
}

// beside runs a call without the loop waiting for it; done runs in the loop.
func (w *Watcher) beside(ctx context.Context, call func(), done func()) {
	beside.Run(func() {
		survive(w.complain, call)
		select {
		case w.posted <- done:
		case <-ctx.Done():
		}
	})
}

// survive runs a call and lives on should it panic: the judgement of one odd
// container must not take the watch away from the others.
func survive(complain func(string), call func()) {
	if bug := beside.Catch(call); bug != nil {
		complain(fmt.Sprintf("a bug in whystuck, please report it: %v\n%s", bug.Value, bug.Stack))
	}
}

// pause is how long the loop may sleep.
func (w *Watcher) pause() time.Duration {
	now, pause := w.now().Mono, time.Hour
	if next, ok := w.machine.Next(); ok && !w.machine.Learning {
		pause = next - now
	}
	if next, ok := w.nextHeld(); ok {
		pause = min(pause, next-now)
	}
	if next, ok := w.nextScan(); ok {
		pause = min(pause, next-now)
	}
	return max(pause, 0)
}

// work does all that is due.
func (w *Watcher) work(ctx context.Context) {
	now := w.now()
	if !w.machine.Learning {
		w.machine.Tick(now)
	}
	w.inspectWanted(ctx)
	w.earlyLooks(ctx)
	for _, r := range w.machine.Reports() {
		w.hold(r, now)
	}
	w.lateLooks(ctx, now)
	w.release(now)
	w.scanDue(ctx, now)
}

func (w *Watcher) takeEvents(ctx context.Context) {
	items, lost := w.queue.take()
	now := w.now()
	for _, i := range items {
		switch {
		case i.opened:
			w.connected = true
			if w.opt.Metrics != nil {
				w.opt.Metrics.connects.Inc()
			}
			w.answered(now)
			w.compare(ctx)
		case i.broken != nil:
			w.disconnected(i.broken)
		default:
			w.answered(now)
			w.machine.Take(i.event, now)
			if latest := w.machine.Latest(); !latest.IsZero() {
				w.since.set(latest)
			}
		}
	}
	if lost {
		w.broken = true
		w.compare(ctx)
	}
}

// disconnected notes that the stream broke, and says so once: it is tried again
// and again.
func (w *Watcher) disconnected(err error) {
	if w.connected || w.machine.Learning && !w.broken {
		w.complain(fmt.Sprintf("the engine's events cannot be followed, trying again: %v", err))
	}
	w.connected, w.broken = false, true
}

func (w *Watcher) complain(text string) {
	if w.opt.Complain != nil {
		w.opt.Complain(text)
	}
}
