package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// devices are the block devices that t is stuck on, those below included: the first
// is the one that its file system lies on.
func (c *inspection) devices(t *evidence.Task) []*evidence.BlockDevice {
	if t == nil || t.About == nil {
		return nil
	}
	var out []*evidence.BlockDevice
	wanted := map[string]bool{}
	for i := range c.t.Devices {
		d := &c.t.Devices[i]
		if d.Number == t.About.Device || d.Number == t.About.Under && d.Number != "" || wanted[d.Name] {
			out = append(out, d)
			for _, s := range d.Slaves {
				wanted[s] = true
			}
		}
	}
	return out
}

// throttle is a limit that keeps a task waiting.
type throttle struct {
	d       *evidence.BlockDevice
	limit   evidence.IOLimit
	seconds float64 // that its call takes at this rate, 0: not known
}

// longTransfer is from when on a throttled call is as good as endless, in seconds.
const longTransfer = 30

// async: what is known of a task is only what it has files on.
func async(t *evidence.Task) bool { return t.About != nil && t.About.Via == evidence.ViaAIO }

// smallest is what a request of io_submit moves at least on most devices, in bytes:
// it goes past the page cache, in whole blocks.
const smallest = 4096

// throttled finds the limit that a task waits for: only one that fits its call, with
// the longest time.
func (c *inspection) throttled(t *evidence.Task) (found throttle, ok bool) {
	if t == nil {
		return found, false
	}
	direction, size := transfer(t.Syscall)
	if async(t) {
		direction, size = "", smallest
	} else if w := catalog.LookupWait(t.Stack, wchan(t)); w == nil || !slow(w) && w.Topic != "block" {
		return found, false
	}
	for _, d := range c.devices(t) {
		for _, l := range d.Limits {
			kind, unit, _ := strings.Cut(l.Kind, "_")
			if direction != "" && kind != direction || l.Value == 0 {
				continue
			}
			th := throttle{d: d, limit: l}
			if unit == "bps" {
				th.seconds = float64(size) / float64(l.Value)
			}
			if !ok || th.seconds > found.seconds {
				found, ok = th, true
			}
		}
	}
	return found, ok
}

// transfer is the direction of a call that moves bytes, and how many.
func transfer(s *evidence.Syscall) (direction string, size uint64) {
	if s == nil || len(s.Args) < 3 {
		return "", 0
	}
	switch s.Name {
	case "read", "pread64":
		return "read", s.Args[2]
	case "write", "pwrite64":
		return "write", s.Args[2]
	case "readv", "preadv", "preadv2":
		return "read", 0
	case "writev", "pwritev", "pwritev2", "fsync", "fdatasync", "sync", "syncfs":
		return "write", 0
	}
	return "", 0
}

// deadDevice is the device below a task that does not answer by its own word, and
// what it says; nil when every one of them is in order.
func (c *inspection) deadDevice(t *evidence.Task) (*evidence.BlockDevice, string) {
	for _, d := range c.devices(t) {
		switch {
		case on(d.Suspended):
			return d, "the device mapper has suspended it: all input and output waits for its resume"
		case d.Server != nil && *d.Server == 0:
			return d, "no client serves this network block device any more"
		case d.State == "offline" || d.State == "blocked" || d.State == "transport-offline" || d.State == "dead" || d.State == "connecting":
			return d, "its driver says: " + d.State
		case d.State == "inactive" || d.State == "clear" || d.State == "broken" || d.State == "suspended":
			return d, "its array is " + d.State
		case c.loopWorker(d) != nil:
			w := c.loopWorker(d)
			return d, fmt.Sprintf("it is a loop device, and its kernel thread %d cannot go on: %s", w.PID, catalog.LookupWait(w.Stack, catalog.TrimSuffix(w.Wchan)).Cause)
		}
	}
	return nil, ""
}

// loopWorker is the kernel thread that does a loop device's work, where it hangs in
// something that is known: what the backing file lies on does not answer.
func (c *inspection) loopWorker(d *evidence.BlockDevice) *evidence.OtherTask {
	if d.Backing == "" && d.BackingOn == nil || c.t.Others == nil {
		return nil
	}
	i := slices.IndexFunc(c.t.Others.Tasks, func(o evidence.OtherTask) bool {
		return o.Kernel && worksFor(o.Comm, d.Name) && catalog.LookupWait(o.Stack, catalog.TrimSuffix(o.Wchan)) != nil
	})
	if i < 0 {
		return nil
	}
	return &c.t.Others.Tasks[i]
}

// worksFor reports whether a kernel worker's name ends in a workqueue's or device's
// (kworker/u8:3+loop1).
func worksFor(comm, device string) bool {
	i := strings.LastIndexAny(comm, "+-")
	return i >= 0 && comm[i+1:] == device
}

// waitsFor is why a task waits: the device's own word where there is one, else what the
// wait is usually for.
func (c *inspection) waitsFor(w *catalog.Wait, t *evidence.Task) string {
	if th, ok := c.throttled(t); ok && th.seconds >= longTransfer {
		return fmt.Sprintf("%s is throttled to %d bytes in a second for this container", th.d.Name, th.limit.Value)
	}
	if d, why := c.deadDevice(t); d != nil {
		return deviceName(d) + " does not answer: " + why
	}
	return w.Cause
}

// deviceHangs reports whether a task's device keeps it for longer than a busy disk
// would.
func (c *inspection) deviceHangs(t *evidence.Task) bool {
	if th, ok := c.throttled(t); ok && th.seconds >= longTransfer {
		return true
	}
	d, _ := c.deadDevice(t)
	return d != nil
}
