package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/look"
)

// A report waits for its look, but not for long: it is to be told within a
// second of its time.
const (
	// dieFirst lets a container die of the SIGKILL that was just sent: then there
	// is nothing to look at, and what was seen before is told.
	dieFirst = 150 * time.Millisecond
	tellBy   = 750 * time.Millisecond
	// batch bounds the containers of one look.
	batch = 64
)

// held is a report that waits to be told: for its look, or for the one before it.
type held struct {
	report *Report
	id     string        // of the container to look at; "": ready
	lookAt time.Duration // Moment.Mono
	until  time.Duration
}

// hold queues a report. One about a container that has ended frees those before
// it: there is nothing left to look at.
func (w *Watcher) hold(r Report, now Moment) {
	r.Version = w.opt.Version
	h := &held{report: &r}
	switch {
	case r.Kind == KindOverrun:
		r.SilentSeconds = w.silence(now)
		h.until = now.Mono + tellBy
		switch {
		case *r.Stage == StageTimeout:
			h.id, h.lookAt = r.Container.ID, now.Mono+dieFirst
		case w.early.has(r.Container.ID):
			h.id = r.Container.ID // the look that was begun in time
		}
	case r.Container != nil:
		for _, other := range w.held {
			if other.id == r.Container.ID {
				other.id = ""
			}
		}
	}
	w.held = append(w.held, h)
}

func (w *Watcher) nextHeld() (time.Duration, bool) {
	if len(w.held) == 0 {
		return 0, false
	}
	next := w.held[0].until
	if !w.late.busy {
		for _, h := range w.held {
			if h.id != "" && h.lookAt < next && h.lookAt > 0 {
				next = h.lookAt
			}
		}
	}
	return next, true
}

// release tells what is ready, in order.
func (w *Watcher) release(now Moment) {
	for len(w.held) > 0 && (w.held[0].id == "" || now.Mono >= w.held[0].until) {
		w.tell(w.held[0].report)
		w.held = w.held[1:]
	}
}

// flush tells all that waits, at the end.
func (w *Watcher) flush() {
	for _, h := range w.held {
		w.tell(h.report)
	}
	w.held = nil
}

func (w *Watcher) tell(r *Report) {
	if w.opt.Metrics != nil {
		w.opt.Metrics.count(r)
	}
	w.opt.Tell(r)
}

// earlyLooks looks at stops before their timeout takes away what there is to see.
func (w *Watcher) earlyLooks(ctx context.Context) {
	w.early.ids = append(w.early.ids, w.machine.Looks()...)
	if w.early.busy || len(w.early.ids) == 0 {
		return
	}
	n := min(batch, len(w.early.ids))
	ids := w.early.ids[:n]
	w.early.now, w.early.ids, w.early.busy = ids, w.early.ids[n:], true
	w.lookAt(ctx, ids, func(seen map[string]*diagnose.Container, note string, at Moment) {
		w.early.now, w.early.busy = nil, false
		for _, id := range ids {
			w.machine.Diagnosed(id, seen[id], note, at)
			w.attach(id)
		}
	})
}

// lateLooks looks at those whose reports wait.
func (w *Watcher) lateLooks(ctx context.Context, now Moment) {
	if w.late.busy {
		return
	}
	var ids []string
	for _, h := range w.held {
		if h.id != "" && h.lookAt > 0 && h.lookAt <= now.Mono && len(ids) < batch {
			ids = append(ids, h.id)
			h.lookAt = 0
		}
	}
	if len(ids) == 0 {
		return
	}
	w.late.busy = true
	w.lookAt(ctx, ids, func(seen map[string]*diagnose.Container, note string, at Moment) {
		w.late.busy = false
		for _, id := range ids {
			w.machine.Diagnosed(id, seen[id], note, at)
			w.attach(id)
		}
	})
}

// attach gives the held reports about a container what is now known of it.
func (w *Watcher) attach(id string) {
	for _, h := range w.held {
		if h.id == id {
			w.machine.Attach(h.report)
			h.id = ""
		}
	}
}

// lookAt takes one look at some containers beside the loop. An engine that is
// known to be silent is asked with short deadlines, and its files answer.
func (w *Watcher) lookAt(ctx context.Context, ids []string, done func(map[string]*diagnose.Container, string, Moment)) {
	e := w.engine
	if w.health.failing {
		e = w.quick
	}
	var report diagnose.Report
	at := w.now()
	w.beside(ctx, func() { report = w.judge(ctx, e, engine.Query{Names: ids}) }, func() {
		seen := map[string]*diagnose.Container{}
		if w.now().Mono-at.Mono >= look.Deadline {
			// A look that was cut off takes what it did not get to for missing.
			done(seen, fmt.Sprintf("the look did not come to its end within %s", look.Deadline), at)
			return
		}
		for i := range report.Containers {
			seen[report.Containers[i].ID] = &report.Containers[i]
		}
		note := ""
		if len(report.Errors) > 0 {
			note = report.Errors[0].Message
		}
		done(seen, note, at)
	})
}

func (w *Watcher) judge(ctx context.Context, e *engine.Engine, q engine.Query) diagnose.Report {
	opt := diagnose.Options{Version: w.opt.Version}
	s := w.opt.Looker.Look(ctx, &look.Question{Query: q, Judge: opt, Engine: e, EngineOptions: w.opt.EngineOptions})
	return diagnose.Judge(s, opt)
}
