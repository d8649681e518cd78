package engine

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// removalDeadline bounds the look at what is left of one container. A removal that
// has failed leaves little: dockerd goes on behind each file that it cannot unlink.
const removalDeadline = 700 * time.Millisecond

// Removal reads what may have kept a dead container's directories from being
// removed: files that nobody can unlink, a file system that takes no writes. nil
// where it is not known, or not proven, where the engine keeps its files.
//
// Mounts are not looked for: since Linux 3.18 those of other mount namespaces do
// not keep a directory, and dockerd detaches those of its own.
func (e *Engine) Removal(ctx context.Context, id string) *evidence.Removal {
	ctx, cancel := context.WithTimeout(ctx, removalDeadline)
	defer cancel()
	h, err := e.homeOf(ctx, thorough)
	if err != nil || h.podman || !isID(id) {
		return nil
	}
	walk, end := context.WithTimeout(ctx, removalDeadline/2) // what was found by then is told
	defer end()
	out, _ := beside.Within(ctx, func() *evidence.Removal { return h.removal(walk, e.opt.ProcRoot, id) })
	return out
}

func (h *home) removal(ctx context.Context, proc, id string) *evidence.Removal {
	s := heldSearch{ctx: ctx, out: &evidence.Removal{Whole: true}}
	for _, containers := range h.containerDirs() {
		root := filepath.Dir(containers)
		base, err := h.fs.place(root)
		if err != nil {
			continue
		}
		for _, dir := range append([]string{filepath.Join("containers", id)}, h.layers(root, id)...) {
			s.below(int(base.Fd()), root, dir)
		}
		_ = base.Close()
	}
	s.out.Held = append(s.out.Held, swapFiles(tree{}, proc, s.out.Dirs)...)
	if len(s.out.Dirs) > 0 {
		s.out.Mount = h.mountOf(proc, s.out.Dirs[0])
	}
	return s.out
}

// layerDirs are where the storage drivers keep a container's own layer, by the
// driver's name.
var layerDirs = map[string]string{"overlay2": "overlay2", "fuse-overlayfs": "fuse-overlayfs", "vfs": "vfs/dir"}

// layers names the directories of a container's own layer, from the data root. The
// layer has a name of its own, which dockerd notes (moby layer/filestore.go). What
// containerd's image store keeps is not removed by dockerd.
func (h *home) layers(root, id string) []string {
	var out []string
	drivers, _ := h.fs.names(filepath.Join(root, "image"), 100)
	for _, d := range drivers {
		b, err := h.fs.read(filepath.Join(root, "image", d, "layerdb/mounts", id, "mount-id"), 256)
		if name := strings.TrimSpace(string(b)); err == nil && isID(name) && layerDirs[d] != "" {
			out = append(out, filepath.Join(layerDirs[d], name))
		}
	}
	return out
}

// mountOf is the mount that a directory lies on, as dockerd sees it, nil where it
// cannot be read in time.
func (h *home) mountOf(proc, dir string) *evidence.RemovalMount {
	fs, err := procfs.NewFS(proc)
	if err != nil || h.pid == 0 {
		return nil
	}
	list, _ := mountTable(fs, h.pid)
	var best *procfs.MountInfo
	for _, m := range list {
		on := m.MountPoint == "/" || dir == m.MountPoint || strings.HasPrefix(dir, m.MountPoint+"/")
		if on && (best == nil || len(m.MountPoint) >= len(best.MountPoint)) {
			best = m
		}
	}
	if best == nil {
		return nil
	}
	return &evidence.RemovalMount{Point: clip(best.MountPoint, maxText), FSType: clip(best.FSType, 64), Source: clip(best.Source, maxText), ReadOnly: readOnly(best)}
}

// readOnly: by an option of the mount or of the file system; ext4 says
// emergency_ro, and goes on to say rw, once an error has turned it (Linux 6.15).
func readOnly(m *procfs.MountInfo) bool {
	_, mount := m.Options["ro"]
	_, super := m.SuperOptions["ro"]
	_, emergency := m.SuperOptions["emergency_ro"]
	return mount || super || emergency
}

// swapFiles are those in the directories that the kernel swaps to, which makes
// them as good as immutable (fs/namei.c IS_SWAPFILE).
func swapFiles(fs tree, proc string, dirs []string) []evidence.HeldFile {
	b, err := fs.read(filepath.Join(proc, "swaps"), maxConfig)
	if err != nil {
		return nil
	}
	var out []evidence.HeldFile
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[1] != "file" {
			continue
		}
		for _, dir := range dirs {
			if strings.HasPrefix(f[0], dir+"/") {
				out = append(out, evidence.HeldFile{Path: clip(f[0], maxText), Kind: evidence.HeldSwap})
			}
		}
	}
	return out
}
