package engine

import (
	"context"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// shimCall bounds the look for one container's shim.
const shimCall = 600 * time.Millisecond

// ShimOf says whether a process, the parent of a container's init, is its shim.
func (e *Engine) ShimOf(ctx context.Context, id string, pid int) (evidence.Part, bool) {
	ctx, cancel := context.WithTimeout(ctx, shimCall)
	defer cancel()
	inside := e.inside(ctx)
	found, _ := beside.Within(ctx, func() []evidence.Part {
		return shimParts(e.opt.ProcRoot, id, processes{{pid: pid, comm: commOf(e.opt.ProcRoot, pid)}}, inside)
	})
	if len(found) != 1 {
		return evidence.Part{}, false
	}
	return found[0], true
}

// Shims looks through all processes for the shims of a container. ok is false
// when that could not be done in time.
func (e *Engine) Shims(ctx context.Context, id string) (shims []evidence.Part, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, shimCall)
	defer cancel()
	inside := e.inside(ctx)
	found, err := beside.Within(ctx, func() []evidence.Part {
		return shimParts(e.opt.ProcRoot, id, e.scan(), inside)
	})
	return found, err == nil
}

// inside are the containers that the engine runs in, nil where its process is not
// known.
func (e *Engine) inside(ctx context.Context) *[]string {
	h, err := e.homeOf(ctx, quick)
	if err != nil || h.pid == 0 {
		return nil
	}
	ids, err := beside.Within(ctx, func() []string { return groupsAround(e.opt.ProcRoot, h.pid) })
	if err != nil {
		return nil
	}
	return &ids
}

// groupsAround gives the containers in whose cgroups a process is, the outermost
// first.
func groupsAround(proc string, pid int) []string {
	return (&survey{e: &Engine{opt: Options{ProcRoot: proc}}}).groupsOf(pid)
}

// genuine reports whether a shim is in no container that its engine is not in: a
// container's program may take any name and any arguments. Where the engine's
// process is not known, that leaves the containers which claim to keep themselves.
func genuine(proc string, s shim, inside *[]string) bool {
	ids := groupsAround(proc, s.pid)
	if inside == nil {
		return !slices.Contains(ids, s.id)
	}
	return len(ids) <= len(*inside) && slices.Equal(ids, (*inside)[:len(ids)])
}

// scan looks through all processes. Those who ask while a scan goes on share the
// next one: it is as new as one of their own.
func (e *Engine) scan() processes {
	asked := time.Now()
	e.scanMu.Lock()
	defer e.scanMu.Unlock()
	if !e.scanAt.After(asked) {
		e.scanAt = time.Now()
		e.scanned = scanProcesses(e.opt.ProcRoot)
	}
	return e.scanned
}

func shimParts(proc, id string, procs processes, inside *[]string) []evidence.Part {
	var out []evidence.Part
	for _, s := range shims(proc, procs) {
		if s.id != id || id == "" || !genuine(proc, s, inside) {
			continue
		}
		p := evidence.Part{Role: evidence.RoleShim, PID: s.pid, Address: s.address}
		switch s.action {
		case "delete":
			p.Role = evidence.RoleCleaner
		case "start", "exec": // the one forks the shim and ends, the other keeps no container
			continue
		}
		out = append(out, p)
	}
	return out
}
