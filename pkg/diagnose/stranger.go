package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// stranger is a process in the container's PID namespace whose parent lives outside
// of it: nsenter, setns and fork. When it dies only that parent can reap it, and
// until then the namespace does not empty (kernel/pid_namespace.c
// zap_pid_ns_processes waits for pid_allocated).
type stranger struct {
	p      *evidence.Process
	parent *evidence.Process // nil: not looked at
}

// strangers lists those that have come from outside and are neither the init nor
// its shim's: what docker exec starts is reaped by the shim.
func (c *inspection) strangers() []stranger {
	if c.root == nil || c.root.PIDNS == 0 || c.t.HostPIDNS == nil || *c.t.HostPIDNS {
		return nil
	}
	if k := c.t.Container; k != nil && k.PidMode != "" {
		return nil // the namespace of another container, with its own members
	}
	var out []stranger
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if p == c.root || p.PIDNS != c.root.PIDNS || p.PPID == c.root.PPID || p.PPID <= 0 {
			continue
		}
		parent := c.byPID[p.PPID]
		if parent != nil && parent.PIDNS == c.root.PIDNS || parent == nil && !p.Outside {
			continue
		}
		if parent != nil && parent.Comm == "conmon" && !held(parent) {
			continue // Podman's docker exec has a conmon of its own, which reaps
		}
		out = append(out, stranger{p, parent})
	}
	return out
}

// reaps says whether the parent will fetch it when it dies.
func (s stranger) reaps() answer {
	q := s.parent
	if s.p.PPID == 1 {
		return yes // the host's init
	}
	if q == nil {
		return perhaps
	}
	if held(q) || q.State == "Z" {
		return no
	}
	if inWait(leader(q)) {
		return yes
	}
	if q.Signals == nil {
		return perhaps
	}
	if q.Signals.Ignored.Has(sigchld) || q.Signals.Caught.Has(sigchld) {
		return yes // reaped by the kernel, or by its handler
	}
	return perhaps
}

const sigchld = 17

// inWait reports whether a task sleeps in wait4 or waitid.
func inWait(t *evidence.Task) bool {
	if t == nil {
		return false
	}
	if t.Syscall != nil && (t.Syscall.Name == "wait4" || t.Syscall.Name == "waitid" || t.Syscall.Name == "waitpid") {
		return true
	}
	return wchan(t) == "do_wait"
}

// strangerHang is the namespace that will not empty: found before anybody has
// killed, while the way out is still cheap. nil when every parent reaps, as far as
// is known.
func (c *inspection) strangerHang() *hang {
	if inZap(c.root) {
		return nil // WS205 says it
	}
	for _, s := range c.strangers() {
		if s.reaps() == no {
			return &hang{p: c.root, code: "WS215", conf: Likely,
				says: fmt.Sprintf("the PID namespace will not empty: %s (PID %d) came from outside, and its parent, PID %d (%s), is stopped and does not reap it", name(s.p), s.p.PID, s.parent.PID, name(s.parent))}
		}
	}
	return nil
}

// ruleStrangers: who has come into the PID namespace from outside.
func (c *inspection) ruleStrangers(o *outlook) []Finding {
	if inZap(c.root) {
		return nil
	}
	var out []Finding
	for _, s := range c.strangers() {
		if len(out) == maxHangFindings {
			break
		}
		out = append(out, c.findStranger(s))
	}
	return out
}

func (c *inspection) findStranger(s stranger) Finding {
	f := newFinding("WS215", s.p)
	f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/ns/pid", s.p.PID), Field: "pid", Value: fmt.Sprint(s.p.PIDNS), Says: fmt.Sprintf("the container's PID namespace: it is PID %d there", s.p.NSPID())})
	who := fmt.Sprintf("PID %d", s.p.PPID)
	if s.parent != nil {
		who = fmt.Sprintf("%s (PID %d)", name(s.parent), s.parent.PID)
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/stat", s.parent.PID), Field: "state", Value: s.parent.State, Says: "its parent, outside of the container: " + parentDoes(s)})
	}
	head := fmt.Sprintf("%s (PID %d) came into the container from outside, and only %s can reap it", name(s.p), s.p.PID, who)
	switch s.reaps() {
	case no:
		f.Severity = SeverityError
		f.Summary = head + ", which is stopped: after a kill the container stays as running until that goes on or ends"
		f.Fixes = append(f.Fixes, fixReaper(s.p, s.parent))
	case yes:
		f.Severity = SeverityInfo
		f.Summary = head + ", which waits for it: SIGKILL ends it with the container"
	default:
		f.Summary = head + "; whether that waits for it cannot be seen: if not, the container stays as running after a kill"
		if s.parent != nil {
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "end what came from outside before the container is stopped", Command: fmt.Sprintf("sudo kill -TERM %d", s.p.PID)})
		}
	}
	return f
}

// parentDoes says what the parent of a stranger is at.
func parentDoes(s stranger) string {
	switch s.reaps() {
	case no:
		return "stopped, it reaps nobody"
	case yes:
		return "it reaps its children"
	}
	return "not in a wait for its children"
}
