package diagnose

import (
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// late reports whether everything on the host waits for processors, disks or memory.
func (c *inspection) late() bool {
	return c.host.Load != nil && len(catalog.Slow(c.host.Load)) > 0
}

// underWay reports whether the exit may merely be late: on such a host an engine in
// good order was seen to book one after 7 s, and once after 58 s: longer than a
// look lasts. What proves that it does not come by itself counts.
func (c *inspection) underWay() bool {
	if c.root != nil || !c.late() || c.outlived() {
		return false
	}
	if c.t.Container.InspectTrouble != "" {
		return c.t.Log == nil || c.t.Log.Deaf == 0
	}
	return !c.untold() && !slices.ContainsFunc(c.t.Clients, func(p evidence.Part) bool { return heldPart(&p) })
}

// untold: the shim was gone, and then the engine still answered that it runs. dockerd
// ends the shim with the lock held that its answer needs, and lets go of it when the
// exit is booked (moby daemon/monitor.go handleContainerExit).
func (c *inspection) untold() bool {
	return c.t.ShimsSought && len(c.t.Shims) == 0 && c.t.StayedMillis != nil
}

// outlived: some of it lives on, and will. What is left of a container without a PID
// namespace of its own is killed as a part of its exit: there it is one that hangs.
func (c *inspection) outlived() bool {
	alive := c.alive()
	if len(alive) == 0 || c.t.Container.PidMode == "" {
		return len(alive) > 0
	}
	_, _, h := c.survivor(alive)
	return h != nil
}
