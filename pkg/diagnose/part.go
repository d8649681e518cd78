package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// part is the first of a role, nil if none was found.
func part(list []evidence.Part, role string) *evidence.Part {
	i := slices.IndexFunc(list, func(p evidence.Part) bool { return p.Role == role })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// heldPart reports whether a part of the engine is stopped or held by a tracer:
// then it does nothing until somebody lets it go on.
func heldPart(p *evidence.Part) bool { return p != nil && p.Process != nil && held(p.Process) }

// held reports whether a process is stopped, or held by a tracer that does not let
// it go on. What is merely straced is in t for a moment, many times a second. A
// tracer that waits may hold it too: for its end, or for another of its threads.
func held(p *evidence.Process) bool {
	return p.State == "T" || p.State == "t" && (tracerHangs(p) || stayedTraced(leader(p)))
}

// stayedTraced reports whether a task has not run between two looks.
func stayedTraced(t *evidence.Task) bool {
	return t != nil && t.Again != nil && t.Again.State == "t" && !t.Again.Moved
}

// heldMute is held for a process that owes an answer: then its t counts too where
// nothing is known of the tracer.
func heldMute(p *evidence.Process) bool {
	return p != nil && (held(p) || p.State == "t" && p.TracerState == "")
}

// heldConf: a tracer may let it go on a moment later.
func heldConf(p *evidence.Process) Confidence {
	if p.State == "t" {
		return Likely
	}
	return Certain
}

// absentPart reports whether nobody listens where a part should.
func absentPart(p *evidence.Part) bool {
	return p != nil && (p.Trouble == "refused" || p.Trouble == "gone")
}

// partHangs are the threads of processes of the engine that hang in the kernel.
// Nobody sends them SIGKILL, so a sleep that this would end counts too.
func partHangs(part *evidence.Part) (*inspection, []hang) {
	if part == nil {
		return nil, nil
	}
	t := &evidence.Target{FUSE: part.FUSE}
	for _, p := range append(slices.Clone(part.Below), processOf(part)...) {
		p.Outside = false // here it is the one that is judged
		t.Processes, t.PID = append(t.Processes, p), p.PID
	}
	if len(t.Processes) == 0 {
		return nil, nil
	}
	c := newInspection(&evidence.Host{}, t, Options{})
	var out []hang
	for i := range t.Processes {
		p := &t.Processes[i]
		for j := range p.Tasks {
			if h := c.partHang(p, &p.Tasks[j]); h != nil {
				out = append(out, *h)
			}
		}
	}
	return c, out
}

// partHang judges one thread, nil when it has moved on, or does not hang.
func (c *inspection) partHang(p *evidence.Process, t *evidence.Task) *hang {
	if h := c.taskHang(p, t); h != nil {
		return h
	}
	if t.State != "D" || t.Again == nil || t.Again.State != "D" || t.Again.Moved {
		return nil
	}
	h := &hang{p: p, t: t, code: "WS201", conf: Likely, wait: catalog.LookupWait(t.Stack, wchan(t)), says: "it slept on over two looks"}
	if short(t) {
		h.conf = Assumed
	}
	return h
}

func processOf(p *evidence.Part) []evidence.Process {
	if p.Process == nil {
		return nil
	}
	return []evidence.Process{*p.Process}
}

// roleWords is a part in a sentence.
func roleWords(p *evidence.Part) string {
	switch p.Role {
	case evidence.RoleShim:
		return "its shim"
	case evidence.RoleCleaner:
		return "the shim that cleans up after it"
	}
	return p.Role
}

// fixHeld lets a stopped part go on, or ends the tracer that holds it.
func fixHeld(p *evidence.Part) Fix {
	if q := p.Process; q.State == "t" && q.TracerPID > 1 {
		return Fix{When: FixNow, Text: fmt.Sprintf("end the tracer, PID %d (%s)", q.TracerPID, bounded(q.TracerComm, 20)),
			Command: fmt.Sprintf("sudo kill -KILL %d", q.TracerPID), Risk: text("the debugging session ends")}
	}
	return Fix{When: FixNow, Text: "let it go on: what was asked of it meanwhile is then carried out", Command: fmt.Sprintf("sudo kill -CONT %d", p.PID)}
}

// heldFact shows the state of a held part.
func heldFact(p *evidence.Part) []Evidence {
	out := []Evidence{{Source: fmt.Sprintf("/proc/%d/stat", p.PID), Field: "state", Value: p.Process.State, Says: stateWord(p.Process.State)}}
	if p.Process.TracerPID != 0 {
		out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/status", p.PID), Field: "TracerPid", Value: fmt.Sprint(p.Process.TracerPID), Says: bounded(p.Process.TracerComm, 20)})
	}
	return out
}

// heldWord is "stopped" or "held by a tracer".
func heldWord(p *evidence.Part) string { return stateWord(p.Process.State) }

// socketFact shows how the connection to a part went.
func socketFact(address, trouble string) Evidence {
	says := map[string]string{"refused": "the socket is there, and nobody listens", "gone": "there is no such socket",
		"timeout": "it takes the connection, and no answer comes", "denied": "no permission",
		"foreign": "somebody listens there, and does not answer as an engine does"}[trouble]
	return Evidence{Source: address, Field: "connect", Value: trouble, Says: says}
}

// fixDump has a part of the engine write the stacks of all its threads.
func fixDump(p *evidence.Part, where string) Fix {
	return Fix{When: FixNow, Text: "have it write all its stacks (harmless): " + where, Command: fmt.Sprintf("sudo kill -USR1 %d", p.PID)}
}
