package stop

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
)

// tracing is the kernel's own word on signals, for all runs at once. Nobody waits
// long for it: a write to tracefs that hangs must not keep a stop from being sent.
type tracing struct {
	making beside.Group  // what may hang in tracefs
	made   chan struct{} // closed when the instance is made, or is not to be had
	trace  *kernel.SignalTrace
	err    error // of making it

	// heard and absent are the outcome of watch: whether the kernel is heard, else
	// why not.
	heard  bool
	absent error

	flushes  chan chan struct{}
	reading  *beside.Task[struct{}] // its end: nobody reads any more
	stop     context.CancelFunc
	shutOnce sync.Once
}

// readEvery is how often the trace is emptied. Its events carry their own time.
const readEvery = 20 * time.Millisecond

// traceWait is how long a stop waits for the trace at most.
const traceWait = time.Second

var (
	errNotAsked = errors.New("not asked for")
	errLate     = errors.New("tracefs does not answer")
	errBug      = errors.New("a bug of ours ended the request") // which is told when the stop is over
)

// startTrace begins to make the instance, beside the look.
func startTrace(wanted bool, trace func() (*kernel.SignalTrace, error)) *tracing {
	t := &tracing{made: make(chan struct{}), absent: errNotAsked, flushes: make(chan chan struct{}), stop: func() {}}
	if !wanted {
		t.err = errNotAsked
		close(t.made)
		return t
	}
	t.making.Go(func() {
		defer close(t.made)
		t.err = errBug
		t.trace, t.err = trace()
	})
	return t
}

// on reports whether the kernel is heard, after watch.
func (t *tracing) on() bool { return t.heard }

// watch sends what concerns the runs to them until shut. It waits for tracefs for at
// most d; what comes up later is only removed.
func (t *tracing) watch(ctx context.Context, runs []*run, signals []int, d time.Duration) {
	byTID, tids := map[int]*run{}, []int{}
	for _, r := range runs {
		for i := range r.t.Processes {
			p := &r.t.Processes[i]
			for j := range p.Tasks {
				byTID[p.Tasks[j].TID] = r
				tids = append(tids, p.Tasks[j].TID)
			}
			if byTID[p.PID] == nil {
				byTID[p.PID] = r
				tids = append(tids, p.PID)
			}
		}
	}
	followed := make(chan error, 1)
	t.making.Go(func() {
		<-t.made
		err := t.err
		if err == nil {
			err = t.trace.Follow(signals, tids)
		}
		followed <- err
	})
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case t.absent = <-followed:
	case <-late.C:
		t.absent = errLate
	case <-ctx.Done():
		t.absent = errLate
	}
	if t.absent != nil {
		return
	}
	t.heard = true
	reading, cancel := context.WithCancel(context.Background())
	t.stop = cancel
	t.reading = beside.Run(func() { t.read(reading, byTID) })
}

// read empties the trace from time to time, and when asked to.
func (t *tracing) read(ctx context.Context, byTID map[int]*run) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		var done chan struct{}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case done = <-t.flushes:
		}
		events, _ := t.trace.Read() // what came before an error is as good as ever
		for _, e := range events {
			to := byTID[e.Target]
			if e.Delivered {
				to = byTID[e.PID]
			}
			if to != nil && !give(ctx, to.signals, to.gone, e) {
				return
			}
		}
		if done != nil {
			close(done)
		}
	}
}

// flush is closed once all that has been traced by now has been sent.
func (t *tracing) flush() <-chan struct{} {
	done := make(chan struct{})
	if t.reading == nil {
		close(done)
		return done
	}
	beside.Run(func() {
		select {
		case t.flushes <- done:
		case <-t.reading.Done():
			close(done)
		}
	})
	return done
}

// shut removes the instance. It takes some 40 ms, in which the kernel waits for all
// its CPUs; for one that does not come back the next run removes it.
func (t *tracing) shut() {
	t.shutOnce.Do(func() {
		removed := beside.Run(t.remove)
		select {
		case <-removed.Done():
			removed.Wait() // a bug in any part of it comes out here
		case <-time.After(time.Second):
		}
	})
}

func (t *tracing) remove() {
	t.stop()
	t.making.Wait()
	if t.reading != nil {
		t.reading.Wait()
	}
	if t.trace != nil {
		_ = t.trace.Close()
	}
}

// gap says why the kernel is not heard; nil where it is, or nobody wanted it.
func (t *tracing) gap(wanted bool) *diagnose.Gap {
	if t.on() || !wanted {
		return nil
	}
	kind := evidence.GapAbsent
	switch {
	case errors.Is(t.absent, fs.ErrPermission):
		kind = evidence.GapDenied
	case errors.Is(t.absent, errLate):
		kind = evidence.GapTimeout
	}
	return &diagnose.Gap{Path: "tracefs", Kind: kind, Matters: "who sent a signal, and whether the kernel queued or discarded it"}
}
