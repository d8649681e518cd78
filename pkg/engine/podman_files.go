package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// storedContainer is one entry of containers.json (containers/storage).
type storedContainer struct {
	ID       string   `json:"id"`
	Names    []string `json:"names"`
	Metadata string   `json:"metadata"` // of its maker; Podman's is storedMetadata, Buildah's ""
}

type storedMetadata struct {
	Image string `json:"image-name"`
	Name  string `json:"name"` // as it was made: a rename changes Names alone
}

// podmanSpec is what we read of config.json, the runtime's configuration, which is
// written at each start.
type podmanSpec struct {
	Process struct {
		Terminal bool
		User     struct{ UID int }
		Args     words
		Env      []string
	}
	Annotations map[string]string
	Linux       struct {
		Namespaces []struct{ Type, Path string }
	}
}

// podmanDatabase is what holds the rest: BoltDB before Podman 5, SQLite since. Each
// takes a lock that a podman command may hold, and neither is read.
const podmanDatabase = "Podman's database"

// podmanGap is what its files leave open.
var podmanGap = evidence.Gap{Path: podmanDatabase, Kind: evidence.GapSkipped, Matters: "the stop timeout, the restart policy and the labels of the container"}

// fromPodman reports whether the files that answer are Podman's.
func (e *Engine) fromPodman() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known != nil && e.known.podman
}

const (
	maxStorage = 64 << 20 // of containers.json
	maxDrivers = 100
)

// podmanDirs are GRAPHROOT/DRIVER-containers: overlay, vfs, btrfs, zfs.
func (h *home) podmanDirs() []string {
	if h.data == "" {
		return nil
	}
	names, _ := h.fs.names(h.data, maxDrivers)
	slices.Sort(names)
	var out []string
	for _, n := range names {
		if strings.HasSuffix(n, "-containers") {
			out = append(out, filepath.Join(h.data, n))
		}
	}
	return out
}

// runDir is where the container of dir keeps what does not outlive the machine.
func (h *home) runDir(dir, id string) string {
	return filepath.Join(h.exec, filepath.Base(dir), id, "userdata")
}

// readPodman lists the containers of all storage drivers.
func (h *home) readPodman(ctx context.Context, proc string) ([]listed, error) {
	if h.exec == "" {
		return nil, errNoRunRoot
	}
	var out []listed
	err := errNoHome
	for _, dir := range h.podmanDirs() {
		stored, dirErr := h.stored(filepath.Join(dir, "containers.json"))
		if dirErr == nil || errors.Is(err, errNoHome) {
			err = dirErr
		}
		// Those that need not outlive the machine: newer Podmans keep them apart.
		volatile, _ := h.stored(filepath.Join(h.exec, filepath.Base(dir), "volatile-containers.json"))
		for _, s := range append(stored, volatile...) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if c, ok := h.podmanContainer(proc, dir, s); ok {
				out = append(out, listed{id: c.ID, names: s.Names, image: c.Image, status: c.Status, known: c})
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// errNoRunRoot: which of its containers run stands there alone.
var errNoRunRoot = errors.New("the run root of this Podman is not known; give it with --exec-root")

// podmanFile is what the files say of one container, nil: nothing.
func (h *home) podmanFile(ctx context.Context, proc, id string) *evidence.Container {
	list, _ := h.readPodman(ctx, proc)
	for _, l := range list {
		if l.id == id {
			return l.known
		}
	}
	return nil
}

func (h *home) stored(file string) ([]storedContainer, error) {
	b, err := h.fs.read(file, maxStorage)
	if err != nil {
		return nil, err
	}
	return parseStored(b)
}

// parseStored reads one entry after the other: a file of nothing but "{}," would
// take twenty times its size at once.
func parseStored(b []byte) ([]storedContainer, error) {
	in := json.NewDecoder(bytes.NewReader(b))
	if start, err := in.Token(); err != nil || start != json.Delim('[') {
		return nil, errors.New("it is no list of containers")
	}
	var list []storedContainer
	for in.More() && len(list) < maxContainers {
		var s storedContainer
		if err := in.Decode(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(list) < maxContainers {
		if _, err := in.Token(); err != nil {
			return nil, fmt.Errorf("the end of the list is missing: %w", err)
		}
	}
	return list, nil
}

// podmanContainer is false for what is no container of Podman's.
func (h *home) podmanContainer(proc, dir string, s storedContainer) (*evidence.Container, bool) {
	var meta storedMetadata
	if !isID(s.ID) || json.Unmarshal([]byte(s.Metadata), &meta) != nil || meta.Name == "" {
		return nil, false
	}
	c := &evidence.Container{ID: s.ID, Name: firstOf(primaryName(s.Names), clip(meta.Name, 256)), Image: clip(meta.Image, maxText), Source: sourceFiles}
	var spec podmanSpec
	b, err := h.fs.read(filepath.Join(dir, s.ID, "userdata/config.json"), maxContainerFile)
	switch {
	case err != nil:
		c.Status = "created"
	case decode(b, &spec) == nil:
		spec.fill(c)
		c.Status = "exited"
	}
	if pid, ok := h.podmanPID(proc, dir, s.ID); ok {
		c.PID, c.Status = pid, "running"
		if frozen(proc, pid) {
			c.Status = "paused"
		}
	}
	return c, true
}

func (s *podmanSpec) fill(c *evidence.Container) {
	c.Tty, c.Cmd = s.Process.Terminal, clipAll(s.Process.Args)
	if s.Process.User.UID != 0 {
		c.User = strconv.Itoa(s.Process.User.UID)
	}
	keepEnv(c, s.Process.Env)
	c.StopSignal = clip(s.Annotations["org.opencontainers.image.stopSignal"], 64)
	c.AutoRemove = s.Annotations["io.podman.annotations.autoremove"] == "TRUE"
	c.Privileged = s.Annotations["io.podman.annotations.privileged"] == "TRUE"
	if text, ok := s.Annotations["io.podman.annotations.init"]; ok {
		on := text == "TRUE"
		c.Init = &on
	}
	c.PidMode = "host"
	for _, n := range s.Linux.Namespaces {
		if n.Type == "pid" {
			c.PidMode = ""
		}
	}
}

// podmanPID is the init of a container that runs. Its pidfile outlives it, and the
// number may have been given away since: something else has to name it too.
func (h *home) podmanPID(proc, dir, id string) (int, bool) {
	pid := h.pidFile(dir, id)
	if pid <= 1 {
		return 0, false
	}
	if r := h.podmanRecord(id); r.PID == pid {
		return pid, true // the runtime's record goes when Podman books the exit
	}
	if slices.Contains(groupsAround(proc, pid), id) {
		return pid, true
	}
	list := readStats(proc, []int{pid})
	if len(list) == 0 {
		return 0, false
	}
	keeper := readStats(proc, []int{list[0].ppid})
	found := shims(proc, keeper)
	return pid, len(found) == 1 && found[0].id == id && h.ownsConmon(found[0]) == yes
}

func (h *home) pidFile(dir, id string) int {
	if h.exec == "" {
		return 0
	}
	b, err := h.fs.read(filepath.Join(h.runDir(dir, id), "pidfile"), 64)
	if err != nil {
		return 0
	}
	pid, _ := number(strings.TrimSpace(string(b)))
	return pid
}

// podmanRecord is what runc or crun keeps of a container. They have one directory
// for all engines of a user, so it counts by the id alone, and with the PID that
// this Podman has on file.
func (h *home) podmanRecord(id string) runtimeState {
	if !isID(id) || h.runtimes == "" {
		return runtimeState{}
	}
	if s, ok := h.readState(filepath.Join(h.runtimes, "runc", id)); ok && h.filed(id, s.PID) {
		return s
	}
	b, err := h.fs.read(filepath.Join(h.runtimes, "crun", id, "status"), maxConfig)
	if err != nil {
		return runtimeState{}
	}
	var s struct {
		PID   int    `json:"pid"`
		Start uint64 `json:"process-start-time"`
	}
	if decode(b, &s) != nil || s.PID <= 0 || !h.filed(id, s.PID) {
		return runtimeState{}
	}
	return runtimeState{PID: s.PID, Start: s.Start}
}

// filed reports whether a container of this Podman has that PID on file.
func (h *home) filed(id string, pid int) bool {
	return slices.ContainsFunc(h.podmanDirs(), func(dir string) bool { return h.pidFile(dir, id) == pid })
}

// frozen reports whether a process's cgroup is paused. On cgroup v1 that is the
// freezer's hierarchy.
func frozen(proc string, pid int) bool {
	b, err := readKernel(procPath(proc, pid, "cgroup"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[2] == "/" || strings.Contains(f[2], "/..") { // outside of what we see of the cgroups
			continue
		}
		file, want := filepath.Join("/sys/fs/cgroup", f[2], "cgroup.freeze"), "1"
		if f[1] == "freezer" {
			file, want = filepath.Join("/sys/fs/cgroup/freezer", f[2], "freezer.state"), "FROZEN"
		}
		if state, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(state)) == want {
			return true
		}
	}
	return false
}
