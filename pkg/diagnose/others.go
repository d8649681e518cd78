package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// sharing are the tasks of others that are stuck on the device that t is stuck on.
func (c *inspection) sharing(t *evidence.Task) []*evidence.OtherTask {
	if c.t.Others == nil || t == nil || t.About == nil {
		return nil
	}
	var out []*evidence.OtherTask
	for i := range c.t.Others.Tasks {
		if o := &c.t.Others.Tasks[i]; sameThing(o.About, t.About) {
			out = append(out, o)
		}
	}
	return out
}

// sameThing reports whether two tasks are stuck on one file system: by its device,
// or the device below an overlay.
func sameThing(a, b *evidence.About) bool {
	if a == nil || b == nil {
		return false
	}
	for _, d := range []string{a.Device, a.Under} {
		if d != "" && (d == b.Device || d == b.Under) {
			return true
		}
	}
	return false
}

// waiter is a task that may hold what another waits for: one of the target's own
// or one of another container.
type waiter struct {
	p *evidence.Process   // nil for another's
	t *evidence.Task      // nil for another's
	o *evidence.OtherTask // nil for one of the target's
}

func (w waiter) about() *evidence.About {
	if w.o != nil {
		return w.o.About
	}
	return w.t.About
}

func (w waiter) wait() *catalog.Wait {
	if w.o != nil {
		return catalog.LookupWait(w.o.Stack, catalog.TrimSuffix(w.o.Wchan))
	}
	return catalog.LookupWait(w.t.Stack, wchan(w.t))
}

func (w waiter) tid() int {
	if w.o != nil {
		return w.o.TID
	}
	return w.t.TID
}

// words name it with the container that it lives in.
func (w waiter) words() string {
	if w.o == nil {
		return fmt.Sprintf("%s (PID %d, of this container)", name(w.p), w.p.PID)
	}
	return otherWords(w.o)
}

// otherWords is a task of somebody else in a sentence.
func otherWords(o *evidence.OtherTask) string {
	where := "on the host"
	switch {
	case o.Kernel:
		return fmt.Sprintf("%s (kernel thread %d)", bounded(o.Comm, 32), o.PID)
	case o.Name != "":
		where = "container " + bounded(o.Name, 64)
	case o.Container != "":
		where = "container " + bounded(o.Container, 12)
	}
	return fmt.Sprintf("%s (PID %d, %s)", bounded(o.Comm, 20), o.PID, where)
}

// holder is the task that holds what t waits for, as far as it can be told: by the
// kernel's own word (task->blocker), by its log, or because it alone waits in front: of all
// that sleep on one FUSE mount those who wait for the server keep the others out.
func (c *inspection) holder(p *evidence.Process, t *evidence.Task) (w waiter, conf Confidence, ok bool) {
	if k := kernelTask(p, t.TID); k != nil && k.Blocker != 0 {
		if w, ok := c.waiterOf(k.Blocker); ok {
			return w, Certain, true
		}
	}
	if l := c.hungLine(p, t, true); l != nil {
		if w, ok := c.waiterOf(l.Owner); ok {
			return w, Likely, true
		}
	}
	return c.inFront(waiter{p: p, t: t})
}

// hungLine is the last line of the kernel's log about a task's present sleep, one
// that names an owner or one that does not; nil for none. A line older than the
// sleep is about another one, or about another task of the same number.
func (c *inspection) hungLine(p *evidence.Process, t *evidence.Task, owner bool) *evidence.HungLine {
	since := float64(p.StartTicks) * 10
	if t.Again != nil && t.Again.SleptMillis != nil && c.host.UptimeTicks > 0 {
		since = max(since, float64(c.host.UptimeTicks)*10-float64(*t.Again.SleptMillis)-2000)
	}
	for i := len(c.t.HungLog) - 1; i >= 0; i-- {
		if l := &c.t.HungLog[i]; l.TID == t.TID && (l.Owner != 0) == owner && float64(l.AtMillis) >= since {
			return l
		}
	}
	return nil
}

// holderOf is holder for a hang that may be about a whole process.
func (c *inspection) holderOf(h *hang) (waiter, Confidence, bool) {
	if h.t == nil || h.t.State != "D" && h.t.State != "S" || h.code == "WS205" {
		return waiter{}, "", false
	}
	return c.holder(h.p, h.t)
}

// waiterOf finds a task by its TID.
func (c *inspection) waiterOf(tid int) (waiter, bool) {
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		for j := range p.Tasks {
			if p.Tasks[j].TID == tid {
				return waiter{p: p, t: &p.Tasks[j]}, true
			}
		}
	}
	if c.t.Others != nil {
		for i := range c.t.Others.Tasks {
			if o := &c.t.Others.Tasks[i]; o.TID == tid {
				return waiter{o: o}, true
			}
		}
	}
	return waiter{}, false
}

// inFront finds who waits for the server of the FUSE mount that w is stuck on
// without being its own waiter: best one at the same path, else whoever has waited
// longest.
func (c *inspection) inFront(w waiter) (found waiter, conf Confidence, ok bool) {
	if wait := w.wait(); wait != nil && (wait.Read || !behind(wait)) {
		return found, "", false
	}
	try := func(q waiter) {
		wait := q.wait()
		if q.tid() == w.tid() || wait == nil || !wait.Read || !sameThing(q.about(), w.about()) {
			return
		}
		if !ok || q.about().Path != "" && q.about().Path == w.about().Path && found.about().Path != w.about().Path {
			found, ok = q, true
		}
	}
	for i := range c.t.Processes {
		for j := range c.t.Processes[i].Tasks {
			try(waiter{p: &c.t.Processes[i], t: &c.t.Processes[i].Tasks[j]})
		}
	}
	if c.t.Others != nil {
		for i := range c.t.Others.Tasks { // the longest asleep first
			try(waiter{o: &c.t.Others.Tasks[i]})
		}
	}
	return found, Likely, ok
}

// behind reports whether a wait is for another task rather than for a server or a
// device.
func behind(w *catalog.Wait) bool {
	return w.Topic == "lookup" || w.Topic == "page" || w.Topic == "fuse" && !w.Read
}

// hits says whom a fix hits that are stuck on the same thing now: "" for nobody.
func (c *inspection) hits(t *evidence.Task) string {
	var names []string
	seen := map[string]bool{}
	for _, o := range c.sharing(t) {
		who := o.Name
		switch {
		case who != "":
		case o.Container != "":
			who = bounded(o.Container, 12)
		default:
			who = fmt.Sprintf("%s (PID %d)", bounded(o.Comm, 20), o.PID)
		}
		if !seen[who] {
			seen[who] = true
			names = append(names, bounded(who, 64))
		}
	}
	switch n := len(names); {
	case n == 0:
		return ""
	case n > maxNamed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), n-maxNamed)
	}
	return strings.Join(names, ", ")
}

// mountedToo names the other containers that have what t is stuck on mounted and are
// not stuck on it, "" for none.
func (c *inspection) mountedToo(t *evidence.Task) string {
	if c.t.Others == nil {
		return ""
	}
	stuck := map[string]bool{}
	for _, o := range c.sharing(t) {
		stuck[o.Container] = true
	}
	var names []string
	for _, u := range c.t.Others.Mounted {
		who := u.Name
		if who == "" {
			who = u.Container[:min(len(u.Container), 12)]
		}
		if !stuck[u.Container] && len(names) < maxNamed {
			names = append(names, bounded(who, 64))
		}
	}
	return strings.Join(names, ", ")
}

// maxNamed bounds the names in one sentence.
const maxNamed = 8
