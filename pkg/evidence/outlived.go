package evidence

import "time"

// endHandled is how long after a container's end its shim may still be at work.
const endHandled = 10 * time.Second

// Outlived reports whether a process that began at start (ticks) was there before
// the container's last end, and still is, long after it, at a look taken at that
// time. One that began later belongs to the next run. False where it is not known.
func (c *Container) Outlived(start uint64, at time.Time, uptime uint64) bool {
	if c.FinishedAt == nil || start == 0 || uptime < start {
		return false
	}
	ended := at.Sub(*c.FinishedAt)
	return ended > endHandled && time.Duration(uptime-start)*10*time.Millisecond > ended
}
