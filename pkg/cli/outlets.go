package cli

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/watch"
)

// outlets are where the reports of a watch go.
type outlets struct {
	*watching
	stop   func() // ends the watch
	out    *watch.Writer
	runner *watch.Runner
	err    atomic.Pointer[error]

	complaining sync.Mutex // several goroutines complain
	exposing    beside.Group
}

func (o *outlets) open(argv []string) {
	o.wrote = true // JSON lines, or nothing: no report of errors follows them
	if !o.quiet {
		o.out = watch.NewWriter(o.lines(), func(err error) {
			o.err.Store(&err)
			o.stop()
		})
	}
	if argv != nil {
		o.runner = watch.NewRunner(argv, o.execTimeout, o.complain)
	}
}

// lines is the way of printing reports.
func (o *outlets) lines() func(*watch.Report) error {
	if o.format.json {
		return watch.JSONLines(o.Out)
	}
	return watch.Text(o.Out, o.renderOptions(&o.format))
}

func (o *outlets) tell(r *watch.Report) {
	if o.out != nil {
		o.out.Tell(r)
	}
	if o.runner != nil {
		o.runner.Tell(r)
	}
}

// expose makes the metrics readable.
func (o *outlets) expose(ctx context.Context, m *watch.Metrics, w *watch.Watcher) error {
	if o.metrics != "" {
		l, err := watch.Listen(o.metrics)
		if err != nil {
			return err
		}
		o.exposing.Go(func() { m.Serve(ctx, l, w) })
	}
	if o.textfile != "" {
		o.exposing.Go(func() { m.Textfile(ctx, o.textfile, o.complain) })
	}
	return nil
}

// close lets all of them finish, for a moment.
func (o *outlets) close() {
	o.stop()
	if o.runner != nil {
		ctx, cancel := watch.CloseContext()
		defer cancel()
		o.runner.Close(ctx)
	}
	ctx, cancel := watch.CloseContext()
	defer cancel()
	if o.out != nil {
		if n := o.out.Close(ctx); n > 0 {
			o.complain(fmt.Sprintf("standard output was read too slowly: %d reports were left out", n))
		}
	}
	exposed := beside.Run(o.exposing.Wait)
	select {
	case <-exposed.Done():
		exposed.Wait()
	case <-ctx.Done():
	}
}

// failed is why a report could not be written, if so.
func (o *outlets) failed() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (o *outlets) complain(text string) {
	o.complaining.Lock()
	defer o.complaining.Unlock()
	o.app.complain(text)
}
