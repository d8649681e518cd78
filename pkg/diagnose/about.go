package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// onFUSE reports whether a task is known to be stuck on a FUSE mount.
func onFUSE(t *evidence.Task) bool {
	return t != nil && t.About != nil && (t.About.FSType == "fuse" || t.About.FSType == "fuseblk" || strings.HasPrefix(t.About.FSType, "fuse."))
}

// servers are the processes that serve the FUSE mount a task is stuck on; an
// entry with ServerPID 0 is a connection whose server was not found.
func (c *inspection) servers(t *evidence.Task) []*evidence.FUSEConn {
	if !onFUSE(t) {
		return nil
	}
	var out []*evidence.FUSEConn
	_, minor, _ := strings.Cut(t.About.Device, ":")
	for i := range c.t.FUSE {
		if s := &c.t.FUSE[i]; fmt.Sprint(s.Device) == minor {
			out = append(out, s)
		}
	}
	return out
}

// serverReads reports whether a server of the task's mount sleeps in a read of
// the connection: the kernel lets it sleep there only with an empty queue, so
// the request that the task waits for has been read.
func serverReads(servers []*evidence.FUSEConn) bool {
	for _, s := range servers {
		if s.ServerIdle != nil && *s.ServerIdle {
			return true
		}
	}
	return false
}

// serverStopped is a stopped server, nil when none is.
func serverStopped(servers []*evidence.FUSEConn) *evidence.FUSEConn {
	for _, s := range servers {
		if s.ServerState == "T" || s.ServerState == "t" {
			return s
		}
	}
	return nil
}

// aboutFacts shows what a task is stuck on and who owes the answer.
func (c *inspection) aboutFacts(p *evidence.Process, t *evidence.Task) []Evidence {
	var out []Evidence
	base := fmt.Sprintf("/proc/%d/task/%d", p.PID, t.TID)
	if t.Again != nil && t.Again.SleptMillis != nil {
		out = append(out, Evidence{Source: base + "/sched", Field: "se.exec_start", Value: sleptWords(*t.Again.SleptMillis), Says: "since it last ran"})
	}
	if l := c.hungLine(p, t, false); l != nil {
		out = append(out, Evidence{Source: "kernel log", Field: "hung task", Value: fmt.Sprintf("%s:%d", bounded(l.Comm, 20), l.TID), Says: fmt.Sprintf("blocked for more than %d seconds", l.Seconds)})
	}
	if async(t) {
		out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/maps", p.PID), Field: "[aio]", Value: "mapped", Says: "a ring of asynchronous requests (io_setup)"})
	}
	if a := t.About; a != nil {
		if a.Path != "" {
			source, says := base+"/fd", "the file that the call is about"
			switch a.Via {
			case evidence.ViaAIO:
				says = "a file that it has open"
			case evidence.ViaArgument:
				source, says = base+"/mem", "the path in the call's argument"
			}
			out = append(out, Evidence{Source: source, Field: "path", Value: bounded(a.Path, 200), Says: says})
		}
		if a.Device != "" {
			out = append(out, Evidence{Source: base + "/mountinfo", Field: "mount", Value: mountWords(a), Says: mountSays(a)})
		}
	}
	for _, s := range c.servers(t) {
		if s.Waiting != nil {
			out = append(out, Evidence{Source: fmt.Sprintf("/sys/fs/fuse/connections/%d", s.Connection), Field: "waiting", Value: fmt.Sprint(*s.Waiting), Says: "requests not yet answered"})
		}
		if s.ServerPID == 0 {
			continue
		}
		out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/fdinfo", s.ServerPID), Field: "fuse_connection", Value: fmt.Sprint(s.Connection), Says: "served by " + serverWords(s)})
	}
	return out
}

// sleptWords rounds down: the clock is as exact as the scheduler's tick.
func sleptWords(ms int) string {
	switch s := ms / 1000; {
	case s == 0:
		return "less than 1 s"
	case s < 120:
		return fmt.Sprintf("%d s", s)
	default:
		return fmt.Sprintf("%d min", s/60)
	}
}

func mountWords(a *evidence.About) string {
	words := []string{}
	for _, w := range []string{a.Mount, a.FSType, a.Device, a.Source} {
		if w != "" {
			words = append(words, bounded(w, 120))
		}
	}
	return strings.Join(words, " ")
}

func mountSays(a *evidence.About) string {
	switch {
	case a.Via == evidence.ViaOnlyMount:
		return "the only FUSE mount that it sees"
	case a.Via == evidence.ViaArgument:
		return "mount point, type, device and source, by the text of the path"
	}
	return "mount point, type, device and source"
}

// serverWords is a server in a sentence.
func serverWords(s *evidence.FUSEConn) string {
	doing := ""
	switch {
	case s.ServerState == "T" || s.ServerState == "t":
		doing = ", stopped"
	case s.ServerIdle != nil && *s.ServerIdle:
		doing = ", asleep in a read of /dev/fuse: its queue is empty"
	case s.ServerState != "":
		doing = ", state " + s.ServerState
	}
	return fmt.Sprintf("%s (PID %d%s)", bounded(s.ServerComm, 20), s.ServerPID, doing)
}

// aboutWords says in half a sentence what a task is stuck on.
func aboutWords(t *evidence.Task) string {
	a := t.About
	switch {
	case a == nil:
		return ""
	case a.Path != "" && a.Mount != "" && a.Path != a.Mount:
		return fmt.Sprintf(" (%s, on %s at %s)", bounded(a.Path, 120), a.FSType, bounded(a.Mount, 120))
	case a.Path != "":
		return fmt.Sprintf(" (%s)", bounded(a.Path, 120))
	case a.Mount != "":
		return fmt.Sprintf(" (%s at %s)", a.FSType, bounded(a.Mount, 120))
	}
	return ""
}

// hostPath leads from the observer to a mount: its own mount point of the same
// device, else through the task's root.
func hostPath(p *evidence.Process, a *evidence.About) string {
	if a.HostMount != "" {
		return a.HostMount
	}
	if a.Mount == "" {
		return ""
	}
	return fmt.Sprintf("/proc/%d/root%s", p.PID, strings.TrimSuffix(a.Mount, "/"))
}

// fixesFor are the commands that free a task, for what it is stuck on.
func (c *inspection) fixesFor(h *hang) []Fix {
	switch {
	case h.code == "WS209":
		return c.fixFUSE(h)
	case h.wait != nil && h.wait.Topic == "frozen-fs":
		return fixFrozen(h)
	}
	return nil
}

// fixFrozen thaws the file system. An overlay cannot be frozen: what is frozen
// lies under its upper directory.
func fixFrozen(h *hang) []Fix {
	a := h.t.About
	if a == nil || a.Device == "" {
		return nil
	}
	risk := text("whoever froze it (a backup, a snapshot) may not have finished: its copy may be torn")
	if a.FSType == "overlay" {
		if !safeWord(a.Source) {
			return nil
		}
		return []Fix{{When: FixNow, Text: "thaw the file system under the overlay's upper directory",
			Command: fmt.Sprintf("sudo fsfreeze -u \"$(findmnt -n -o TARGET -T %s)\"", a.Source), Risk: risk}}
	}
	cmd := command("sudo fsfreeze -u %s", hostPath(h.p, a))
	if cmd == "" {
		return nil
	}
	return []Fix{{When: FixNow, Text: "thaw the file system", Command: cmd, Risk: risk}}
}

// fixFUSE lets go of a connection: the stopped server goes on, or the connection
// is aborted, or its server ended.
func (c *inspection) fixFUSE(h *hang) []Fix {
	var out []Fix
	servers := c.servers(h.t)
	if s := serverStopped(servers); s != nil && s.ServerState == "T" {
		out = append(out, Fix{When: FixNow, Text: "let the server go on", Command: fmt.Sprintf("sudo kill -CONT %d", s.ServerPID)})
	}
	if len(servers) == 0 {
		return out
	}
	all := "every user of this mount gets errors (ENOTCONN), other containers too; it has to be mounted again"
	if hits := c.hits(h.t); hits != "" {
		all = fmt.Sprintf("every user of this mount gets errors (ENOTCONN), stuck on it now: %s; it has to be mounted again", hits)
	}
	if also := c.mountedToo(h.t); also != "" {
		all += "; mounted in: " + also
	}
	conn := servers[0].Connection
	abort := Fix{When: FixNow, Text: "abort the connection: frees all its callers at once", Risk: text(all),
		Command: fmt.Sprintf("echo 1 | sudo tee /sys/fs/fuse/connections/%d/abort", conn)}
	if servers[0].Waiting == nil {
		abort.Text += " (mount it first: sudo mount -t fusectl none /sys/fs/fuse/connections)"
	}
	out = append(out, abort)
	if cmd := command("sudo umount -f %s", hostPath(h.p, h.t.About)); cmd != "" && h.t.About.HostMount != "" {
		out = append(out, Fix{When: FixNow, Text: "or unmount it by force, which aborts it too", Command: cmd, Risk: text(all)})
	}
	for _, s := range servers {
		if s.ServerPID > 1 {
			out = append(out, Fix{When: FixNow, Text: fmt.Sprintf("or end the server, %s", bounded(s.ServerComm, 20)),
				Command: fmt.Sprintf("sudo kill -KILL %d", s.ServerPID), Risk: text(all + "; what it has not yet written is lost")})
			break
		}
	}
	return out
}
