package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// fixZap names the tasks that keep a PID namespace from emptying.
func (c *inspection) fixZap() []Fix {
	var out []Fix
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if p == c.root || len(out) == 3 {
			continue
		}
		switch {
		case p.State == "Z" && p.PPID > 1 && (c.byPID[p.PPID] == nil || c.byPID[p.PPID].Outside):
			out = append(out, fixReaper(p, c.byPID[p.PPID]))
		case p.State == "t":
			out = append(out, fixTracer(p, "end the tracer of PID "+fmt.Sprint(p.PID))...)
		}
	}
	return out
}

// zapFacts lists the tasks that a dying init waits for, and who has to reap each.
func (c *inspection) zapFacts() []Evidence {
	var out []Evidence
	left := 0
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if p == c.root || p.PIDNS != 0 && p.PIDNS != c.root.PIDNS || p.PIDNS == 0 && p.Outside {
			continue
		}
		if left++; left > maxNamed {
			continue
		}
		says := stateWord(p.State)
		if parent := c.byPID[p.PPID]; p.PPID != c.root.PID && (parent == nil || parent.PIDNS != c.root.PIDNS) {
			says += fmt.Sprintf("; its parent, PID %d, is outside the container", p.PPID)
			if parent != nil {
				says += fmt.Sprintf(": %s, %s", name(parent), stateWord(parent.State))
			}
		}
		out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/stat", p.PID), Field: "state", Value: fmt.Sprintf("%s %s, PID %d", p.State, name(p), p.PID), Says: says})
	}
	if left > maxNamed {
		out = append(out, Evidence{Source: "/proc/*/ns/pid", Field: "tasks", Value: fmt.Sprint(left), Says: "are left in the PID namespace in all"})
	}
	return out
}

// fixReaper is for a zombie whose parent, outside the container (nsenter, docker
// exec), has not fetched it. parent is nil when it was not looked at.
func fixReaper(p, parent *evidence.Process) Fix {
	who := fmt.Sprintf("PID %d", p.PPID)
	if parent != nil {
		who += " (" + name(parent) + ")"
	}
	if parent != nil && parent.State != "T" {
		return Fix{When: FixNow, Text: fmt.Sprintf("its parent %s, outside the container, does not reap PID %d: end it", who, p.PID),
			Command: fmt.Sprintf("sudo kill -KILL %d", p.PPID), Risk: text("that program ends; look first what it is")}
	}
	return Fix{When: FixNow, Text: fmt.Sprintf("its parent %s, outside the container, has not reaped PID %d: let it go on", who, p.PID),
		Command: fmt.Sprintf("sudo kill -CONT %d", p.PPID)}
}
