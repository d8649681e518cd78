package probe

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxMounts bounds a mount table in bytes: a node of a cluster has thousands of
// mounts of 200 to 600 bytes.
const maxMounts = 4 << 20

// mount is one row of mountinfo.
type mount struct {
	id     int
	device string // major:minor
	root   string // of the file system, that this mount shows
	point  string
	fsType string
	source string
	upper  string // the upper directory of an overlay
}

// fuse reports whether a program serves it through /dev/fuse. virtiofs, which
// speaks FUSE to the hypervisor, is none of these.
func (m *mount) fuse() bool {
	return m.fsType == "fuse" || m.fsType == "fuseblk" || strings.HasPrefix(m.fsType, "fuse.")
}

// parseMounts reads /proc/PID/mountinfo (Documentation/filesystems/proc.rst
// 3.5): "36 35 98:0 /root /point options optional... - type source options". A
// row that is not so, also one that was cut off, is left out.
func parseMounts(data []byte) []mount {
	var out []mount
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		data = rest
		if m, ok := parseMount(string(line)); ok && whole {
			out = append(out, m)
		}
	}
	return out
}

func parseMount(line string) (m mount, ok bool) {
	front, back, ok := strings.Cut(line, " - ")
	f, b := strings.Fields(front), strings.SplitN(back, " ", 3)
	if !ok || len(f) < 6 || len(b) < 2 {
		return m, false
	}
	id, err := strconv.Atoi(f[0])
	if err != nil {
		return m, false
	}
	m = mount{id: id, device: f[2], root: unescapeMount(f[3]), point: unescapeMount(f[4]), fsType: unescapeMount(b[0]), source: unescapeMount(b[1])}
	if m.fsType == "overlay" && len(b) == 3 {
		m.upper = superOption(b[2], "upperdir=")
	}
	return m, true
}

func superOption(options, key string) string {
	for o := range strings.SplitSeq(options, ",") {
		if v, ok := strings.CutPrefix(o, key); ok {
			return unescapeMount(v)
		}
	}
	return ""
}

// unescapeMount undoes mangle() of fs/proc_namespace.c: space, tab, newline, \
// and # as three octal digits.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountByID finds a mount by its number, nil when it is not in the table: its
// mount point lies outside the process's root, or it was detached.
func mountByID(table []mount, id int) *mount {
	for i := range table {
		if table[i].id == id {
			return &table[i]
		}
	}
	return nil
}

// mountOf finds the mount that a path lies on, as the text of the path says: the
// longest mount point above it, and of several on one point the last, which
// hides the others.
func mountOf(table []mount, path string) *mount {
	var best *mount
	for i := range table {
		m := &table[i]
		if below(path, m.point) && (best == nil || len(m.point) >= len(best.point)) {
			best = m
		}
	}
	return best
}

func below(path, dir string) bool {
	return dir == "/" && strings.HasPrefix(path, "/") || path == dir || strings.HasPrefix(path, dir+"/")
}

// onlyFUSE is the one FUSE file system of a table, nil for none or several.
func onlyFUSE(table []mount) *mount {
	var found *mount
	for i := range table {
		switch m := &table[i]; {
		case !m.fuse():
		case found != nil && found.device != m.device:
			return nil
		default:
			found = m
		}
	}
	return found
}

// sameDevice finds a mount of a device, best one that shows its root.
func sameDevice(table []mount, device string) *mount {
	var found *mount
	for i := range table {
		if m := &table[i]; m.device == device && (found == nil || m.root == "/" && found.root != "/") {
			found = m
		}
	}
	return found
}

// setMount writes a mount into a.
func setMount(a *evidence.About, m *mount) {
	if m == nil {
		return
	}
	a.Mount, a.FSType, a.Source, a.Device = bounded(m.point), bounded(m.fsType), bounded(m.source), m.device
	if m.upper != "" {
		a.Source = bounded(m.upper)
	}
}

// bounded cuts what a container may make as long as it likes.
func bounded(s string) string { return s[:min(len(s), maxPath)] }

// mounts is the mount table of one task. Reading it takes namespace_sem
// (fs/proc_namespace.c), which a mount that hangs may hold.
func (r *reader) mounts(path string) ([]mount, bool) {
	data, err := r.read(path, maxMounts)
	if err != nil {
		return nil, false
	}
	return parseMounts(data), true
}
