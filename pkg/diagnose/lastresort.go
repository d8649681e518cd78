package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// lastResort says that nothing but a reboot frees a task, where nothing that it may
// wait for has a way out, and what was ruled out. Only for a sleep that has lasted: a
// younger one is not given up.
func (c *inspection) lastResort(o *outlook) []Finding {
	h := c.worstHang(o)
	if h == nil || o.verdict != Stuck && o.verdict != Ghost {
		return nil
	}
	p, t := h.p, h.t
	if h.code == "WS205" || h.code == "WS206" { // who is waited for is the patient
		p, t = c.patient(o, h)
	}
	if t == nil || t.State != "D" || short(t) || h.conf == Assumed || c.frozenByHand() || c.known(p, t) {
		return nil
	}
	f := newFinding("WS224", p)
	f.TID = t.TID
	f.Summary = fmt.Sprintf("no command is known that frees %s (PID %d): if what it waits for does not come back, only a reboot of this host does", name(p), p.PID)
	f.Evidence = c.ruledOut(p, t)
	f.Fixes = append(f.Fixes, Fix{When: FixHost, Text: "leave it as it is, start the service under another name, and reboot when it suits: the stuck task does no more harm than to hold its files, memory and ports",
		Risk: text("a clean reboot may wait for it as well: the file systems that it holds are not unmounted")})
	return []Finding{f}
}

// known reports whether a task waits for something that has a way out, be it one
// that the report cannot spell (a redacted one has no paths), or may.
func (c *inspection) known(p *evidence.Process, t *evidence.Task) bool {
	w := catalog.LookupWait(t.Stack, wchan(t))
	if w != nil && slices.Contains([]string{"frozen-fs", "freezer", "fuse", "nfs", "cifs", "9p", "ceph", "coredump", "pidns", "memory", "ptrace", "stopped", "autofs", "vfork"}, w.Topic) {
		return true
	}
	if w != nil && (slow(w) || w.Topic == "aio") && len(c.devices(t)) == 0 {
		return true // on which device is not known, so nothing is ruled out
	}
	_, _, held := c.holder(p, t)
	return held || onFUSE(t) || c.deviceHangs(t) || tracerHangs(p)
}

// patient is the first task in D, of another process or thread than the one that the
// hang names.
func (c *inspection) patient(o *outlook, h *hang) (*evidence.Process, *evidence.Task) {
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		for j := range p.Tasks {
			t := &p.Tasks[j]
			if (p != h.p || h.t == nil || t.TID != h.t.TID) && !p.Outside && t.State == "D" && c.taskHang(p, t) != nil {
				return p, t
			}
		}
	}
	return nil, nil
}

// ruledOut lists what would have had a way out and is not the cause. What was not
// looked at is not ruled out.
func (c *inspection) ruledOut(p *evidence.Process, t *evidence.Task) []Evidence {
	base := fmt.Sprintf("/proc/%d/task/%d", p.PID, t.TID)
	var out []Evidence
	add := func(ok bool, source, field, value, says string) {
		if ok {
			out = append(out, Evidence{Source: source, Field: field, Value: value, Says: says})
		}
	}
	if len(t.Stack) > 0 {
		add(true, base+"/stack", "frames", t.Stack[0], "ruled out: a frozen file system, an automount daemon, a vfork child")
	}
	if a := t.About; a != nil && a.FSType != "" && !onFUSE(t) {
		add(true, base+"/mountinfo", "type", bounded(a.FSType, 40), "ruled out: a FUSE server")
	}
	add(p.TracerPID == 0, fmt.Sprintf("/proc/%d/status", p.PID), "TracerPid", "0", "ruled out: a tracer")
	if g := c.t.Cgroup; g != nil {
		value := g.Freezer
		if value == "" {
			value = "not frozen"
		}
		add(true, "/sys/fs/cgroup", "freezer", value, "ruled out: a frozen cgroup")
	}
	if k := kernelTask(p, t.TID); k != nil {
		add(k.State&taskWakeKill == 0, "kernel: task_struct", "__state", fmt.Sprintf("%#x", k.State), "ruled out: a sleep that SIGKILL ends")
		add(k.Blocker == 0, "kernel: task->blocker", "owner", "none", "ruled out, as far as the kernel tells: another task that holds the lock")
	}
	for _, d := range c.devices(t) {
		add(len(d.Limits) == 0, "/sys/dev/block/"+d.Number, "device", deviceName(d), "ruled out: a throttle; its driver reports no fault")
	}
	add(sigkillPending(p, t), fmt.Sprintf("/proc/%d/status", p.PID), "SIGKILL", "pending", "sending it again changes nothing")
	return out
}
