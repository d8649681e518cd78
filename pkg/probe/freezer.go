package probe

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// freezer reads whether a cgroup is frozen, in both versions at once: on a
// hybrid host a container has a directory in the v1 freezer hierarchy and in
// the unified one, and either can stop it.
// (Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst.)
func (r *reader) freezer(g group, lines []procfs.Cgroup) *evidence.Cgroup {
	c := &evidence.Cgroup{Path: g.path}
	if v1 := r.p.sibling("freezer", g.path, lines); v1.path != "" {
		r.freezerV1(v1, c)
	}
	if v2 := r.p.sibling("", g.path, lines); v2.path != "" {
		r.freezerV2(v2, c)
	}
	c.PIDs = r.tasksCharged(g)
	return c
}

// tasksCharged is pids.current of a cgroup, nil when it cannot be read.
func (r *reader) tasksCharged(g group) *int {
	n, err := r.number(r.p.cgroupRoot() + "/pids" + g.path + "/pids.current")
	if err != nil {
		if n, err = r.number(g.dir + "/pids.current"); err != nil {
			return nil
		}
	}
	return &n
}

// sibling is the same cgroup in another hierarchy. A dying process is at "/" in
// the v1 ones already while its cgroup still stands under the same path.
func (p *Prober) sibling(controller, path string, lines []procfs.Cgroup) group {
	if g := p.groupAt(controller, path); g.path != "" {
		return g
	}
	return p.groupAt(controller, pathIn(lines, controller))
}

func (r *reader) freezerV1(g group, c *evidence.Cgroup) {
	data, err := r.read(g.dir+"/freezer.state", 64)
	if err != nil {
		r.miss(fileFreezer, 0, g.dir+"/freezer.state", err)
		return
	}
	c.Freezer = strings.TrimSpace(string(data))
	c.SelfFreezing = r.flag(g.dir + "/freezer.self_freezing")
	c.ParentFreezing = r.flag(g.dir + "/freezer.parent_freezing")
	if on(c.SelfFreezing) || on(c.ParentFreezing) {
		c.FrozenBy = r.nearest(g, "freezer.self_freezing")
	}
}

func (r *reader) freezerV2(g group, c *evidence.Cgroup) {
	data, err := r.read(g.dir+"/cgroup.events", 256)
	if err != nil {
		return // no such file in the root, nor before Linux 5.2
	}
	c.FrozenV2 = eventFlag(data, "frozen")
	by := r.nearest(g, "cgroup.freeze")
	frozen := by != ""
	if frozen || r.flag(g.dir+"/cgroup.freeze") != nil {
		c.FreezeV2 = &frozen
	}
	if frozen && c.FrozenBy == "" {
		c.FrozenBy = by
	}
}

// nearest is the path of the cgroup, this one or the closest ancestor, in which
// the named flag is set; "" if none.
func (r *reader) nearest(g group, name string) string {
	for path := g.path; path != "/" && path != "."; path = filepath.Dir(path) {
		if on(r.flag(filepath.Join(g.mount, path, name))) {
			return path
		}
	}
	return ""
}

// flag reads a file that holds 0 or 1, nil when it cannot.
func (r *reader) flag(path string) *bool {
	n, err := r.number(path)
	if err != nil {
		return nil
	}
	v := n != 0
	return &v
}

func on(b *bool) bool { return b != nil && *b }

// eventFlag is one "name 0|1" line of cgroup.events, nil when it is not there
// (frozen: since Linux 5.2).
func eventFlag(data []byte, name string) *bool {
	for _, line := range bytes.Split(data, []byte{'\n'}) {
		key, value, _ := bytes.Cut(line, []byte{' '})
		if string(key) == name {
			v := string(value) == "1"
			return &v
		}
	}
	return nil
}
