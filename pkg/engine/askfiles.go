package engine

import (
	"context"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// filesDeadline is what the engine's files may take where the API did not
// answer. With the two call deadlines before it, it makes three seconds.
const filesDeadline = time.Second

// learnStopTimeout finds the engine's default-stop-timeout, which the API does
// not tell but in /info. Engines before 29.7 have none, and finding it out may
// cost a look through all processes, so it is not tried there.
func (e *Engine) learnStopTimeout(ctx context.Context) {
	_, version := e.conn.server()
	how := quick
	if atLeast(version, 29, 7) {
		how = thorough
	} else if version != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	if h, err := e.homeOf(ctx, how); err == nil {
		e.mu.Lock()
		e.stop = h.stopTimeout
		e.mu.Unlock()
	}
}

// fileOf is what the engine's files say of one container; nil: nothing.
func (e *Engine) fileOf(ctx context.Context, id string) *evidence.Container {
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	h, err := e.homeOf(ctx, thorough)
	if err != nil {
		return nil
	}
	c, err := beside.Within(ctx, func() *evidence.Container {
		if h.podman {
			return h.podmanFile(ctx, e.opt.ProcRoot, id)
		}
		for _, dir := range h.containerDirs() {
			if f, err := h.readContainer(dir, id); err == nil {
				return f.container
			}
		}
		return nil
	})
	if err != nil || c == nil {
		return nil
	}
	e.used(sourceFiles)
	return c
}

// recordCall bounds the reading of the runtime's record. It is taken beside the
// inspect of a healthy engine and must not hold it up.
const recordCall = filesDeadline / 2

// recordOf is what the container runtime has on record for one container, the
// zero value where that cannot be read.
func (e *Engine) recordOf(ctx context.Context, id string) runtimeState {
	ctx, cancel := context.WithTimeout(ctx, recordCall)
	defer cancel()
	h, err := e.homeOf(ctx, quick)
	if err != nil {
		return runtimeState{}
	}
	r, err := beside.Within(ctx, func() runtimeState {
		r := h.record(id)
		r.kept = h.pid != 0 && h.keeps(id)
		r.lost = r.kept && h.loses(id)
		return r.inOurs(e.opt.ProcRoot, h.pid)
	})
	if err != nil {
		return runtimeState{}
	}
	return r
}
