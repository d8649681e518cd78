package probe

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// group is one cgroup of one hierarchy.
type group struct {
	mount string // where the hierarchy is mounted
	path  string // as in /proc/PID/cgroup, "" for none
	dir   string // mount and path
}

// hierarchies are the places where cgroup hierarchies are mounted by convention
// (cgroups(7)), the ones that are read first: the unified one keeps the path of
// a dying process, where the v1 ones already say "/" (cgroup_exit).
var hierarchyOrder = []string{"", "freezer", "pids", "memory", "name=systemd"}

// mountOf is the directory of a hierarchy by its controller, "" for unified.
func (p *Prober) mountOf(controller string) string {
	root := p.cgroupRoot()
	if controller == "" {
		if exists(root + "/cgroup.controllers") {
			return root
		}
		return root + "/unified"
	}
	return root + "/" + strings.TrimPrefix(controller, "name=")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// pathIn is a process's path in one hierarchy, "" when it has none. A path with
// ".." lies outside the observer's cgroup namespace and names nothing here.
func pathIn(lines []procfs.Cgroup, controller string) string {
	for _, c := range lines {
		match := slices.Contains(c.Controllers, controller)
		if controller == "" {
			match = c.HierarchyID == 0 && len(c.Controllers) == 0
		}
		if match && !slices.Contains(strings.Split(c.Path, "/"), "..") {
			return c.Path
		}
	}
	return ""
}

// containerPath cuts a path behind the component that names the container: the
// init of a systemd container lives in a cgroup of its own below it. "" when no
// component does. Docker and containerd use the id itself or docker-ID.scope,
// Podman libpod-ID.scope.
func containerPath(path, id string) string {
	if id == "" {
		return ""
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.Contains(part, id) {
			return strings.Join(parts[:i+1], "/")
		}
	}
	return ""
}

// findGroup is the container's cgroup: by its init's own lines, else by what the
// runtime recorded and by the usual places, for a container whose init is gone or
// already at "/".
func (p *Prober) findGroup(lines []procfs.Cgroup, id, recorded string) group {
	for _, controller := range hierarchyOrder {
		path := containerPath(pathIn(lines, controller), id)
		if g := p.groupAt(controller, path); g.path != "" {
			return g
		}
	}
	for _, controller := range hierarchyOrder {
		for _, path := range append([]string{containerPath(recorded, id)}, usualPaths(id)...) {
			if g := p.groupAt(controller, path); g.path != "" {
				return g
			}
		}
	}
	return group{}
}

// groupAt is the cgroup at path if it exists. The root is nobody's cgroup: all
// of the host would be members.
func (p *Prober) groupAt(controller, path string) group {
	if path == "" || path == "/" {
		return group{}
	}
	mount := p.mountOf(controller)
	dir := filepath.Join(mount, path)
	if !exists(dir) {
		return group{}
	}
	return group{mount: mount, path: path, dir: dir}
}

// usualPaths are where Docker (cgroupfs and systemd driver) and Podman put a
// container without a cgroup parent of its own.
func usualPaths(id string) []string {
	if len(id) < 64 {
		return nil
	}
	return []string{"/docker/" + id, "/system.slice/docker-" + id + ".scope", "/machine.slice/libpod-" + id + ".scope", "/libpod_parent/libpod-" + id}
}

// maxGroups bounds the cgroups below a container's; systemd makes some dozens.
const maxGroups = 2048

// members lists the processes of a cgroup and of all below it, rising.
func (r *reader) members(g group) []int {
	var pids []int
	todo := []string{g.dir}
	for n := 0; len(todo) > 0; n++ {
		if n == maxGroups || len(pids) >= maxTasksTarget {
			r.gaps = append(r.gaps, evidence.Gap{Path: g.dir + "/" + fileProcs.name, Kind: evidence.GapSkipped, Matters: "the container has more processes or cgroups than are looked at"})
			break
		}
		dir := todo[0]
		todo = todo[1:]
		path := dir + "/" + fileProcs.name
		data, err := r.read(path, maxRead)
		if err != nil {
			r.miss(fileProcs, 0, path, err)
		}
		pids = append(pids, parsePIDs(data)...)
		todo = append(todo, subdirs(dir)...)
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// parsePIDs reads cgroup.procs or children: numbers separated by blanks. 0 is a
// process outside our PID namespace, which has no number here.
func parsePIDs(data []byte) []int {
	var out []int
	for _, part := range bytes.Fields(data) {
		if pid, err := atoi(part); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	return out
}

func subdirs(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}
