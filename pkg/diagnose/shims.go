package diagnose

import (
	"fmt"
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
		f := newFinding("WS317", nil)
		f.Summary = fmt.Sprintf("%d shims have this container's id: containerd talks to one of them, and the container may be the other's child", len(shims))
		for _, p := range shims {
			says := "a shim with the container's id"
			if c.root != nil && c.root.PPID == p.PID {
				says += ", the parent of its init"
			}
			f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/cmdline", p.PID), Field: "-id", Value: c.shortID(), Says: says})
		}
		f.Fixes = []Fix{{When: FixHost, Text: "end the one that is not the parent of the container's init, once it has no children"}}
		out.Findings = append(out.Findings, f)
	case k.Status == "exited" && len(shims) == 1 && len(c.t.Processes) == 0 && k.Outlived(shims[0].Process.StartTicks, c.takenAt, c.host.UptimeTicks):
		out.Findings = append(out.Findings, c.findLeftShim(shims[0].PID))
	}
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
