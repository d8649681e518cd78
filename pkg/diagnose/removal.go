package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// removalFailure is one way in which the kernel refuses a removal, by the end of
// dockerd's error: the kernel's word stands last in it, whatever a file is called.
type removalFailure struct {
	ends string // "" for a dead container without an error
	says string
	why  func(c *inspection) (string, []Evidence, []Fix, bool)
}

// removalFailures in the order in which they are tried. 20.10, 28 and 29 were seen
// to fail alike; mounts by others were not seen to keep a directory. The third and
// the fourth are told by their words alone.
var removalFailures = []removalFailure{
	{"operation not permitted", "the kernel lets nobody unlink it", (*inspection).heldFiles},
	{"read-only file system", "it takes no writes", (*inspection).readOnlyRoot},
	{"directory not empty", "something came into it while it was removed", (*inspection).filledAgain},
	{"device or resource busy", "something is mounted there, where dockerd cannot detach it", (*inspection).mountedOver},
	{"", "", (*inspection).heldFiles},
	{"", "", (*inspection).readOnlyRoot},
}

// removalError is what dockerd says of the removal that failed, "" where it says
// nothing: it does not keep it over a restart, and the error of a start that
// failed once is another one (moby daemon/delete.go cleanupContainer).
func (c *inspection) removalError() string {
	e := c.t.Container.Error
	if strings.Contains(e, "failed to remove root filesystem") || strings.Contains(e, "unable to remove filesystem") {
		return e
	}
	return ""
}

// deadForGood: a removal has failed, or was cut off by the end of dockerd.
func (c *inspection) deadForGood(out *Container) {
	said := c.removalError()
	for _, way := range removalFailures {
		if (way.ends == "") != (said == "") || !strings.HasSuffix(said, way.ends) {
			continue
		}
		if why, facts, fixes, ok := way.why(c); ok {
			c.removalFailed(out, "its removal fails: "+why, way.says, facts, fixes)
			return
		}
	}
	if said != "" {
		c.removalFailed(out, "its removal fails: "+bounded(said, 300), "the engine's own words", nil,
			[]Fix{c.removeAgain("undo what the error names, then remove it again", "")})
		return
	}
	c.halfway(out, "its removal was begun and not finished (Dead)")
	f := &out.Findings[len(out.Findings)-1]
	f.Fixes = []Fix{c.removeAgain("remove it again: that goes on where it was cut off, or says what holds it", "")}
	if r := c.t.Removal; r != nil && r.Whole {
		f.Evidence = append(f.Evidence, Evidence{Source: "its directories", Field: "files", Value: fmt.Sprint(r.Entries), Says: "none immutable, and their file system takes writes"})
	}
}

// cutOff: by the files of an engine that does not run it is being removed. Up to
// 28.1 dockerd wrote that down, and left it so where the removal failed.
func (c *inspection) cutOff() bool {
	return c.t.Container.Source == "engine-files" && c.host.Engine != nil && nobodyListens(c.host.Engine)
}

// removalFailed puts the reason into the report. That it failed is sure: the
// container would not be dead otherwise.
func (c *inspection) removalFailed(out *Container, says, words string, facts []Evidence, fixes []Fix) {
	f := newFinding("WS328", nil)
	f.Summary = says
	f.Evidence = []Evidence{{Source: "docker inspect", Field: "State.Status", Value: out.Status, Says: "half removed; docker start refuses it"}}
	if e := c.removalError(); e != "" {
		f.Evidence = append(f.Evidence, Evidence{Source: "docker inspect", Field: "State.Error", Value: bounded(e, 400), Says: words})
	} else {
		out.Confidence = Likely
	}
	f.Evidence = append(f.Evidence, facts...)
	f.Fixes = fixes
	out.Headline = says
	out.Findings = append(out.Findings, f)
}

// removeAgain is docker rm -f after what makes room for it; without a command where
// a word of it is not safe.
func (c *inspection) removeAgain(says, first string) Fix {
	rm := command("docker rm -f %s", c.displayName())
	if rm != "" && first != "" {
		rm = first + " && " + rm
	}
	return Fix{When: FixNow, Text: says, Command: rm}
}

// heldWays are how each kind of file is let go.
var heldWays = map[string]struct{ is, text, command string }{
	evidence.HeldImmutable:  {"a file of it is immutable (chattr +i)", "take the attribute away, then remove it again", "sudo chattr -i %s"},
	evidence.HeldAppendOnly: {"a file of it is append-only (chattr +a)", "take the attribute away, then remove it again", "sudo chattr -a %s"},
	evidence.HeldSwap:       {"the host swaps to a file of it", "stop swapping to it, then remove it again", "sudo swapoff %s"},
}

// heldFiles: a file that the kernel lets nobody unlink, root neither.
func (c *inspection) heldFiles() (string, []Evidence, []Fix, bool) {
	r := c.t.Removal
	if r == nil || len(r.Held) == 0 {
		return "", nil, nil, false
	}
	var facts []Evidence
	var undo []string
	for i := range r.Held {
		h := &r.Held[i]
		facts = append(facts, Evidence{Source: pathWord(h.Path), Field: "attribute", Value: h.Kind, Says: "neither it nor what is in it can be unlinked, by root either"})
		if way, known := heldWays[h.Kind]; known && i < maxUndone && safeWord(h.Path) {
			undo = append(undo, command(way.command, h.Path))
		}
	}
	way, known := heldWays[r.Held[0].Kind]
	if !known { // of a later version
		return "", nil, nil, false
	}
	why := way.is
	if p := r.Held[0].Path; p != "" {
		why += ": " + pathWord(p)
	}
	if more := len(r.Held) - 1; more > 0 {
		why += fmt.Sprintf(", and %d more", more)
	}
	fix := Fix{When: FixNow, Text: way.text + ": the path has a character that is not safe in a command"}
	if len(undo) == len(r.Held) {
		fix = c.removeAgain(way.text, strings.Join(undo, " && "))
	} else if len(undo) > 0 {
		fix = Fix{When: FixNow, Text: way.text + ": these, and the others", Command: strings.Join(undo, " && ")}
	}
	return why, facts, []Fix{fix}, true
}

// maxUndone bounds a command line.
const maxUndone = 4

// pathWord is a path in a sentence; redaction takes it away.
func pathWord(path string) string {
	if path == "" {
		return "a file"
	}
	return bounded(path, 300)
}

// readOnlyRoot: the file system below the engine's directory takes no writes.
func (c *inspection) readOnlyRoot() (string, []Evidence, []Fix, bool) {
	var m *evidence.RemovalMount
	if c.t.Removal != nil {
		m = c.t.Removal.Mount
	}
	if c.removalError() == "" && (m == nil || !m.ReadOnly) {
		return "", nil, nil, false
	}
	why := "the file system below it is read-only"
	fixes := []Fix{{When: FixHost, Text: "the kernel's log says why. After an error no remount helps: stop docker, unmount it, check it (fsck -y), mount it, start docker; then docker rm -f again"}}
	if m == nil {
		return why, nil, fixes, true
	}
	if m.Point != "" {
		why += ": " + bounded(m.Point, 200)
	}
	fact := Evidence{Source: "dockerd's mountinfo", Field: bounded(m.Point, 200), Value: strings.TrimSpace(bounded(m.FSType, 20) + " " + bounded(m.Source, 100)), Says: "what its directories lie on"}
	if m.ReadOnly {
		fact.Says += ": read-only"
	}
	return why, []Evidence{fact}, fixes, true
}

// filledAgain: a mount that dockerd has just detached, or a writer.
func (c *inspection) filledAgain() (string, []Evidence, []Fix, bool) {
	return "one of its directories was filled again meanwhile", nil, []Fix{c.removeAgain("remove it again", "")}, true
}

// mountedOver: kernels before 3.18, or a mount that is locked in dockerd's own
// mount namespace.
func (c *inspection) mountedOver() (string, []Evidence, []Fix, bool) {
	find := ""
	if id := c.shortID(); safeWord(id) {
		find = fmt.Sprintf("sudo grep -l %s /proc/[0-9]*/mountinfo", id)
	}
	return "one of its directories is a mount point that cannot be detached", nil, []Fix{
		{When: FixNow, Text: "find who has it mounted, unmount it there or end that process, then docker rm -f again", Command: find}}, true
}

// removalHangs: a thread of dockerd hangs in the kernel, in the midst of a removal.
// One that has slept for a moment only is told by WS308 and not accused: on a busy
// disk a removal waits again and again, as for room in the journal.
func (c *inspection) removalHangs(out *Container) bool {
	d, in, h := c.daemonHang()
	if h == nil || h.conf == Assumed {
		return false
	}
	why := daemonStuck(c.host.Engine, in, h, d)
	out.Headline, out.Confidence = "it is being removed, and "+why.headline, why.conf
	f := why.finding
	f.Evidence = append([]Evidence{{Source: "docker inspect", Field: "State.Status", Value: out.Status,
		Says: "a second docker rm -f answers that the removal is already in progress"}}, f.Evidence...)
	out.Findings = append(out.Findings, f)
	return true
}

// daemonHang is the thread of dockerd that hangs in this container's files, the
// first that hangs where none is known to; nil where none does.
func (c *inspection) daemonHang() (*evidence.Part, *inspection, *hang) {
	if c.host.Engine == nil {
		return nil, nil, nil
	}
	d := part(c.host.Engine.Parts, evidence.RoleDaemon)
	in, hangs := partHangs(d)
	if len(hangs) == 0 {
		return nil, nil, nil
	}
	for i := range hangs {
		if a := hangs[i].t.About; a != nil && c.t.Container.ID != "" && strings.Contains(a.Path, c.t.Container.ID) {
			return d, in, &hangs[i]
		}
	}
	h := &hangs[0]
	h.conf = worse(h.conf, Likely) // that it is this container's is inferred
	return d, in, h
}

// endedAndLocked: it has ended, inspect of it does not return, and a thread of
// dockerd hangs in the kernel, not just for a moment. Measured with docker rm on a
// frozen file system: dockerd cannot write down that the removal begins, so that
// docker ps goes on to say exited, while stop, kill and rm -f of it do not return.
func (c *inspection) endedAndLocked() *cause {
	d, in, h := c.daemonHang()
	if h == nil || h.conf == Assumed || c.t.Container.InspectTrouble != evidence.GapTimeout {
		return nil
	}
	out := daemonStuck(c.host.Engine, in, h, d).shows(c.lockFact()...)
	out.headline = "it has ended, and docker's commands for it hang: " + out.headline
	return out
}

// halfRemoved: directories that no engine loads again, so that no docker command
// removes them.
func halfRemoved(s *evidence.Snapshot) []Finding {
	if s.Leftovers == nil || len(s.Leftovers.HalfRemoved) == 0 {
		return nil
	}
	all := s.Leftovers.HalfRemoved
	f := newFinding("WS329", nil)
	f.Summary = fmt.Sprintf("%d directories of containers that docker no longer knows are half removed: nothing lives of them, and no docker command removes them", len(all))
	if len(all) == 1 {
		f.Summary = "1 directory of a container that docker no longer knows is half removed: nothing lives of it, and no docker command removes it"
	}
	for _, dir := range all[:min(len(all), 3)] {
		if !safeWord(dir) {
			continue // redacted, or nothing for a command
		}
		f.Evidence = append(f.Evidence, Evidence{Source: dir, Field: "config.v2.json", Value: "gone", Says: "dockerd has forgotten the container: the removal failed here, and dockerd was restarted since"})
		f.Fixes = append(f.Fixes, Fix{When: FixHost, Text: "take away what held it, and remove it", Command: fmt.Sprintf("sudo chattr -R -i -a %s; sudo rm -r --one-file-system %s", dir, dir)})
	}
	return []Finding{f}
}
