package diagnose

import (
	"fmt"
	"path"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// orphan: what is left of a container that the engine has forgotten, or takes for
// ended.
func (c *inspection) orphan(out *Container) {
	out.Verdict, out.Confidence, out.Layer = Ghost, c.orphanConfidence(), LayerEngine
	alive := c.alive()
	if c.root == nil && len(alive) > 0 {
		c.root = alive[0] // the engine names none
	}
	var o *outlook
	if c.root != nil {
		o = c.forecast()
		out.Processes = c.processes(o.sim, o)
	}
	h := c.orphanHang(o)
	out.Headline = c.orphanHeadline(alive, h)
	if len(alive) > 0 {
		out.Findings = append(out.Findings, c.findAlive(alive, h, out.Headline))
	}
	if o != nil {
		out.Findings = append(out.Findings, c.hangFindings(o)...)
	}
	if h != nil {
		out.Layer = LayerKernel
	}
	out.Findings = append(out.Findings, c.findShims(len(alive) > 0)...)
	if len(alive) > 0 || c.t.Container.Status == "" { // else containerd takes it away with the shim
		out.Findings = append(out.Findings, c.findRuntime(len(alive) > 0)...)
	}
	if len(out.Findings) == 0 { // a name that only an empty cgroup has
		f := newFinding("WS333", nil)
		f.Summary = out.Headline
		c.addRemains(&f, "cgroup", "empty, and named for it")
		out.Findings = append(out.Findings, f)
	}
}

// orphanConfidence: a cgroup of that name says whose a process was; that the
// engine asked had made it, only a cgroup does not prove.
func (c *inspection) orphanConfidence() Confidence {
	if c.t.Container.Status != "" {
		return Certain
	}
	for _, r := range c.t.Container.Remains {
		if r.Kind == "shim" || r.Kind == "runtime" || r.Kind == "mount" {
			return Certain
		}
	}
	return Likely
}

// alive lists what is more than a zombie and is the container's own.
func (c *inspection) alive() []*evidence.Process {
	var out []*evidence.Process
	for i := range c.t.Processes {
		if p := &c.t.Processes[i]; !dead(p) && !p.Outside {
			out = append(out, p)
		}
	}
	return out
}

// orphanHang is what keeps it alive, nil where nothing is known to.
func (c *inspection) orphanHang(o *outlook) *hang {
	if o == nil {
		return nil
	}
	var inner *hang
	for i := range o.hangs {
		h := &o.hangs[i]
		// The init that waits for the others says less than what they wait for.
		if h.unread || h.code == "WS205" && len(o.hangs) > 1 {
			continue
		}
		if inner == nil || rank(h.conf) > rank(inner.conf) {
			inner = h
		}
	}
	return inner
}

func (c *inspection) orphanHeadline(alive []*evidence.Process, h *hang) string {
	engine := "docker"
	if c.fromPodman() {
		engine = "Podman"
	}
	says := engine + " no longer knows this container"
	if c.t.Container.Status != "" {
		says = engine + " takes it for " + bounded(c.t.Container.Status, 40)
	}
	switch {
	case h != nil:
		return fmt.Sprintf("%s, and %s (host PID %d) lives%s: %s", says, name(h.p), h.p.PID, c.since(h.p), c.cause(h))
	case len(alive) > 0:
		return fmt.Sprintf("%s, and %s%s", says, c.livesOn(alive), c.since(alive[0]))
	}
	for _, r := range c.t.Container.Remains {
		if r.Kind == "shim" {
			return fmt.Sprintf("%s, and its shim (PID %d) runs on%s", says, r.PID, c.sinceTicks(r.StartTicks))
		}
	}
	for _, r := range c.t.Container.Remains {
		if r.Kind == "runtime" {
			return says + ", and its runtime's state is still there; no process of it lives"
		}
	}
	return says + ", and an empty cgroup of it is on this host"
}

// cause is what a hang waits for, in words; behind a dead leader it is a thread
// that waits.
func (c *inspection) cause(h *hang) string {
	if h.code == "WS206" {
		for i := range h.p.Tasks {
			if inner := c.taskHang(h.p, &h.p.Tasks[i]); inner != nil && inner.t.TID != h.p.PID {
				return fmt.Sprintf("its thread %d: %s", inner.t.TID, c.cause(inner))
			}
		}
	}
	if h.wait != nil {
		return h.wait.Cause + aboutWords(h.t)
	}
	return h.says
}

func (c *inspection) livesOn(alive []*evidence.Process) string {
	if len(alive) == 1 {
		return fmt.Sprintf("%s (host PID %d) lives on", name(alive[0]), alive[0].PID)
	}
	return fmt.Sprintf("%d of its processes live on, the first %s (host PID %d)", len(alive), name(alive[0]), alive[0].PID)
}

// since is the age of a process in words.
func (c *inspection) since(p *evidence.Process) string { return c.sinceTicks(p.StartTicks) }

func (c *inspection) sinceTicks(start uint64) string {
	if start == 0 || c.host.UptimeTicks < start {
		return ""
	}
	return ", " + ageWords((c.host.UptimeTicks-start)/100) + " old"
}

func ageWords(seconds uint64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%d min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%d h", seconds/3600)
	}
	return fmt.Sprintf("%d days", seconds/(24*3600))
}

// findAlive: processes that the engine has forgotten, or takes for ended.
func (c *inspection) findAlive(alive []*evidence.Process, h *hang, headline string) Finding {
	code, value, says := "WS302", "absent", "not in the engine's list"
	if s := c.t.Container.Status; s != "" {
		code, value, says = "WS332", bounded(s, 40), "for the engine nothing of it runs"
	}
	f := newFinding(code, alive[0])
	f.Summary = headline
	f.Evidence = []Evidence{{Source: "docker ps -a", Field: c.shortID(), Value: value, Says: says}}
	for _, p := range alive[:min(len(alive), 3)] {
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/stat", p.PID), Field: "state", Value: p.State, Says: name(p) + c.since(p)})
	}
	c.addRemains(&f, "cgroup", "the cgroup that it lives in")
	c.addRemains(&f, "mount", "mounted by this engine for that container")
	f.Fixes = c.fixAlive(alive, h)
	return f
}

// addRemains shows the traces of one kind, at most two.
func (c *inspection) addRemains(f *Finding, kind, says string) {
	n := 0
	for _, r := range c.t.Container.Remains {
		if r.Kind != kind || r.Path == "" || n == 2 {
			continue
		}
		n++
		f.Evidence = append(f.Evidence, Evidence{Source: r.Path, Field: kind, Value: c.shortID(), Says: says})
	}
}

// maxKilled bounds a command line.
const maxKilled = 20

// fixAlive: nobody but the user is left to end them.
func (c *inspection) fixAlive(alive []*evidence.Process, h *hang) []Fix {
	var kill []string
	for _, p := range alive {
		if !dying(p) && !(p.Signals != nil && p.Signals.Pending.Has(evidence.SIGKILL)) && len(kill) < maxKilled {
			kill = append(kill, fmt.Sprint(p.PID))
		}
		if p == c.root && nsInit(p) && !dying(p) {
			kill = []string{fmt.Sprint(p.PID)} // the kernel takes the others along
			break
		}
	}
	fix := Fix{When: FixNow, Text: "end what is left; the engine cannot any more"}
	if h != nil {
		fix.Text = "first free what it waits for, see " + h.code + " below; it ends by itself then"
	}
	if len(kill) > 0 {
		if h != nil {
			fix.Text = "send SIGKILL, and free what it waits for, see " + h.code + " below: it ends then"
		}
		fix.Command = "sudo kill -KILL " + strings.Join(kill, " ")
	}
	return []Fix{fix}
}

// findShims: a shim that waits for the end of a container that nobody knows.
func (c *inspection) findShims(processes bool) []Finding {
	var out []Finding
	for _, r := range c.t.Container.Remains {
		if r.Kind != "shim" || c.fromPodman() && (processes || c.t.Container.Status != "") { // conmon ends with its processes
			continue
		}
		if c.t.Container.Status != "" && !processes {
			out = append(out, c.findLeftShim(r.PID))
			continue
		}
		f := newFinding("WS330", nil)
		f.PID = r.PID
		f.Summary = fmt.Sprintf("the shim with PID %d keeps a container that the engine does not have%s", r.PID, c.sinceTicks(r.StartTicks))
		f.Evidence = []Evidence{{Source: fmt.Sprintf("/proc/%d/cmdline", r.PID), Field: "-id", Value: c.shortID(), Says: "the container that it was started for"}}
		fix := Fix{When: FixNow, Text: "end it: it has nothing left to watch", Command: fmt.Sprintf("sudo kill -KILL %d", r.PID)}
		if processes {
			fix.Text = "end it once its processes are gone; it does not go by itself"
		}
		f.Fixes = append(f.Fixes, fix)
		out = append(out, f)
	}
	return out
}

// findRuntime: state of the runtime and of containerd without a container.
func (c *inspection) findRuntime(processes bool) []Finding {
	f := newFinding("WS331", nil)
	f.Summary = "the runtime still has state of a container that the engine does not have"
	when := "take it away"
	if processes {
		when = "once its processes are gone, take it away"
	}
	for _, r := range c.t.Container.Remains {
		if r.Kind != "runtime" {
			continue
		}
		f.Evidence = append(f.Evidence, Evidence{Source: bounded(r.Path, 200), Field: "directory", Value: c.shortID(), Says: "named for the container"})
		root := path.Dir(r.Path)
		switch runtime, ok := strings.CutPrefix(path.Base(path.Dir(root)), "runtime-"); {
		case r.Path == "":
		case ok && runtime == "runc":
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: when, Command: command("sudo runc --root "+"%s"+" delete --force "+c.t.Container.ID, root)})
		default:
			// It may hold a mount: nothing below another file system is touched.
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: when, Command: command("sudo rm -r --one-file-system %s", r.Path)})
		}
	}
	if len(f.Evidence) == 0 {
		return nil
	}
	return []Finding{f}
}

// emptyCgroups: directories that nobody has removed. They cost next to nothing.
func emptyCgroups(s *evidence.Snapshot) []Finding {
	if s.Leftovers == nil || len(s.Leftovers.EmptyCgroups) == 0 {
		return nil
	}
	all := s.Leftovers.EmptyCgroups
	f := newFinding("WS333", nil)
	f.Summary = fmt.Sprintf("%d cgroup directories of containers that are gone are still there, empty: harmless, and no orphans", len(all))
	if len(all) == 1 {
		f.Summary = "1 cgroup directory of a container that is gone is still there, empty: harmless, and no orphan"
	}
	for _, dir := range all[:min(len(all), 3)] {
		if dir == "" {
			continue // redacted
		}
		f.Evidence = append(f.Evidence, Evidence{Source: dir, Field: "cgroup.procs", Value: "empty", Says: "nothing lives in it"})
		f.Fixes = append(f.Fixes, Fix{When: FixHost, Text: "remove it, if you like", Command: command("sudo rmdir %s", dir)})
	}
	return []Finding{f}
}
