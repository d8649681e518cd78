package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// elsewhere: the PID is not of this kernel.
func (c *inspection) elsewhere(out *Container) {
	out.Verdict, out.Confidence, out.Layer = Unknown, Assumed, LayerEngine
	out.Headline = "its processes are not on this kernel: " + c.t.Identity.Reason
	f := newFinding("WS305", nil)
	f.Summary = out.Headline
	f.Evidence = []Evidence{{Source: "/proc", Field: "PID", Value: fmt.Sprint(c.t.PID), Says: c.t.Identity.Reason}}
	f.Fixes = []Fix{{When: FixHost, Text: "run whystuck on the engine's own host, or take the evidence there and judge it here",
		Command: command("whystuck capture %s > evidence.json", c.displayName())}}
	if c.t.Identity.Nested {
		out.Headline = "its processes cannot be seen from here: whystuck itself runs in a PID namespace of its own"
		f.Summary = out.Headline
		f.Evidence = append(f.Evidence, Evidence{Source: "/proc/self/ns/pid", Field: "namespace", Value: "not the host's", Says: "a container that was started without --pid=host"})
		f.Fixes = []Fix{{When: FixRun, Text: "start the container that whystuck runs in with --pid=host --cgroupns=host, or run it on the host itself"}}
	}
	out.Findings = append(out.Findings, f)
}

// shimCommand lists the shim of a container.
func shimCommand(id string) string {
	if !safeWord(id) || id == "" {
		return ""
	}
	return fmt.Sprintf("ps -eo pid,stat,args | grep '[c]ontainerd-shim.*%s'", bounded(id, 12))
}

// unread: the process is there, and what it is did not come in time, or may not
// be seen. On a host that is slow beyond all deadlines, or that hides the
// processes of others, that is not the same as gone.
func (c *inspection) unread() bool {
	i := c.t.Identity
	return c.root == nil && i != nil && i.Alive && !i.Vanished && (c.hasGap(evidence.GapTimeout) || c.hasGap(evidence.GapDenied))
}

func (c *inspection) hasGap(kind string) bool {
	return slices.ContainsFunc(c.t.Gaps, func(g evidence.Gap) bool { return g.Kind == kind })
}

// gone: the engine says running, and there is no such process.
func (c *inspection) gone(out *Container) {
	out.Verdict, out.Confidence, out.Layer = Ghost, Certain, LayerEngine
	out.Headline = fmt.Sprintf("the engine says running, but there is no process %d", c.t.PID)
	between := c.t.Container != nil && c.t.Container.Status == "restarting" && c.t.PID == 0
	if c.t.Identity != nil && c.t.Identity.Vanished || c.t.Moved && !between {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "it ended while it was being looked at: look again"
		if c.t.Moved {
			out.Headline = "it changed, or could not be asked for again, while it was being looked at: look again"
		}
		return
	}
	if c.t.Container == nil || c.unread() {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "it could not be read"
		if c.unread() {
			out.Headline = fmt.Sprintf("process %d could not be read in time", c.t.PID)
			if !c.hasGap(evidence.GapTimeout) {
				out.Headline = fmt.Sprintf("process %d may not be seen by this user: look as root", c.t.PID)
			}
		}
		return
	}
	if c.t.PID == 0 {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "the engine names no process for it yet: look again"
		if between {
			out.Verdict, out.Confidence = NotRunning, Likely
			out.Headline = "it is between two starts of its restart policy"
		}
		return
	}
	if c.underWay() {
		out.Verdict, out.Confidence = Unknown, Assumed
		out.Headline = "its processes are gone, and its exit is not booked: that takes seconds on a host as late as this one, look again"
		return
	}
	c.ghost(out)
}

// notRunning: created, exited, dead, removing.
func (c *inspection) notRunning(out *Container) {
	k := c.t.Container
	out.Verdict, out.Layer, out.ExitCode = NotRunning, LayerEngine, k.ExitCode
	switch k.Status {
	case "exited", "stopped": // Podman's word
		out.Headline = "it has exited"
		if k.ExitCode != nil {
			out.Headline = fmt.Sprintf("it has exited with code %d", *k.ExitCode)
		}
		if k.OOMKilled {
			out.Headline += " (out of memory)"
		}
	case "created":
		out.Headline = "it was created and never started"
		if k.Error != "" {
			out.Headline = "its start failed: " + bounded(k.Error, 200)
			out.Findings = append(out.Findings, c.startDenied()...)
		}
		if !c.t.Moved && (k.PID != 0 || c.root != nil || len(c.t.Processes) > 0 || len(c.t.Shims) > 0) {
			c.beginning(out)
		}
	case "removing":
		out.Headline = "it is being removed"
		if c.cutOff() {
			c.deadForGood(out)
			break
		}
		if c.stays(removalAge) && !c.removalHangs(out) {
			c.halfway(out, "it is being removed, and that has not ended")
			c.mayTakeLong(out)
		}
	case "removed":
		out.Headline = "it was removed while it was being looked at"
	case "dead":
		c.deadForGood(out)
	default:
		out.Headline = "it is " + bounded(k.Status, 40)
	}
	if (k.Status == "exited" || k.Status == "stopped") && !c.t.Moved && len(c.alive()) > 0 {
		c.orphan(out)
	}
}

// startAge and removalAge are from when on, in seconds, a start or a removal is
// no longer taken for one under way. dockerd itself tries for 5 s to remove a
// directory that is busy (moby daemon/delete.go).
const (
	startAge   = 10
	removalAge = 1
)

// stays reports whether the engine said the same on a second question, at least
// so many seconds later; also where it was not asked again.
func (c *inspection) stays(seconds int) bool {
	return !c.t.Moved && (c.t.StayedMillis == nil || *c.t.StayedMillis >= seconds*1000)
}

// mayTakeLong: the layers of a large container take their time, so that a removal
// under way is no fault as long as nothing is seen that holds dockerd up.
func (c *inspection) mayTakeLong(out *Container) {
	out.Confidence = Assumed
	for i := range out.Findings {
		if f := &out.Findings[i]; f.Code == "WS308" {
			f.Severity = SeverityWarning
			if _, in, h := c.daemonHang(); h != nil {
				f.Evidence = append(f.Evidence, in.findHang(h).Evidence...)
			}
			f.Fixes = []Fix{{When: FixNow, Text: "wait, and look again: a large container takes its time, and a second docker rm -f only answers that the removal is already in progress"}}
		}
	}
}

// beginning: a start that is under way, or stuck.
func (c *inspection) beginning(out *Container) {
	for i := range c.t.Shims {
		if p := c.t.Shims[i].Process; p != nil {
			if age, ok := c.age(p); ok && age < startAge {
				out.Headline = "it is being started at this moment"
				return
			}
		}
	}
	c.halfway(out, "it is stuck in its start: the runtime has begun and not come back")
}

// halfway: a start or a removal that does not end.
func (c *inspection) halfway(out *Container, says string) {
	out.Headline, out.Confidence = says, Likely
	f := newFinding("WS308", c.root)
	f.Summary = says
	f.Evidence = []Evidence{{Source: "docker inspect", Field: "State.Status", Value: out.Status, Says: "neither running nor gone"}}
	f.Fixes = []Fix{{When: FixNow, Text: "try the removal again; what holds it is named in its error", Command: command("docker rm -f %s", c.displayName())}}
	out.Findings = append(out.Findings, f)
	if d := c.defect(catalog.RemovalOutlives); d != nil && out.Status == "removing" {
		out.Findings = append(out.Findings, c.findDefect(d))
	}
}
