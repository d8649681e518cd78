package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// ruleOthers: who else is stuck on what a task of this container hangs on, and who
// holds it.
func (c *inspection) ruleOthers(o *outlook) []Finding {
	var out []Finding
	told := map[string]bool{}
	for i := range o.hangs {
		h := &o.hangs[i]
		if h.t == nil || len(out) >= maxHangFindings {
			continue
		}
		if f, ok := c.findHolder(h); ok {
			out = append(out, f)
		}
		if h.t.About == nil || told[h.t.About.Device] {
			continue
		}
		told[h.t.About.Device] = true
		if f, ok := c.findSharing(h); ok {
			out = append(out, f)
		}
	}
	return out
}

// maxChain bounds how far holders of holders are followed.
const maxChain = 3

// findHolder names the task that holds what h waits for, and what that one waits
// for itself, and so on.
func (c *inspection) findHolder(h *hang) (Finding, bool) {
	w, conf, ok := c.holderOf(h)
	if !ok {
		return Finding{}, false
	}
	f := newFinding("WS212", h.p)
	f.TID = h.t.TID
	source := "/proc, every task of the host"
	if l := c.hungLine(h.p, h.t, true); l != nil && l.Owner == w.tid() {
		source = "kernel log: likely owner of the " + l.Lock
	}
	f.Summary = fmt.Sprintf("%s (PID %d) waits behind %s", name(h.p), h.p.PID, w.words())
	for range maxChain {
		if conf == Certain {
			source = "kernel: task->blocker"
		}
		says := "holds it"
		if wait := w.wait(); wait != nil {
			says += ", and waits itself: " + wait.Cause
		}
		f.Evidence = append(f.Evidence, Evidence{Source: source, Field: "holder", Value: w.words(), Says: says + pathOf(w.about())})
		next, _, more := c.inFront(w)
		if !more {
			break
		}
		w, conf, source = next, Likely, "/proc, every task of the host"
		f.Summary += ", which waits behind " + w.words()
	}
	f.Fixes = append(f.Fixes, c.freeHolder(w)...)
	return f, true
}

func pathOf(a *evidence.About) string {
	if a == nil || a.Path == "" {
		return ""
	}
	return " (" + bounded(a.Path, 120) + ")"
}

// freeHolder is the way out where it differs from that of the task itself: look at
// the culprit's own container.
func (c *inspection) freeHolder(w waiter) []Fix {
	if w.o == nil || w.o.Container == "" {
		return nil
	}
	who := w.o.Name
	if who == "" {
		who = bounded(w.o.Container, 12)
	}
	cmd := command("whystuck %s", who)
	if cmd == "" {
		return nil
	}
	return []Fix{{When: FixHost, Text: "free that one first: ask what it hangs on", Command: cmd}}
}

// findSharing lists who is stuck on the same thing.
func (c *inspection) findSharing(h *hang) (Finding, bool) {
	list := c.sharing(h.t)
	if len(list) == 0 {
		return Finding{}, false
	}
	f := newFinding("WS211", h.p)
	f.TID = h.t.TID
	count := fmt.Sprintf("%d other tasks are", max(len(list), c.t.Others.Count))
	if len(list) == 1 && c.t.Others.Count <= 1 {
		count = "1 other task is"
	}
	f.Summary = fmt.Sprintf("%s stuck on the same %s: %s", count, thing(h.t.About), c.hits(h.t))
	for i, o := range list {
		if i == maxNamed {
			break
		}
		in := o.Wchan
		if len(o.Stack) > 0 {
			in = o.Stack[0]
		}
		says := "in " + bounded(in, 60)
		if o.SleptMillis != nil {
			says += " for " + sleptWords(*o.SleptMillis)
		}
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/task/%d", o.PID, o.TID), Field: "state", Value: o.State + " " + otherWords(o), Says: says + pathOf(o.About)})
	}
	if !c.t.Others.Whole {
		f.Evidence = append(f.Evidence, Evidence{Source: "/proc", Field: "tasks", Value: "not all", Says: "the host has more than could be looked at in time"})
	}
	return f, true
}

// thing is what several are stuck on together.
func thing(a *evidence.About) string {
	switch {
	case a.FSType == "overlay":
		return "file system under an overlay"
	case a.FSType != "" && a.HostMount != "":
		return fmt.Sprintf("%s mount, %s", bounded(a.FSType, 40), bounded(a.HostMount, 120))
	case a.FSType != "":
		return bounded(a.FSType, 40) + " mount"
	}
	return "device " + a.Device
}
