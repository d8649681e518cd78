package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// refusal says that the kernel denies the engine's signals.
type refusal struct {
	code string
	// daemon: dockerd's own SIGKILL, its last resort, is denied as well, and not
	// only what the runtime sends.
	daemon bool
	errno  string
	conf   Confidence
	by     string // who denies it, for a sentence
	facts  []Evidence
	fixes  []Fix
}

const (
	errnoPermitted = "operation not permitted" // EPERM
	errnoDenied    = "permission denied"       // EACCES
)

// refusal is nil where nothing tells that signals are denied. What the kernel's
// own rule decides comes first, then what a module has said, then what the
// runtime has met.
func (c *inspection) refusal() *refusal {
	if c.t.Receiver == nil {
		return nil
	}
	if r := c.refusedByCapability(); r != nil {
		return r
	}
	if r := c.refusedByModule(); r != nil {
		return r
	}
	return c.refusedBefore()
}

func (c *inspection) sender(role string) *evidence.Sender {
	for i := range c.t.Senders {
		if c.t.Senders[i].Role == role {
			return &c.t.Senders[i]
		}
	}
	return nil
}

// initialUserNS is the inode of the host's own user namespace (the kernel's
// PROC_USER_INIT_INO).
const initialUserNS = 0xEFFFFFFD

// refusedByCapability follows kernel/signal.c kill_ok_by_cred: the same user, or
// CAP_KILL over the receiver's user namespace.
func (c *inspection) refusedByCapability() *refusal {
	shim, daemon := c.sender(evidence.SenderRuntime), c.sender(evidence.SenderDaemon)
	if shim == nil || c.lacksKill(shim) != yes {
		return nil
	}
	r := &refusal{code: "WS402", errno: errnoPermitted, conf: Certain, daemon: true,
		by: fmt.Sprintf("the runtime has no CAP_KILL, and PID 1 (%s) runs as user %d", name(c.root), c.t.Receiver.UID[0])}
	r.facts = append(r.facts, capFacts(shim)...)
	switch {
	case daemon == nil:
		r.conf = Likely // taken for no better than its runtime
	case c.lacksKill(daemon) == yes:
		r.by = fmt.Sprintf("the engine has no CAP_KILL, and PID 1 (%s) runs as user %d", name(c.root), c.t.Receiver.UID[0])
		r.facts = append(r.facts, capFacts(daemon)...)
	default:
		r.daemon = false
		r.facts = append(r.facts, capFacts(daemon)...)
	}
	r.facts = append(r.facts, Evidence{Source: fmt.Sprintf("/proc/%d/status", c.root.PID), Field: "Uid", Value: fmt.Sprint(c.t.Receiver.UID[0]), Says: "another user than the sender's"})
	r.fixes = []Fix{
		{When: FixHost, Text: "give CAP_KILL back to the engine: its unit's CapabilityBoundingSet, or the container that it runs in, leaves it out"},
		{When: FixRun, Text: "until then run the container's process as the engine's own user: the same user needs no capability"},
	}
	return r
}

// lacksKill tells whether the kernel refuses a signal of s to the receiver.
func (c *inspection) lacksKill(s *evidence.Sender) answer {
	to := c.t.Receiver
	if len(s.UID) < 4 || len(to.UID) < 4 {
		return perhaps
	}
	for _, from := range s.UID[:2] { // real and effective
		if from == to.UID[0] || from == to.UID[2] {
			return no
		}
	}
	has := canKill(s)
	same := s.UserNS == 0 || to.UserNS == 0 || s.UserNS == to.UserNS
	switch {
	case has == perhaps:
		return perhaps
	case has == yes && (same || s.UserNS == initialUserNS):
		return no
	case has == yes && to.UserNS == initialUserNS:
		return yes // a capability counts only in its own user namespace and below
	case has == yes:
		return perhaps
	case !same && to.UserNSOwner != nil && *to.UserNSOwner == s.UID[1]:
		return no // who has made a user namespace has all capabilities over it
	}
	return yes
}

// canKill reports whether a sender has CAP_KILL. The shim's is what it may give to
// the runtime: an exec as root gets all that the bounding set allows.
func canKill(s *evidence.Sender) answer {
	if s.CapEff == nil || s.CapBnd == nil {
		return perhaps
	}
	eff := *s.CapEff&capKill != 0
	if s.Role == evidence.SenderRuntime {
		eff = *s.CapBnd&capKill != 0 && (eff || s.UID[1] == 0)
	}
	if eff {
		return yes
	}
	return no
}

func capFacts(s *evidence.Sender) []Evidence {
	field, value := "CapEff", s.CapEff
	if s.Role == evidence.SenderRuntime {
		field, value = "CapBnd", s.CapBnd
	}
	if value == nil {
		return nil
	}
	says := bounded(s.Comm, 20) + " has CAP_KILL"
	if *value&capKill == 0 {
		says = bounded(s.Comm, 20) + " lacks CAP_KILL (bit 5)"
	}
	return []Evidence{{Source: fmt.Sprintf("/proc/%d/status", s.PID), Field: field, Value: fmt.Sprintf("%016x", *value), Says: says}}
}

// profileOf is the name in a label: "docker-default (enforce)" is AppArmor's form.
func profileOf(label string) string {
	name, _, _ := strings.Cut(label, " (")
	return name
}

// confined reports whether a label is one that restricts anything.
func confined(label string) bool {
	switch {
	case label == "", strings.HasPrefix(label, "unconfined"), strings.HasSuffix(label, "(unconfined)"), strings.HasSuffix(label, "(complain)"):
		return false
	case strings.Contains(label, ":unconfined_t:"), strings.Contains(label, ":spc_t:"):
		return false
	}
	return true
}

// deniable: a denial is in question, so the kernel's log is worth reading.
func deniable(t *evidence.Target) bool {
	return len(t.Refusals) > 0 || t.Receiver != nil && confined(t.Receiver.Label) || t.Container != nil && deniedText(t.Container.Error) != ""
}

// refusedByModule: a security module has refused such a signal before, and the
// profile is still the same. A label alone refuses nothing. It is likely at most:
// that the policy was loaded anew may stand elsewhere (auditd), and what has been
// written into the log cannot be asked again.
func (c *inspection) refusedByModule() *refusal {
	to := profileOf(c.t.Receiver.Label)
	if c.host.Security == nil || !confined(c.t.Receiver.Label) {
		return nil
	}
	daemonLabel := ""
	if d := c.sender(evidence.SenderDaemon); d != nil {
		daemonLabel = profileOf(d.Label)
	}
	var last *evidence.Denial
	r := &refusal{errno: errnoDenied, conf: Likely}
	for i := range c.host.Security.Denials {
		n := &c.host.Security.Denials[i]
		if n.Operation != "signal" || n.Void || n.Label != to && n.Label != c.t.Receiver.Label || !isEngines(n.Comm) {
			continue
		}
		last = n
		r.daemon = r.daemon || n.Comm == "dockerd" || n.Peer != "" && n.Peer == daemonLabel
	}
	if last == nil {
		return nil
	}
	r.code, r.by = "WS403", fmt.Sprintf("AppArmor's profile %s takes no signal from %s", bounded(to, 60), bounded(last.Peer, 60))
	if last.By == "selinux" {
		r.code, r.by = "WS404", fmt.Sprintf("SELinux lets %s not signal %s", bounded(last.Peer, 80), bounded(to, 80))
	}
	r.facts = append(r.facts, Evidence{Source: fmt.Sprintf("/proc/%d/attr/current", c.root.PID), Field: "label", Value: bounded(c.t.Receiver.Label, 120), Says: "what the container is confined by"})
	if d := c.sender(evidence.SenderDaemon); d != nil && d.Label != "" {
		r.facts = append(r.facts, Evidence{Source: fmt.Sprintf("/proc/%d/attr/current", d.PID), Field: "label", Value: bounded(d.Label, 120), Says: bounded(d.Comm, 20) + "'s"})
	}
	r.facts = append(r.facts, logFact(last))
	r.fixes = moduleFixes(last, to)
	return r
}

// isEngines reports whether a command's name is one that signals containers for an
// engine.
func isEngines(comm string) bool {
	return comm == "dockerd" || comm == "docker" || strings.Contains(comm, "runc") || comm == "crun" || comm == "podman" || strings.HasPrefix(comm, "containerd")
}

func logFact(n *evidence.Denial) Evidence {
	says := fmt.Sprintf("%s was refused %s", bounded(n.Comm, 20), bounded(n.Signal, 12))
	if n.At != nil {
		says += " at " + n.At.UTC().Format("2006-01-02 15:04:05") + " UTC"
	}
	return Evidence{Source: "kernel log", Field: n.By + " DENIED", Value: fmt.Sprintf("peer %s", bounded(n.Peer, 60)), Says: says}
}

func moduleFixes(n *evidence.Denial, profile string) []Fix {
	if n.By == "selinux" {
		return []Fix{{When: FixHost, Text: "see the whole record, and update container-selinux, whose policy it is", Command: "sudo ausearch -m avc -ts recent"}}
	}
	bare := text("running containers are no longer confined until they are started again")
	switch {
	case strings.HasPrefix(n.Peer, "snap."):
		return []Fix{{When: FixHost, Text: "the profile is another Docker's on this host, which knows no snap: unload it; the engine loads its own with the next start of a container. For good, remove one of the two packages", Command: "sudo aa-remove-unknown", Risk: bare}}
	case profileOf(n.Peer) == "runc" || strings.HasSuffix(n.Peer, "/runc"):
		return []Fix{{When: FixHost, Text: "update the engine: since May 2024 its profile takes signals from a confined runc (moby#47749; 26.1, 25.0, 23.0). Until then leave runc unconfined", Command: "sudo apparmor_parser -R /etc/apparmor.d/runc"}}
	case n.Peer == "unconfined":
		return []Fix{{When: FixHost, Text: "the profile takes no signal even from unconfined senders: unload it; the engine loads its own again", Command: "sudo aa-remove-unknown", Risk: bare}}
	}
	return []Fix{{When: FixHost, Text: fmt.Sprintf("allow it in the profile: signal (receive) peer=%s,", bounded(n.Peer, 60))}}
}

// refusedBefore: the runtime's own log tells of a signal to this container that
// was denied, and nothing says by whom.
func (c *inspection) refusedBefore() *refusal {
	if len(c.t.Refusals) == 0 {
		return nil
	}
	last := c.t.Refusals[len(c.t.Refusals)-1]
	r := &refusal{code: "WS401", errno: last.Errno, conf: Likely, by: "the runtime has met it before, and the reason is not told", daemon: c.daemonToo()}
	says := "the runtime's signal to this container was denied"
	if last.At != nil {
		says += " at " + last.At.Format("15:04:05") + " UTC"
	}
	r.facts = []Evidence{{Source: "log.json of the shim's bundle", Field: "msg", Value: last.Errno, Says: says}}
	r.facts = append(r.facts, c.suspects()...)
	r.fixes = []Fix{{When: FixHost, Text: "ask whoever runs what is named above; the kernel's log may say more", Command: "sudo dmesg | grep -iE 'denied|audit' | tail"}}
	return r
}

// daemonToo reports whether dockerd's direct SIGKILL is denied as well. It sends
// that 10 s after the runtime's, so a container that has outlived a refused stop
// (its SIGKILL comes 2 s after the refused stop signal) tells.
func (c *inspection) daemonToo() bool {
	const direct = 13 * time.Second
	for i := 1; i < len(c.t.Refusals); i++ {
		a, b := c.t.Refusals[i-1].At, c.t.Refusals[i].At
		if a == nil || b == nil || c.takenAt.IsZero() {
			continue
		}
		if gap := b.Sub(*a); gap >= time.Second && gap <= 4*time.Second && c.takenAt.Sub(*b) > direct {
			return true
		}
	}
	d, s := c.sender(evidence.SenderDaemon), c.sender(evidence.SenderRuntime)
	if d == nil || s == nil {
		return true
	}
	filtered := func(n *int) bool { return n != nil && *n == 2 }
	return filtered(d.Seccomp) && filtered(s.Seccomp) || confined(d.Label) && d.Label == s.Label
}

// suspects are what on this host can deny a signal or a start without writing it
// down.
func (c *inspection) suspects() []Evidence {
	var out []Evidence
	for _, s := range c.t.Senders {
		if s.Seccomp != nil && *s.Seccomp == 2 {
			out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/status", s.PID), Field: "Seccomp", Value: "2", Says: bounded(s.Comm, 20) + " runs under a seccomp filter, which may refuse kill(2)"})
		}
	}
	sec := c.host.Security
	if sec == nil {
		return out
	}
	if len(sec.Foreign) > 0 {
		out = append(out, Evidence{Source: "/proc/modules", Field: "out of tree", Value: list(sec.Foreign), Says: "foreign kernel modules; some deny what they take for an attack"})
	}
	if len(sec.BPF) > 0 {
		out = append(out, Evidence{Source: "bpf(2)", Field: "LSM programs", Value: list(sec.BPF), Says: "BPF programs that may deny"})
	}
	if m := slices.DeleteFunc(slices.Clone(sec.LSMs), harmlessLSM); len(m) > 0 {
		out = append(out, Evidence{Source: "/sys/kernel/security/lsm", Field: "modules", Value: list(m), Says: "security modules in use"})
	}
	return out
}

// harmlessLSM: modules that do not judge signals between other processes. Landlock
// does since Linux 6.12.
func harmlessLSM(name string) bool {
	return slices.Contains([]string{"capability", "lockdown", "yama", "integrity", "ima", "evm", "loadpin", "ipe"}, name)
}

// list is at most five words of a list.
func list(words []string) string {
	var out []string
	for _, w := range words[:min(len(words), 5)] {
		out = append(out, bounded(w, 40))
	}
	text := strings.Join(out, " ")
	if len(words) > 5 {
		text += fmt.Sprintf(" and %d more", len(words)-5)
	}
	return text
}

// filtered reports whether the runtime is under a seccomp filter, which may refuse
// kill(2); what it refuses cannot be read.
func (c *inspection) filtered() bool {
	s := c.sender(evidence.SenderRuntime)
	return s != nil && s.Seccomp != nil && *s.Seccomp == 2
}
