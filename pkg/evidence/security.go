package evidence

import "time"

// Security is what on this host may deny a signal or a start, besides the usual
// permissions. It is read only where a denial is in question.
type Security struct {
	// LSMs are the security modules in use, from /sys/kernel/security/lsm; nil: not
	// read.
	LSMs []string `json:"lsms,omitempty"`
	// Foreign are kernel modules that do not belong to the kernel's own tree.
	Foreign []string `json:"foreign_modules,omitempty"`
	// BPF are the loaded BPF programs of type LSM, by name.
	BPF []string `json:"bpf_lsm,omitempty"`
	// Denials are what the kernel's log says of denied signals and starts, oldest
	// first.
	Denials []Denial `json:"denials,omitempty"`
}

// Denial is one refusal that somebody has written down.
type Denial struct {
	// By is "apparmor", "selinux", or "runtime" where only the runtime's own log
	// tells of it.
	By string `json:"by"`
	// Operation is "signal", "exec", or another word of the module's.
	Operation string `json:"operation"`
	// Comm is the sender, Label the receiver's label (AppArmor's profile, SELinux's
	// target context), Peer the sender's.
	Comm  string `json:"comm,omitempty"`
	Label string `json:"label,omitempty"`
	Peer  string `json:"peer,omitempty"`
	// Signal as the module names it: term, kill, stp, ...
	Signal string `json:"signal,omitempty"`
	// Errno is "operation not permitted" or "permission denied"; "": not said.
	Errno string     `json:"errno,omitempty"`
	At    *time.Time `json:"at,omitempty"`
	// Void: the label's profile was loaded anew afterwards.
	Void bool `json:"void,omitempty"`
}

// Roles of a Sender.
const (
	SenderDaemon  = "daemon"  // the engine itself, which kills directly as its last resort
	SenderRuntime = "runtime" // the shim, whose child the runtime is that sends the signals
)

// Sender is a process of the engine that signals the container, or starts what
// does.
type Sender struct {
	Role string `json:"role"`
	Credentials
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
}

// Credentials are what the kernel asks for when one process signals another
// (kernel/signal.c check_kill_permission).
type Credentials struct {
	UID    []int   `json:"uid,omitempty"` // real, effective, saved, fs
	CapEff *uint64 `json:"cap_eff,omitempty"`
	// CapBnd bounds what an exec as root can have.
	CapBnd *uint64 `json:"cap_bnd,omitempty"`
	// UserNS is the inode of ns/user, 0: not read; UserNSOwner the user who made it.
	UserNS      uint64 `json:"user_ns,omitempty"`
	UserNSOwner *int   `json:"user_ns_owner,omitempty"`
	// Label is AppArmor's or SELinux's, e.g. "docker-default (enforce)"; "" where
	// there is none.
	Label   string `json:"label,omitempty"`
	Seccomp *int   `json:"seccomp,omitempty"` // 0 off, 1 strict, 2 filter
}
