package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/beside"
)

// mountProof is what a process's mounts say of the container that it is in.
type mountProof struct {
	id   string // of the container whose hostname, hosts or resolv.conf it sees
	path string // what an engine has mounted there; "": nothing
	ours bool   // path is below the data root of the engine asked
}

// mountProofs reads mount tables, one for each mount namespace. That takes the
// kernel's lock over all mounts (namespace_sem), which a hanging mount may hold:
// the first that does not come back is the last that is tried.
type mountProofs struct {
	proc   string
	fs     procfs.FS
	roots  []engineRoot
	host   string // our own mount namespace, and the engine's
	engine string
	known  map[string]mountProof
	gaveUp bool
}

// engineRoot is a directory in which the engine keeps its containers' files.
type engineRoot struct {
	path string
	dev  string // of the file system below it, major:minor; "": not known
}

// mountPatience is for one table. A thousand mounts take some 2 ms.
const mountPatience = 400 * time.Millisecond

func newMountProofs(proc string, h *home) *mountProofs {
	m := &mountProofs{proc: proc, known: map[string]mountProof{}}
	m.fs, _ = procfs.NewFS(proc)
	m.host, _ = os.Readlink(filepath.Join(proc, "self/ns/mnt"))
	if h == nil {
		return m
	}
	if h.pid != 0 {
		m.engine, _ = os.Readlink(procPath(proc, h.pid, "ns/mnt"))
	}
	if h.data == "" {
		return m
	}
	m.addRoot(h, h.data)
	if h.podman && h.exec != "" {
		m.addRoot(h, h.exec)
	}
	return m
}

func (m *mountProofs) addRoot(h *home, path string) {
	dev := h.fs.device(path)
	m.roots = append(m.roots, engineRoot{path, dev})
	if h.fs.root != nil {
		return
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		m.roots = append(m.roots, engineRoot{real, dev})
	}
}

// of is the proof for a process, the zero value for one that lives in the host's
// mounts or whose table cannot be read.
func (m *mountProofs) of(pid int) mountProof {
	ns, err := os.Readlink(procPath(m.proc, pid, "ns/mnt"))
	if err != nil || ns == m.host || ns == m.engine || m.gaveUp {
		return mountProof{}
	}
	if p, ok := m.known[ns]; ok {
		return p
	}
	p := m.read(pid)
	m.known[ns] = p
	return p
}

func (m *mountProofs) read(pid int) mountProof {
	table, err := mountTable(m.fs, pid)
	if err != nil {
		m.gaveUp = true
		return mountProof{}
	}
	return m.judge(table)
}

// mountTable is the mount table of a process, empty where it cannot be read; an
// error where that takes too long.
func mountTable(fs procfs.FS, pid int) ([]*procfs.MountInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), mountPatience)
	defer cancel()
	return beside.Within(ctx, func() []*procfs.MountInfo {
		p, err := fs.Proc(pid)
		if err != nil {
			return nil
		}
		list, _ := p.MountInfo()
		return list
	})
}

// ownFiles are what dockerd mounts into every container from DATA/containers/ID.
var ownFiles = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}

// judge reads the mounts at the places where an engine puts them. Others prove
// nothing: daemons of the host carry copies of all containers' mounts about.
func (m *mountProofs) judge(table []*procfs.MountInfo) mountProof {
	var out mountProof
	for _, mount := range table {
		if mount == nil {
			continue
		}
		switch {
		case mount.MountPoint == "/" && mount.FSType == "overlay":
			upper := mount.SuperOptions["upperdir"]
			if upper != "" && !out.ours {
				out.path, out.ours = upper, m.below(upper)
			}
		case isOwnFile(mount.MountPoint):
			id, root := ownFileOf(mount.Root)
			if id == "" {
				continue
			}
			out.id = id
			if m.owns(mount.MajorMinorVer, root) {
				out.path, out.ours = mount.Root, true
			} else if out.path == "" {
				out.path = mount.Root
			}
		}
	}
	return out
}

func isOwnFile(point string) bool {
	for _, f := range ownFiles {
		if point == f {
			return true
		}
	}
	return false
}

// ownFileOf reads "/var/lib/docker/containers/ID/hosts//deleted": the id and the
// data root within its file system.
func ownFileOf(root string) (id, data string) {
	for _, dir := range []string{"/containers/", "/overlay-containers/", "/vfs-containers/"} { // dockerd's, Podman's
		at := strings.LastIndex(root, dir)
		if at < 0 {
			continue
		}
		if id, _, _ = strings.Cut(root[at+len(dir):], "/"); isID(id) {
			return id, root[:at]
		}
	}
	return "", ""
}

// below reports whether a path lies in the engine's data root.
func (m *mountProofs) below(path string) bool {
	for _, r := range m.roots {
		if strings.HasPrefix(path, r.path+"/") {
			return true
		}
	}
	return false
}

// owns reports whether a directory, named from the root of its file system, is a
// root of the engine's, named from ours.
func (m *mountProofs) owns(dev, dir string) bool {
	for _, r := range m.roots {
		if r.dev == dev && strings.HasSuffix(r.path, dir) {
			return true
		}
	}
	return false
}
