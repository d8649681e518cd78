package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// filedContainer is one container of the engine's files.
type filedContainer struct {
	container *evidence.Container
	labels    map[string]string
}

// maxContainerFile bounds config.v2.json: labels and environment may fill it.
const maxContainerFile = 16 << 20

// containerDirs are the directories with one subdirectory for each container. An
// engine with remapped users keeps them below DATA/UID.GID, and what else is
// below DATA is of the time before.
func (h *home) containerDirs() []string {
	switch {
	case h.data == "":
		return nil
	case h.podman:
		return h.podmanDirs()
	case !h.remapped:
		return []string{filepath.Join(h.data, "containers")}
	}
	names, _ := h.fs.names(h.data, 1000)
	slices.Sort(names)
	var dirs []string
	for _, n := range names {
		uid, gid, ok := strings.Cut(n, ".")
		if _, isUID := number(uid); !ok || !isUID {
			continue
		}
		if _, isGID := number(gid); isGID {
			dirs = append(dirs, filepath.Join(h.data, n, "containers"))
		}
	}
	return dirs
}

// onlyMapped reports whether all containers below the data root are those of
// remapped users: nothing but that tells it of an engine that is dead.
func (h *home) onlyMapped() bool {
	if h.fs.exists(filepath.Join(h.data, "containers")) {
		return false
	}
	mapped := *h
	mapped.remapped = true
	return slices.ContainsFunc(mapped.containerDirs(), h.fs.exists)
}

// readContainer reads config.v2.json and hostconfig.json, which the engine
// rewrites at every change of state (moby Container.CheckpointTo).
func (h *home) readContainer(dir, id string) (filedContainer, error) {
	if !isID(id) {
		return filedContainer{}, fmt.Errorf("%q is no container id", clip(id, 64))
	}
	config := filepath.Join(dir, id, "config.v2.json")
	b, err := h.fs.read(config, maxContainerFile)
	if err != nil {
		return filedContainer{}, fmt.Errorf("reading the container's configuration: %w", err)
	}
	var d document
	if err := decode(b, &d); err != nil {
		return filedContainer{}, fmt.Errorf("%s: %w", config, err)
	}
	if d.ID != id {
		return filedContainer{}, fmt.Errorf("%s is of another container", config)
	}
	// Without it the container can still be judged, by the defaults.
	if b, err := h.fs.read(filepath.Join(dir, id, "hostconfig.json"), maxContainerFile); err == nil {
		_ = d.HostConfig.UnmarshalJSON(b)
	}
	f := filedContainer{container: d.container()}
	f.container.Source = sourceFiles
	if d.Config.value != nil {
		f.labels = d.Config.value.Labels
	}
	return f, nil
}

// list reads all containers from the files.
func (h *home) list(ctx context.Context, proc string) ([]listed, error) {
	if h.data == "" {
		return nil, errNoHome
	}
	type result struct {
		list []listed
		err  error
	}
	r, err := beside.Within(ctx, func() result {
		list, err := h.readAll(ctx, proc)
		return result{list, err}
	})
	if err != nil {
		return nil, fmt.Errorf("reading the containers below %s: %w", h.data, err)
	}
	return r.list, r.err
}

// maxContainers bounds the directories that are looked at.
const maxContainers = 20000

func (h *home) readAll(ctx context.Context, proc string) ([]listed, error) {
	if h.podman {
		return h.readPodman(ctx, proc)
	}
	var out []listed
	var firstErr error
	for _, dir := range h.containerDirs() {
		ids, err := h.fs.names(dir, maxContainers)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		slices.Sort(ids)
		for _, id := range ids {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			// One that is being removed has no files any more; others stay known.
			if c, err := h.readContainer(dir, id); err == nil {
				out = append(out, listedFrom(c))
			}
		}
	}
	if len(out) == 0 && firstErr != nil {
		return nil, firstErr
	}
	return out, nil
}

func listedFrom(f filedContainer) listed {
	c := f.container
	return listed{id: c.ID, names: []string{c.Name}, image: c.Image, status: c.Status, labels: f.labels, known: c}
}

// runtimeState is what the OCI runtime keeps of a container: runc's state.json.
type runtimeState struct {
	PID   int    `json:"init_process_pid"`
	Start uint64 `json:"init_process_start"` // clock ticks since boot, field 22 of stat
	// cgroup is the container's path below each cgroup hierarchy.
	cgroup string
	// kept: the engine runs on this kernel, and has the container in its files.
	kept bool
	// ours is the PID by our own numbers where it is not the recorded one, see
	// inOurs.
	ours int
	// lost: containerd has no bundle of it, where it has those of the engine.
	lost bool
}

// keeps reports whether the engine's files have a container.
func (h *home) keeps(id string) bool {
	return isID(id) && slices.ContainsFunc(h.containerDirs(), func(dir string) bool { return h.fs.exists(filepath.Join(dir, id)) })
}

// loses reports whether containerd has no bundle of a container, where its bundles
// are known to be.
func (h *home) loses(id string) bool {
	dirs := h.bundleDirs()
	return len(dirs) > 0 && !slices.ContainsFunc(dirs, func(dir string) bool { return h.fs.exists(filepath.Join(dir, id)) })
}

// record finds the runtime's state of a container. The directory is named for
// the runtime (runtime-runc, runtime-crun, ...) and the containerd namespace.
func (h *home) record(id string) runtimeState {
	switch {
	case !isID(id) || h.exec == "":
		return runtimeState{}
	case h.podman:
		return h.podmanRecord(id)
	}
	if s, ok := h.readState(filepath.Join(h.exec, "runtime-runc", h.namespace, id)); ok {
		return s
	}
	for _, dir := range h.stateDirs() {
		if s, ok := h.readState(filepath.Join(dir, id)); ok {
			return s
		}
	}
	for _, dir := range h.bundleDirs() {
		if b, err := h.fs.read(filepath.Join(dir, id, "init.pid"), 64); err == nil {
			if pid, ok := number(strings.TrimSpace(string(b))); ok {
				return runtimeState{PID: pid}
			}
		}
	}
	return runtimeState{}
}

func (h *home) readState(dir string) (runtimeState, bool) {
	b, err := h.fs.read(filepath.Join(dir, "state.json"), maxConfig)
	if err != nil {
		return runtimeState{}, false
	}
	return parseState(b)
}

// parseState reads state.json; false when it names no process.
func parseState(b []byte) (runtimeState, bool) {
	var s struct {
		runtimeState
		Groups map[string]string `json:"cgroup_paths"`
	}
	if decode(b, &s) != nil || s.PID <= 0 {
		return runtimeState{}, false
	}
	s.cgroup = groupPath(s.Groups)
	return s.runtimeState, true
}

// groupPath is the container's path below a cgroup hierarchy. state.json has it by
// controller and with the place where that is mounted: /sys/fs/cgroup/freezer or,
// of the unified one, whose name is "", /sys/fs/cgroup, and on a host that has
// both kinds /sys/fs/cgroup/unified.
func groupPath(dirs map[string]string) string {
	for _, at := range []string{"freezer", "pids", "memory", "unified", ""} {
		controller := strings.TrimPrefix(at, "unified")
		if path, ok := strings.CutPrefix(dirs[controller], filepath.Join("/sys/fs/cgroup", at)+"/"); ok {
			return clip(filepath.Clean("/"+path), maxText)
		}
	}
	return ""
}

// stateDirs are EXEC/runtime-NAME/NAMESPACE. With remapped users the namespace
// has the mapping in its name: moby-100000.100000.
func (h *home) stateDirs() []string {
	if h.exec == "" || h.podman {
		return nil
	}
	var dirs []string
	names, _ := h.fs.names(h.exec, 1000)
	for _, n := range names {
		if strings.HasPrefix(n, "runtime-") {
			dirs = append(dirs, h.namespaceDirs(filepath.Join(h.exec, n))...)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// bundleDirs are where containerd keeps the bundles of this engine's containers:
// a containerd that dockerd started, or the system's.
func (h *home) bundleDirs() []string {
	if h.exec == "" || h.podman {
		return nil
	}
	const tasks = "io.containerd.runtime.v2.task"
	dirs := h.namespaceDirs(filepath.Join(h.exec, "containerd/daemon", tasks))
	if h.containerd != "" {
		// Its socket lies in its state directory, unless somebody has moved one.
		dirs = append(dirs, h.namespaceDirs(filepath.Join(filepath.Dir(h.containerd), tasks))...)
	}
	if isDefaultExecRoot(h.exec) {
		dirs = append(dirs, h.namespaceDirs(filepath.Join("/run/containerd", tasks))...)
	}
	return dirs
}

func (h *home) namespaceDirs(parent string) []string {
	var dirs []string
	names, _ := h.fs.names(parent, 1000)
	for _, n := range names {
		if n == h.namespace || h.remapped && strings.HasPrefix(n, h.namespace+"-") {
			dirs = append(dirs, filepath.Join(parent, n))
		}
	}
	return dirs
}

// isID: 64 hex digits, as the engine makes them. Nothing else is ever joined to a
// path.
func isID(s string) bool { return len(s) == 64 && isHex(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// number reads a whole number that is not negative.
func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}

// atLeast compares "29.7.0-rc.1" with a major and minor number; false for a
// version in another form.
func atLeast(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, okA := number(first)
	b, okB := number(second)
	return okA && okB && (a > major || a == major && b >= minor)
}
