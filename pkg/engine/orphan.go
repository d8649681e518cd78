package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// minOrphanPrefix is the shortest prefix of an id that is looked for on the host:
// what `docker ps` printed when the container was still known.
const minOrphanPrefix = 12

// scanDeadline bounds the look for a forgotten container: all of /proc and the
// cgroup tree.
const scanDeadline = 2 * time.Second

// forgotten answers for a name that no container has: the remains of one that the
// engine has forgotten, or the error that there is none. `docker rm -f` of a
// container with a process in D state returns success and leaves the process
// (moby daemon/delete.go).
func (e *Engine) forgotten(ctx context.Context, asked string) (*evidence.Target, evidence.TargetError) {
	if len(asked) < minOrphanPrefix || len(asked) > 64 || !isHex(asked) || !e.at.local() {
		return nil, noSuch(asked)
	}
	ctx, cancel := context.WithTimeout(ctx, scanDeadline)
	defer cancel()
	h, _ := e.homeOf(ctx, thorough) // nil: the runtime's directories are not looked at
	s, err := beside.Within(ctx, func() *survey {
		return e.survey(h, func(id string) bool { return strings.HasPrefix(id, asked) })
	})
	if err != nil || len(s.byID) == 0 {
		return nil, noSuch(asked)
	}
	found := slices.SortedFunc(maps.Values(s.byID), func(a, b *remains) int { return strings.Compare(a.id, b.id) })
	if len(found) > 1 {
		var hits []listed
		for _, r := range found {
			hits = append(hits, listed{id: r.id})
		}
		return nil, ambiguous(asked, hits)
	}
	r := found[0]
	switch {
	case s.proves(r):
	case r.owner != "":
		return nil, targetError(asked, fmt.Sprintf("no such container: %s (on this host %s has that id; ask that engine, or give --pid)", asked, r.owner))
	default:
		return nil, targetError(asked, fmt.Sprintf("no such container: %s (something on this host has that id, and nothing proves that it is this engine's; ask as root, or another engine, or give --pid)", asked))
	}
	// It may have been made since the list was taken.
	if t := e.madeMeanwhile(ctx, asked, r.id); t != nil {
		return t, evidence.TargetError{}
	}
	return &evidence.Target{
		Asked: asked, Kind: evidence.KindOrphan, PID: r.pid, Processes: []evidence.Process{},
		Container: &evidence.Container{ID: r.id, PID: r.pid, RuntimeStart: r.start, Remains: r.places},
	}, evidence.TargetError{}
}

// madeMeanwhile asks the engine for this very id; nil: it does not know it, which
// it says without waiting for any lock.
func (e *Engine) madeMeanwhile(ctx context.Context, asked, id string) *evidence.Target {
	if e.Describe().Trouble != "" {
		return nil // its files were listed, just now
	}
	return e.examineOne(ctx, chosen{asked: asked, listed: listed{id: id}}, new(atomic.Int64))
}

// otherEngines are the live engines on this host besides the one asked.
func (e *Engine) otherEngines(h *home, procs processes) []*home {
	var others []*home
	for _, p := range procs {
		if !engineComm(p.comm) || h != nil && h.pid == p.pid {
			continue
		}
		other := homeOfProcess(e.opt.ProcRoot, p.pid)
		if other == nil || h != nil && other.data == h.data && other.fs == h.fs {
			continue
		}
		others = append(others, other)
	}
	return others
}

// knownTo names the engine that has the container, "" for none: then it is not
// forgotten, only asked for at the wrong door.
func knownTo(engines []*home, id string) string {
	for _, h := range engines {
		if !h.keeps(id) {
			continue
		}
		if h.podman {
			return fmt.Sprintf("another Podman (PID %d)", h.pid)
		}
		return fmt.Sprintf("another Docker engine (PID %d)", h.pid)
	}
	return ""
}

// choosePID finds the process that was the container's init: the runtime's
// record where that process still is the recorded one, the PID 1 among the
// members, or else the oldest member. 0: nothing lives.
func (r *remains) choosePID(proc string, h *home, procs processes) {
	if h != nil {
		rec := h.record(r.id).inOurs(proc, h.pid)
		if p, ok := procs.get(rec.here()); ok && (rec.Start == p.start || rec.Start == 0 && slices.Contains(r.members, p.pid)) {
			r.pid, r.start = p.pid, rec.Start
			return
		}
	}
	var oldest process
	for _, pid := range r.members {
		p, ok := procs.get(pid)
		if !ok {
			continue
		}
		if isNamespaceInit(proc, pid) {
			r.pid = pid
			return
		}
		if oldest.pid == 0 || p.start < oldest.start || p.start == oldest.start && p.pid < oldest.pid {
			oldest = p
		}
	}
	r.pid = oldest.pid
}
