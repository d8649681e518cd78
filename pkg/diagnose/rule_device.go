package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// ruleDevices: the block devices below the tasks that hang.
func (c *inspection) ruleDevices(o *outlook) []Finding {
	var out []Finding
	told := map[string]bool{}
	for i := range o.hangs {
		h := &o.hangs[i]
		if h.t == nil || h.t.About == nil || told[h.t.About.Device] {
			continue
		}
		told[h.t.About.Device] = true
		if th, ok := c.throttled(h.t); ok {
			out = append(out, c.findThrottle(h, th))
		}
		if d, why := c.deadDevice(h.t); d != nil {
			out = append(out, c.findDead(h, d, why))
		}
	}
	return out
}

// findThrottle: the cgroup lets it do too little.
func (c *inspection) findThrottle(h *hang, th throttle) Finding {
	f := newFinding("WS213", h.p)
	f.TID = h.t.TID
	unit := "bytes"
	if strings.HasSuffix(th.limit.Kind, "iops") {
		unit = "operations"
	}
	f.Summary = fmt.Sprintf("%s (PID %d) %s %s, which its cgroup may use for %d %s in a second", name(h.p), h.p.PID, onDevice(h), th.d.Name, th.limit.Value, unit)
	switch {
	case th.seconds >= 1 && async(h.t):
		f.Summary += fmt.Sprintf(": a request of %d bytes takes %s", smallest, durationWords(th.seconds))
	case th.seconds >= 1:
		f.Summary += fmt.Sprintf(": this call alone takes %s", durationWords(th.seconds))
	}
	f.Evidence = append(f.Evidence, Evidence{Source: limitSource(th.limit), Field: th.d.Number, Value: fmt.Sprint(th.limit.Value), Says: th.limit.Kind + " of this container"})
	if _, size := transfer(h.t.Syscall); size > 0 {
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/task/%d/syscall", h.p.PID, h.t.TID), Field: h.t.Syscall.Name, Value: fmt.Sprint(size), Says: "bytes asked for"})
	}
	f.Evidence = append(f.Evidence, deviceFacts(th.d)...)
	number := th.d.Number
	if th.d.Disk != "" {
		number = th.d.Disk
	}
	lift := number + " 0"
	if strings.HasSuffix(th.limit.File, "io.max") {
		lift = number + " " + map[string]string{"read_bps": "rbps", "write_bps": "wbps", "read_iops": "riops", "write_iops": "wiops"}[th.limit.Kind] + "=max"
	}
	if cmd := command("echo "+lift+" | sudo tee %s", th.limit.File); cmd != "" {
		f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "lift the limit: what waits goes through at once", Command: cmd, Risk: text("the container takes what the disk gives, and others on it less")})
	}
	f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "a limit that lets its largest write through within the stop timeout (--device-write-bps, --device-read-bps)"})
	return f
}

// onDevice is what a process has to do with the device below its hang.
func onDevice(h *hang) string {
	if async(h.t) {
		return "has files on"
	}
	return "waits for"
}

func limitSource(l evidence.IOLimit) string {
	if i := strings.LastIndexByte(l.File, '/'); i >= 0 {
		return l.File[i+1:]
	}
	return "blkio.throttle"
}

func durationWords(s float64) string {
	switch {
	case s < 120:
		return fmt.Sprintf("%.0f s", s)
	case s < 7200:
		return fmt.Sprintf("%.0f min", s/60)
	}
	return fmt.Sprintf("%.0f hours", s/3600)
}

// findDead: a device below says itself that it does not work.
func (c *inspection) findDead(h *hang, d *evidence.BlockDevice, why string) Finding {
	f := newFinding("WS214", h.p)
	f.TID = h.t.TID
	f.Summary = fmt.Sprintf("%s (PID %d) %s %s: %s", name(h.p), h.p.PID, onDevice(h), deviceName(d), why)
	f.Evidence = append(f.Evidence, deviceFacts(d)...)
	if w := c.loopWorker(d); w != nil {
		n := min(len(w.Stack), 5)
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/stack", w.PID), Field: "frames", Value: strings.Join(w.Stack[:n], " < "), Says: bounded(w.Comm, 32) + ", which writes to the backing file"})
	}
	f.Fixes = append(f.Fixes, c.fixDevice(d)...)
	return f
}

// fixDevice is the command that lets a device go on.
func (c *inspection) fixDevice(d *evidence.BlockDevice) []Fix {
	switch {
	case on(d.Suspended):
		if cmd := command("sudo dmsetup resume %s", d.DMName); cmd != "" {
			return []Fix{{When: FixNow, Text: "resume it", Command: cmd, Risk: text("whoever suspended it (lvm, a snapshot) may not have finished")}}
		}
	case c.loopWorker(d) != nil && d.BackingOn != nil:
		if cmd := command("sudo fsfreeze -u %s", d.BackingOn.HostMount); cmd != "" && strings.Contains(strings.Join(c.loopWorker(d).Stack, " "), "percpu_rwsem_wait") {
			return []Fix{{When: FixNow, Text: "thaw the file system that its file lies on", Command: cmd, Risk: text("whoever froze it (a backup, a snapshot) may not have finished: its copy may be torn")}}
		}
	}
	if d.Server != nil {
		if cmd := command("sudo nbd-client -d /dev/%s", d.Name); cmd != "" {
			return []Fix{{When: FixNow, Text: "disconnect it: all that waits gets errors", Command: cmd, Risk: text("every file system on it fails")}}
		}
	}
	if d.State == "offline" || d.State == "blocked" || d.State == "transport-offline" {
		if cmd := command("echo 1 | sudo tee /sys/class/block/%s/device/delete", d.Name); cmd != "" {
			return []Fix{{When: FixNow, Text: "bring its path back; or else delete the device: all that waits gets errors", Command: cmd, Risk: text("every file system on it fails")}}
		}
	}
	return []Fix{{When: FixHost, Text: "bring the device back; what waits then goes on"}}
}

// deviceName is a device with what it is called by people.
func deviceName(d *evidence.BlockDevice) string {
	if d.DMName != "" {
		return fmt.Sprintf("%s (%s)", bounded(d.DMName, 64), bounded(d.Name, 32))
	}
	return bounded(d.Name, 32)
}

// deviceFacts describe a device.
func deviceFacts(d *evidence.BlockDevice) []Evidence {
	base := "/sys/dev/block/" + d.Number
	out := []Evidence{}
	if d.Backing != "" {
		says := "the file of this loop device"
		if a := d.BackingOn; a != nil {
			says += fmt.Sprintf(", on %s at %s", bounded(a.FSType, 40), bounded(a.Mount, 120))
		}
		out = append(out, Evidence{Source: base + "/loop", Field: "backing_file", Value: bounded(d.Backing, 200), Says: says})
	}
	if d.Suspended != nil {
		out = append(out, Evidence{Source: base + "/dm", Field: "suspended", Value: map[bool]string{true: "1", false: "0"}[*d.Suspended], Says: bounded(d.DMName, 64)})
	}
	if d.State != "" {
		out = append(out, Evidence{Source: base, Field: "state", Value: bounded(d.State, 40), Says: "by its driver"})
	}
	if len(d.InFlight) == 2 {
		out = append(out, Evidence{Source: base + "/inflight", Field: "reads, writes", Value: fmt.Sprintf("%d, %d", d.InFlight[0], d.InFlight[1]), Says: "begun and not finished"})
	}
	if len(d.Slaves) > 0 {
		out = append(out, Evidence{Source: base + "/slaves", Field: "devices", Value: bounded(strings.Join(d.Slaves, " "), 120), Says: "what it is made of"})
	}
	return out
}
