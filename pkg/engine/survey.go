package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// remains is all that carries one id on this host.
type remains struct {
	id     string
	places []evidence.Remain
	// ours: something proves that the engine asked had this container, and not
	// another one on this host: its shim answers to the engine's containerd, its
	// runtime's state lies below the engine's exec root, or its file system below
	// the data root.
	ours bool
	// owner is another engine that the id belongs to, in words.
	owner string
	pid   int
	start uint64 // of pid, by the runtime's record; 0: not recorded
	// members are the processes in its cgroup and the children of its shim.
	members []int
	// groups are its cgroup directories.
	groups []string
}

// survey goes through the places that outlive an engine's memory of a container:
// cgroups, shims, the runtime's state, and what the engine mounted.
type survey struct {
	e     *Engine
	h     *home // nil: the runtime's directories are not looked at
	procs processes
	// want says which ids are of interest; the others cost as little as can be.
	want   func(id string) bool
	mounts *mountProofs
	byID   map[string]*remains
	// inside are the containers that the engine itself runs in, the outermost
	// first: what is not in them is not the engine's.
	inside []string
}

func (s *survey) at(id string) *remains {
	if s.byID[id] == nil {
		s.byID[id] = &remains{id: id}
	}
	return s.byID[id]
}

// look fills byID.
func (s *survey) look() {
	s.byID = map[string]*remains{}
	if s.h != nil && s.h.pid != 0 {
		s.inside = s.groupsOf(s.h.pid)
	}
	s.lookAtCgroups()
	s.lookAtShims()
	s.lookAtRuntime()
	s.lookAtProcesses()
	others := s.e.otherEngines(s.h, s.procs)
	for _, r := range s.byID {
		slices.Sort(r.members)
		r.members = slices.Compact(r.members)
		if other := knownTo(others, r.id); other != "" {
			// It lives on, whatever lies in a directory that two engines share.
			r.owner, r.ours = other, false
		}
		r.choosePID(s.e.opt.ProcRoot, s.h, s.procs)
	}
}

func (s *survey) lookAtCgroups() {
	for _, dir := range cgroupsOf(s.e.cgroups, "") {
		id := cgroupID(filepath.Base(dir))
		if !s.want(id) || slices.Contains(s.inside, id) {
			continue
		}
		r := s.at(id)
		r.places = append(r.places, evidence.Remain{Kind: "cgroup", Path: dir})
		r.groups = append(r.groups, dir)
		r.members = append(r.members, cgroupMembers(dir)...)
		r.owner = firstOf(r.owner, cgroupOwner(dir))
	}
}

// remainsOf are the cgroups of a container that has ended, wherever they are, the
// processes in them, and the init on record: a rootless engine without cgroups
// leaves no other trace of it.
func (e *Engine) remainsOf(ctx context.Context, id string, record runtimeState) []evidence.Remain {
	ctx, cancel := context.WithTimeout(ctx, shimCall)
	defer cancel()
	out, _ := beside.Within(ctx, func() []evidence.Remain {
		var out []evidence.Remain
		var pids []int
		for _, dir := range cgroupsOf(e.cgroups, id) {
			out = append(out, evidence.Remain{Kind: "cgroup", Path: dir})
			pids = append(pids, cgroupMembers(dir)...)
		}
		if init := record.here(); record.Start != 0 && startOf(e.opt.ProcRoot, init) == record.Start {
			pids = append(pids, init)
		}
		slices.Sort(pids)
		for _, p := range readStats(e.opt.ProcRoot, slices.Compact(pids)) {
			out = append(out, evidence.Remain{Kind: "process", PID: p.pid, StartTicks: p.start})
		}
		return out
	})
	return out
}

func (s *survey) lookAtShims() {
	for _, sh := range shims(s.e.opt.ProcRoot, s.procs) {
		// A shim in a container is that of an engine in there.
		if !s.want(sh.id) || sh.action != "" || !slices.Equal(s.groupsOf(sh.pid), s.inside) {
			continue
		}
		r := s.at(sh.id)
		p, _ := s.procs.get(sh.pid)
		r.places = append(r.places, evidence.Remain{Kind: "shim", PID: sh.pid, StartTicks: p.start})
		r.members = append(r.members, s.kept(sh)...)
		switch whose := s.h.ownsContainerd(sh.address); {
		case s.h.ownsConmon(sh) == yes:
			r.ours = true
		case sh.owner != "":
			r.owner = firstOf(r.owner, sh.owner)
		case whose == yes:
			r.ours = true
		case whose == no:
			r.owner = firstOf(r.owner, fmt.Sprintf("the engine with the containerd at %s", clip(sh.address, maxText)))
		}
	}
}

// kept are the processes of the container below its shim. Below a conmon podman
// itself may be at work, to book the end.
func (s *survey) kept(sh shim) []int {
	return slices.DeleteFunc(s.procs.children(sh.pid), func(pid int) bool {
		p, _ := s.procs.get(pid)
		return sh.bundle != "" && p.comm == podmanComm && !isNamespaceInit(s.e.opt.ProcRoot, pid)
	})
}

func (s *survey) lookAtRuntime() {
	if s.h == nil { // Podmans share one directory of the runtime: its records prove nothing
		return
	}
	for _, dir := range s.h.stateOf() {
		id := filepath.Base(dir)
		if !s.want(id) {
			continue
		}
		r := s.at(id)
		r.places = append(r.places, evidence.Remain{Kind: "runtime", Path: dir})
		r.ours = r.ours || strings.HasPrefix(dir, s.h.exec+"/")
	}
}

// lookAtProcesses finds the members that no cgroup directory lists, and proves
// whose the others are. A process that is dying has left its v1 cgroups and all
// its mounts.
func (s *survey) lookAtProcesses() {
	for _, p := range s.procs {
		if p.kernel || !p.lives() {
			continue
		}
		ids := s.groupsOf(p.pid)
		if len(ids) < len(s.inside) || !slices.Equal(ids[:len(s.inside)], s.inside) {
			continue
		}
		ids = ids[len(s.inside):]
		if len(ids) > 0 && !s.want(ids[0]) {
			continue
		}
		seen := s.mounts.of(p.pid)
		if len(ids) == 0 {
			// In no container's cgroup, but in its file system: nsenter has such.
			if !seen.ours || seen.id == "" || !s.want(seen.id) {
				continue
			}
			ids = []string{seen.id}
		}
		r := s.at(ids[0])
		if !slices.Contains(r.members, p.pid) {
			r.members = append(r.members, p.pid)
		}
		if len(ids) == 1 { // an engine in the container may have a data root named as ours
			r.prove(seen)
		}
	}
}

// prove takes what a process's mounts say about whose it is.
func (r *remains) prove(seen mountProof) {
	switch {
	case seen.ours:
		if !r.ours || !slices.ContainsFunc(r.places, func(p evidence.Remain) bool { return p.Kind == "mount" }) {
			r.places = append(r.places, evidence.Remain{Kind: "mount", Path: seen.path})
		}
		r.ours = true
	case seen.path != "":
		r.owner = firstOf(r.owner, "the engine that keeps "+clip(seen.path, maxText))
	}
}

// groupsOf gives the containers in whose cgroups a process is, the outermost
// first: an engine in a container has its own ones below. On cgroup v1 the first
// hierarchy that names one is taken.
func (s *survey) groupsOf(pid int) []string {
	b, err := readKernel(procPath(s.e.opt.ProcRoot, pid, "cgroup"))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if ids := cgroupIDs(line); ids != nil {
			return ids
		}
	}
	return nil
}

// cgroupIDs are the container ids in a line of /proc/PID/cgroup.
func cgroupIDs(line string) []string {
	var ids []string
	for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
		if id := cgroupID(part); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// stateOf lists the directories of the runtime and of containerd that are named
// for a container.
func (h *home) stateOf() []string {
	var out []string
	for _, parent := range append(h.stateDirs(), h.bundleDirs()...) {
		names, _ := h.fs.names(parent, maxContainers)
		for _, n := range names {
			if isID(n) {
				out = append(out, filepath.Join(parent, n))
			}
		}
	}
	slices.Sort(out)
	return out
}

// answer is yes, no, or that it cannot be told.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// systemContainerd is the socket of a containerd that is not dockerd's own
// child. Several engines may share it.
const systemContainerd = "/run/containerd/containerd.sock"

// ownsContainerd reports whether the containerd at an address is the engine's.
func (h *home) ownsContainerd(address string) answer {
	switch {
	case h == nil || h.exec == "" || address == "":
		return unknown
	case h.podman:
		return no
	case address == filepath.Join(h.exec, managedContainerd):
		return yes
	case address == systemContainerd || address == "/var"+systemContainerd, address == h.containerd:
		return unknown
	}
	return no
}
