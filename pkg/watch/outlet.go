package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
)

// Writer writes reports in a goroutine of its own: a pipe that nobody reads must
// not keep the watcher from watching, nor from ending.
type Writer struct {
	queue chan *Report
	done  chan struct{}
	left  atomic.Int64
	write func(*Report) error
	once  sync.Once
	err   error
}

// maxWaiting is how many reports may wait for a slow reader.
const maxWaiting = 4096

// NewWriter begins to write. A failure ends it: failed is called once.
func NewWriter(write func(*Report) error, failed func(error)) *Writer {
	w := &Writer{queue: make(chan *Report, maxWaiting), done: make(chan struct{}), write: write}
	beside.Run(func() {
		defer close(w.done)
		for r := range w.queue {
			if w.err != nil {
				continue
			}
			if bug := beside.Catch(func() { w.err = w.write(r) }); bug != nil {
				w.err = bug
			}
			if w.err != nil {
				failed(w.err)
			}
		}
	})
	return w
}

// Tell queues a report; where the reader is too slow it is left out and counted.
func (w *Writer) Tell(r *Report) {
	select {
	case w.queue <- r:
	default:
		w.left.Add(1)
	}
}

// Close writes what is queued, for a moment, and tells how many were left out.
func (w *Writer) Close(ctx context.Context) int {
	w.once.Do(func() { close(w.queue) })
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	return int(w.left.Load())
}

// JSONLines writes one report a line.
func JSONLines(out io.Writer) func(*Report) error {
	return func(r *Report) error {
		b, err := Line(r)
		if err != nil {
			return err
		}
		if _, err := out.Write(b); err != nil {
			return fmt.Errorf("writing a report: %w", err)
		}
		return nil
	}
}

// Line is a report as one line of JSON.
func Line(r *Report) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing a report as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// closeWithin is how long an outlet may take to finish: the watcher ends within a
// second of SIGTERM, with all of them.
const closeWithin = 300 * time.Millisecond

// CloseContext bounds the closing of outlets.
func CloseContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), closeWithin)
}
