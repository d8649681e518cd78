package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// settle is how long a trace of a container must outlive the engine's memory of
// it. A shim takes some 0.1 s to end after its container was removed.
const settle = 300 * time.Millisecond

// Orphans finds what lives on this host of containers that the engine has
// forgotten, or has booked as exited: processes, shims, the runtime's state. What
// belongs to another engine, or cannot be proven to belong to this one, is left
// out. The error is an *Error with exit code 4 when neither the engine nor its
// files say which containers there are.
func (e *Engine) Orphans(ctx context.Context) ([]evidence.Target, *evidence.Leftovers, error) {
	if !e.at.local() {
		return nil, nil, &Error{ExitCode: ExitNoEngine, Message: fmt.Sprintf(
			"orphans live on the engine's own host, and %s is another one: run whystuck there", e.at.host)}
	}
	h, list, err := e.ownList(ctx)
	if err != nil {
		return nil, nil, err
	}
	known := byID(list)
	scan, cancel := context.WithTimeout(ctx, scanDeadline)
	defer cancel()
	found, err := beside.Within(scan, func() *survey { return e.survey(h, orphaned(known)) })
	if err != nil {
		return nil, nil, &Error{ExitCode: ExitNoEngine, Message: "looking through the processes took too long: a file of /proc does not answer", Err: err}
	}
	left := &evidence.Leftovers{Containers: len(known), Processes: len(found.procs), EmptyCgroups: found.emptyGroups()}
	candidates := found.candidates(known)
	half, _ := beside.Within(scan, func() []string { return h.halfRemoved(known) })
	if len(candidates) == 0 && len(half) == 0 {
		return nil, left, nil
	}
	targets, list, err := e.confirmed(ctx, h, candidates)
	if err != nil {
		if len(candidates) == 0 {
			err = nil // only directories were to be confirmed
		}
		return nil, left, err
	}
	left.HalfRemoved, _ = beside.Within(ctx, func() []string { return h.stillHalf(half, byID(list)) })
	return targets, left, nil
}

// unconfirmed: what was found once may have come to its end since.
func unconfirmed(cause error) *Error {
	return &Error{ExitCode: ExitNoEngine, Err: cause,
		Message: "what was found could not be confirmed: the engine did not say a second time which containers it has; ask again"}
}

// ownList gives the engine's files and all its containers.
func (e *Engine) ownList(ctx context.Context) (*home, []listed, error) {
	list, err := e.asked(ctx, func(ctx context.Context) ([]listed, error) { return e.api.list(ctx, false) })
	if err != nil {
		if list, err = e.listFiles(ctx, err); err != nil {
			return nil, nil, err
		}
	}
	look, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	h, err := e.homeOf(look, thorough)
	if err != nil {
		why := "where it keeps its files is not known; give --data-root and --exec-root"
		if os.Geteuid() != 0 {
			why = "only root can see whose a process is: sudo whystuck orphans"
		}
		return nil, nil, &Error{ExitCode: ExitNoEngine, Message: fmt.Sprintf("cannot tell what belongs to the engine at %s: %s", e.at.host, why), Err: err}
	}
	return h, list, nil
}

func byID(list []listed) map[string]listed {
	out := make(map[string]listed, len(list))
	for _, l := range list {
		out[l.id] = l
	}
	return out
}

// ended: the engine takes the container for one without processes. One that is
// created or restarting may be starting just now.
func (l listed) ended() bool {
	return l.status == "exited" || l.status == "dead" || l.status == "stopped" // Podman's word
}

// orphaned: what lives of such a container is an orphan.
func orphaned(known map[string]listed) func(id string) bool {
	return func(id string) bool { l, ok := known[id]; return isID(id) && (!ok || l.ended()) }
}

func (e *Engine) survey(h *home, want func(id string) bool) *survey {
	s := &survey{e: e, h: h, procs: scanProcesses(e.opt.ProcRoot), mounts: newMountProofs(e.opt.ProcRoot, h), want: want}
	s.look()
	return s
}

// candidates are those of the surveyed that look like orphans of this engine.
func (s *survey) candidates(known map[string]listed) []*remains {
	var out []*remains
	for _, id := range slices.Sorted(maps.Keys(s.byID)) {
		r := s.byID[id]
		_, filed := known[id]
		r.onlyLiving(s.procs)
		switch {
		case filed && r.outlives(s.h):
		case !filed && s.proves(r) && r.isMore():
		default:
			continue
		}
		out = append(out, r)
	}
	return out
}

// proves: what was found is of the engine asked, and not of another one.
func (s *survey) proves(r *remains) bool { return r.ours || r.owner == "" && s.alone() }

// alone: no other engine on this host could have made a cgroup that nothing else
// says anything about.
func (s *survey) alone() bool {
	return s.h != nil && s.h.pid != 0 && !slices.ContainsFunc(s.procs, func(p process) bool { return p.pid != s.h.pid && engineComm(p.comm) })
}

// onlyLiving drops the members that are no more than a zombie's entry.
func (r *remains) onlyLiving(procs processes) {
	r.members = slices.DeleteFunc(r.members, func(pid int) bool {
		p, ok := procs.get(pid)
		return !ok || !p.lives()
	})
}

// isMore: something is left besides empty cgroup directories.
func (r *remains) isMore() bool {
	return len(r.members) > 0 || slices.ContainsFunc(r.places, func(p evidence.Remain) bool { return p.Kind != "cgroup" })
}

// outlives: of a container that the engine takes for ended processes live, or its
// shim. A conmon ends by itself.
func (r *remains) outlives(h *home) bool {
	return len(r.members) > 0 || !h.podman && slices.ContainsFunc(r.places, func(p evidence.Remain) bool { return p.Kind == "shim" })
}

// maxEmpty bounds the list of what only wants a rmdir.
const maxEmpty = 100

// emptyGroups are cgroup directories that containers of this engine left behind.
func (s *survey) emptyGroups() []string {
	var out []string
	for _, r := range s.byID {
		if r.owner == "" && s.alone() && !r.isMore() {
			out = append(out, r.groups...)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), maxEmpty)]
}

// relist asks once more which containers there are, the way that answered before.
func (e *Engine) relist(ctx context.Context, h *home) ([]listed, error) {
	if e.Describe().Trouble != "" {
		return h.list(ctx, e.opt.ProcRoot)
	}
	return e.asked(ctx, func(ctx context.Context) ([]listed, error) { return e.api.list(ctx, false) })
}

// confirmed looks again after a while: what the engine knows by now, or what is
// gone, is none. It gives the second list as well.
func (e *Engine) confirmed(ctx context.Context, h *home, candidates []*remains) ([]evidence.Target, []listed, error) {
	select {
	case <-ctx.Done():
		return nil, nil, unconfirmed(ctx.Err())
	case <-time.After(settle):
	}
	list, err := e.relist(ctx, h)
	if err != nil {
		return nil, nil, unconfirmed(err)
	}
	known := byID(list)
	procs := readStats(e.opt.ProcRoot, pidsOf(candidates))
	var out []evidence.Target
	for _, r := range candidates {
		l, filed := known[r.id]
		r.stillThere(h, procs)
		if filed && (!l.ended() || !r.outlives(h)) || !r.isMore() {
			continue
		}
		out = append(out, e.orphanTarget(ctx, r, l, procs))
	}
	slices.SortFunc(out, func(a, b evidence.Target) int {
		return cmp.Or(strings.Compare(a.Asked, b.Asked), strings.Compare(a.Container.ID, b.Container.ID))
	})
	return out, list, nil
}

// pidsOf are all processes that the candidates have, rising.
func pidsOf(candidates []*remains) []int {
	var pids []int
	for _, r := range candidates {
		pids = append(pids, r.members...)
		for _, p := range r.places {
			if p.Kind == "shim" {
				pids = append(pids, p.PID)
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// stillThere drops what has gone since the first look.
func (r *remains) stillThere(h *home, procs processes) {
	r.onlyLiving(procs)
	r.places = slices.DeleteFunc(r.places, func(p evidence.Remain) bool {
		switch p.Kind {
		case "shim":
			now, ok := procs.get(p.PID)
			return !ok || !now.lives() || now.start != p.StartTicks
		case "runtime":
			return !h.fs.exists(p.Path)
		case "cgroup":
			_, err := os.Stat(p.Path)
			return err != nil
		}
		return false
	})
	if !slices.Contains(r.members, r.pid) {
		r.pid = 0
	}
}

// orphanTarget is the target for one orphan; l is the zero value where the engine
// has forgotten it.
func (e *Engine) orphanTarget(ctx context.Context, r *remains, l listed, procs processes) evidence.Target {
	t := evidence.Target{Asked: shortID(r.id), Kind: evidence.KindOrphan, Processes: []evidence.Process{},
		Container: &evidence.Container{ID: r.id, Remains: r.places}}
	if l.id != "" {
		if known := e.examineOne(ctx, chosen{asked: primaryName(l.names), listed: l}, new(atomic.Int64)); known != nil {
			known.Container.Remains = r.places
			t.Container, t.Gaps = known.Container, known.Gaps
			t.Asked = firstOf(known.Container.Name, t.Asked)
		}
	}
	if r.pid == 0 && len(r.members) > 0 { // the one that was chosen has ended
		r.choosePID(e.opt.ProcRoot, nil, procs)
	}
	p, _ := procs.get(r.pid)
	t.PID, t.Container.PID, t.Container.RuntimeStart = r.pid, r.pid, p.start
	for _, pid := range r.members {
		p, _ := procs.get(pid)
		t.Container.Remains = append(t.Container.Remains, evidence.Remain{Kind: "process", PID: pid, StartTicks: p.start})
	}
	return t
}
