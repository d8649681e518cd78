package watch

import (
	"context"
	"errors"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/engine"
)

// Pauses between attempts to reach an engine that is away.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

// errBug breaks a stream: what happened is complained of, and the stream opened anew.
var errBug = errors.New("a bug of ours in reading the events")

// feed keeps a stream of events open until ctx ends, and puts all that comes
// into the queue. since says from when on the engine is asked to tell again.
func (w *Watcher) feed(ctx context.Context, since func() time.Time) {
	pause := firstPause
	for ctx.Err() == nil {
		each := func(e engine.Event) { w.queue.put(item{event: e}) }
		streaming, done := context.WithCancel(ctx)
		opened := func() {
			pause = firstPause
			w.queue.put(item{opened: true})
			beside.Run(func() { survive(w.complain, func() { w.engine.Stopping(streaming, each) }) })
		}
		err := errBug
		survive(w.complain, func() { err = w.engine.Stream(ctx, since(), opened, each) })
		done()
		if ctx.Err() != nil {
			return
		}
		w.queue.put(item{broken: err})
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}
