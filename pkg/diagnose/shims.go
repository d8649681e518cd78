package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// judgeShims adds what the number of a container's shims says: one is right while
// it runs, none when it has ended.
func (c *inspection) judgeShims(out *Container) {
	k := c.t.Container
	if k == nil || c.t.Kind != evidence.KindContainer || c.t.Moved || !c.t.ShimsSought {
		return
	}
	var shims []*evidence.Part
	for i := range c.t.Shims {
		if p := &c.t.Shims[i]; p.Role == evidence.RoleShim && p.Process != nil && p.Process.State != "Z" {
			shims = append(shims, p)
		}
	}
	switch running := IsRunning(k.Status); {
	case running && len(shims) == 0 && c.root != nil && !dead(c.root):
		c.orphaned(out)
	case len(shims) > 1:
		out.Findings = append(out.Findings, c.findSecond(shims))
	case k.Status == "exited" && !c.startsAgain() && len(shims) == 1 && len(c.t.Processes) == 0 && k.Outlived(shims[0].Process.StartTicks, c.takenAt, c.host.UptimeTicks):
		f := c.findLeftShim(shims[0].PID)
		if held(shims[0].Process) {
			f.Evidence = append(f.Evidence, heldFact(shims[0])...)
			f.Fixes[0].Text = "end it: a docker start finds its socket, and waits for it"
		}
		out.Findings = append(out.Findings, f)
	}
}

// keepers are the shims that keep this run of the container: where the parent of
// its init is among them no other, which is left of an earlier run.
func (c *inspection) keepers() []*evidence.Part {
	var all []*evidence.Part
	own := c.root != nil && slices.ContainsFunc(c.t.Shims, func(p evidence.Part) bool { return p.PID == c.root.PPID })
	for i := range c.t.Shims {
		if p := &c.t.Shims[i]; !own || p.Role != evidence.RoleShim || p.PID == c.root.PPID {
			all = append(all, p)
		}
	}
	return all
}

// findSecond: a shim of an earlier run is still there. containerd talks to the other
// one; where the parent of the init is among them, that is the other one.
func (c *inspection) findSecond(shims []*evidence.Part) Finding {
	f := newFinding("WS317", nil)
	f.Summary = fmt.Sprintf("%d shims have this container's id: containerd talks to one of them", len(shims))
	keepers := c.keepers()
	for _, p := range shims {
		says := "a shim with the container's id"
		switch kept := slices.Contains(keepers, p); {
		case kept && len(keepers) < len(c.t.Shims):
			says += ", the parent of its init"
		case !kept:
			says += ", left of an earlier run"
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "end the one that is left: the container does not notice", Command: fmt.Sprintf("sudo kill -KILL %d", p.PID)})
		}
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/cmdline", p.PID), Field: "-id", Value: c.shortID(), Says: says})
	}
	if len(f.Fixes) == 0 {
		f.Fixes = []Fix{{When: FixHost, Text: "end the one that is not the parent of the container's init, once it has no children"}}
	}
	return f
}

// orphaned: the init lives and its shim is gone, so nobody passes signals on or
// tells of its end. containerd ends such a container by itself as soon as it can.
func (c *inspection) orphaned(out *Container) {
	f := newFinding("WS316", c.root)
	f.Summary = fmt.Sprintf("its shim is gone; its init is now a child of PID %d", c.root.PPID)
	f.Evidence = []Evidence{{Source: fmt.Sprintf("/proc/%d/stat", c.root.PID), Field: "ppid", Value: fmt.Sprint(c.root.PPID), Says: "no shim of this container's id is among the processes"}}
	f.Fixes = []Fix{{When: FixNow, Text: "save what is to be saved: containerd ends the container when it notices, at its next start at the latest; by hand its init takes the stop signal",
		Command: fmt.Sprintf("sudo kill -%s %d", strings.TrimPrefix(evidence.SignalName(c.stopSignal()), "SIG"), c.root.PID)}}
	out.Findings = append([]Finding{f}, out.Findings...)
	if len(engineCauses(c.host.Engine)) > 0 || out.Stop == nil {
		return // what becomes of docker's commands is decided there
	}
	out.Verdict, out.Confidence, out.Layer, out.Headline = Unknown, Assumed, LayerShim, f.Summary
	c.unsettle(out)
	out.Stop.Steps = []Step{{Action: out.Stop.Signal + " through containerd", Effect: "there is no shim to pass it on"}}
}

// findLeftShim: the container has ended, and its shim stays for good.
func (c *inspection) findLeftShim(pid int) Finding {
	f := newFinding("WS318", nil)
	f.PID = pid
	f.Summary = fmt.Sprintf("the container has ended, and its shim (PID %d) is left: it does not go by itself", pid)
	f.Evidence = []Evidence{{Source: fmt.Sprintf("/proc/%d/cmdline", pid), Field: "-id", Value: c.shortID(), Says: "the container that it was started for"}}
	if k := c.t.Container; k.FinishedAt != nil && c.takenAt.After(*k.FinishedAt) {
		f.Evidence = append(f.Evidence, Evidence{Source: "docker inspect", Field: "State.FinishedAt", Value: ageWords(uint64(c.takenAt.Sub(*k.FinishedAt).Seconds())) + " ago",
			Says: "a shim goes within a second of the end"})
	}
	f.Fixes = []Fix{{When: FixNow, Text: "end it: containerd then clears away what it has of the container; a docker start does so, too", Command: fmt.Sprintf("sudo kill -KILL %d", pid)}}
	return f
}
