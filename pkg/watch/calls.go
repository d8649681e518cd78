package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// lane lets one job at a time go on beside the loop and collects the next one.
type lane struct {
	busy bool
	now  []string // what is being done
	ids  []string // what waits
}

// has: something is being done for an id, or waits for that.
func (l *lane) has(id string) bool { return slices.Contains(l.now, id) || slices.Contains(l.ids, id) }

// inspectors is how many containers are inspected at a time, few: dockerd has
// others to serve.
const inspectors = 8

// inspectWithin bounds them together: where containerd hangs, every one takes its
// whole deadline. What was not reached is asked for with the next comparison.
const inspectWithin = 10 * time.Second

// inspectAll asks for some containers; nil in the answer is one that is gone.
// One that cannot be had is absent.
func (w *Watcher) inspectAll(ctx context.Context, ids []string) map[string]*evidence.Container {
	ctx, cancel := context.WithTimeout(ctx, inspectWithin)
	defer cancel()
	out := make(map[string]*evidence.Container, len(ids))
	next := make(chan string)
	var mu sync.Mutex
	var all beside.Group
	for range min(inspectors, len(ids)) {
		all.Go(func() {
			for id := range next {
				c, err := w.engine.Inspect(ctx, id)
				mu.Lock()
				if err == nil || errors.Is(err, engine.ErrGone) {
					out[id] = c
				}
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	all.Wait()
	return out
}

// inspectWanted gets the configurations that the machine wants.
func (w *Watcher) inspectWanted(ctx context.Context) {
	w.inspector.ids = append(w.inspector.ids, w.machine.Inspects()...)
	if w.inspector.busy || len(w.inspector.ids) == 0 || w.machine.Learning {
		return
	}
	ids := w.inspector.ids
	w.inspector.ids, w.inspector.busy = nil, true
	var found map[string]*evidence.Container
	w.beside(ctx, func() { found = w.inspectAll(ctx, ids) }, func() {
		w.inspector.busy = false
		for _, id := range ids {
			if c := found[id]; c != nil {
				w.machine.Configured(c, w.now())
			}
		}
	})
}

// retryCompare is the pause after a list that could not be had.
const retryCompare = time.Second

// compare gets the engine's list and has it compared with what is known.
func (w *Watcher) compare(ctx context.Context) {
	if w.comparing || !w.connected {
		return
	}
	w.comparing = true
	asked, afterBreak := w.now().Mono, w.broken || w.machine.Learning
	w.broken = false
	var list []engine.Brief
	var err error
	w.beside(ctx, func() { list, err = w.engine.Overview(ctx) }, func() {
		if err != nil {
			w.comparing = false
			w.broken = w.broken || afterBreak
			time.AfterFunc(retryCompare, func() {
				select {
				case w.posted <- func() { w.compare(ctx) }:
				case <-ctx.Done():
				}
			})
			return
		}
		w.answered(w.now())
		w.inspectView(ctx, View{Asked: asked, List: list}, afterBreak)
	})
}

// inspectView completes a view and hands it over.
func (w *Watcher) inspectView(ctx context.Context, v View, afterBreak bool) {
	w.machine.DefaultTimeout = w.engine.Describe().DefaultStopTimeout
	ids := w.machine.NeedsInspect(v.List, afterBreak)
	w.beside(ctx, func() { v.Inspected = w.inspectAll(ctx, ids) }, func() {
		w.comparing = false
		w.machine.Reconcile(v, w.now())
		if w.machine.Learning {
			w.nameMissing(v.List)
		}
		w.machine.Learning = false
		if w.broken {
			w.compare(ctx)
		}
	})
}

// nameMissing says which names no container has yet: they may be typing errors.
func (w *Watcher) nameMissing(list []engine.Brief) {
	for _, word := range w.opt.Names {
		chosen := Choose([]string{word})
		if !slices.ContainsFunc(list, func(b engine.Brief) bool { return chosen(b.ID, b.Name) }) {
			w.complain(fmt.Sprintf("there is no container %q yet; it is watched once there is", word))
		}
	}
}
