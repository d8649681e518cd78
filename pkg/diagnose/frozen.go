package diagnose

import (
	"github.com/whystuck/whystuck/pkg/evidence"
)

// paused reports whether docker paused it: a stop thaws it again.
func (c *inspection) paused() bool {
	return c.t.Container != nil && c.t.Container.Status == "paused"
}

// frozenTask reports whether a D is only a frozen cgroup's.
func (c *inspection) frozenTask(t *evidence.Task) bool {
	return wchan(t) == "__refrigerator" || c.paused() || c.t.Cgroup != nil && c.t.Cgroup.Freezer == "FROZEN"
}

// frozenByHand reports whether the cgroup is frozen and the engine does not know.
func (c *inspection) frozenByHand() bool {
	g := c.t.Cgroup
	if g == nil || c.paused() {
		return false
	}
	return g.Freezer == "FROZEN" || g.Freezer == "FREEZING" || g.FrozenV2 != nil && *g.FrozenV2 || g.FreezeV2 != nil && *g.FreezeV2
}

// frozenAbove reports whether an ancestor of the container's v1 cgroup is
// frozen: runc thaws the container's own cgroup for SIGKILL, never a parent.
func (c *inspection) frozenAbove() bool {
	g := c.t.Cgroup
	return g != nil && (g.Freezer == "FROZEN" || g.Freezer == "FREEZING") && g.ParentFreezing != nil && *g.ParentFreezing
}
