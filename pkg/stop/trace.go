package stop

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
)

// tracing is the kernel's own word on signals, for all runs at once. The zero value
// is its absence.
type tracing struct {
	ready chan struct{} // closed when the instance is made, or is not to be had
	trace *kernel.SignalTrace
	err   error

	flushes  chan chan struct{}
	reading  chan struct{} // closed when nobody reads any more
	stop     context.CancelFunc
	shutOnce sync.Once
}

// readEvery is how often the trace is emptied. Its events carry their own time.
const readEvery = 20 * time.Millisecond

// startTrace begins to make the instance, beside the look.
func startTrace(wanted bool) *tracing {
	t := &tracing{ready: make(chan struct{}), flushes: make(chan chan struct{}), stop: func() {}}
	if !wanted {
		t.err = errors.New("not asked for")
		close(t.ready)
		return t
	}
	go func() {
		defer close(t.ready)
		t.trace, t.err = kernel.TraceSignals()
	}()
	return t
}

// on reports whether the kernel is heard.
func (t *tracing) on() bool {
	<-t.ready
	return t.err == nil
}

// watch sends what concerns the runs to them until shut.
func (t *tracing) watch(runs []*run, signals []int) {
	<-t.ready
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
	if t.err == nil {
		if err := t.trace.Follow(signals, tids); err != nil {
			t.err = errors.Join(err, t.trace.Close())
		}
	}
	if t.err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.stop, t.reading = cancel, make(chan struct{})
	go t.read(ctx, byTID)
}

// read empties the trace from time to time, and when asked to.
func (t *tracing) read(ctx context.Context, byTID map[int]*run) {
	defer close(t.reading)
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
			if to != nil {
				select {
				case to.signals <- e:
				case <-ctx.Done():
					return
				}
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
	go func() {
		select {
		case t.flushes <- done:
		case <-t.reading:
			close(done)
		}
	}()
	return done
}

// shut removes the instance. It takes some 40 ms, in which the kernel waits for all
// its CPUs; for one that does not come back the next run removes it.
func (t *tracing) shut() {
	t.shutOnce.Do(func() {
		removed := make(chan struct{})
		go func() {
			defer close(removed)
			t.remove()
		}()
		select {
		case <-removed:
		case <-time.After(time.Second):
		}
	})
}

func (t *tracing) remove() {
	<-t.ready
	t.stop()
	if t.reading != nil {
		<-t.reading
	}
	if t.err == nil {
		_ = t.trace.Close()
	}
}

// gap says why the kernel is not heard; nil where it is, or nobody wanted it.
func (t *tracing) gap(wanted bool) *diagnose.Gap {
	if t.on() || !wanted {
		return nil
	}
	kind := evidence.GapAbsent
	if errors.Is(t.err, fs.ErrPermission) {
		kind = evidence.GapDenied
	}
	return &diagnose.Gap{Path: "tracefs", Kind: kind, Matters: "who sent a signal, and whether the kernel queued or discarded it"}
}
