package evidence

// Process is one thread group as /proc showed it. Numbers are the host's unless
// the name says ns.
type Process struct {
	PID  int `json:"pid"`
	PPID int `json:"ppid"`
	// NSPIDs is the NSpid line: the PID in each nested PID namespace, the host's
	// first, the innermost last. Empty: the kernel did not say.
	NSPIDs []int `json:"ns_pids,omitempty"`
	PGID   int   `json:"pgid"`
	SID    int   `json:"sid"`
	TTY    int   `json:"tty,omitempty"` // tty_nr of stat, 0: none
	// StartTicks is field 22 of stat: clock ticks since boot. It tells a reused PID.
	StartTicks uint64 `json:"start_ticks"`
	Comm       string `json:"comm"`
	// Argv is /proc/PID/cmdline split at NUL. nil: not read; empty: a kernel
	// thread or a dying process. Removed by redaction.
	Argv []string `json:"argv,omitempty"`
	// Exe is the target of /proc/PID/exe, as the process sees it. "" : not read.
	// Removed by redaction.
	Exe   string `json:"exe,omitempty"`
	State string `json:"state"` // R S D T t X Z P I, of the leader
	// Flags is field 9 of stat (PF_EXITING 0x4, PF_SIGNALED 0x400, ...).
	Flags     uint64 `json:"flags"`
	TracerPID int    `json:"tracer_pid,omitempty"`
	// TracerComm is the tracer's name, for the user.
	TracerComm string `json:"tracer_comm,omitempty"`
	// TracerState and TracerCall are the tracer's own state letter and system
	// call: one that is stopped, or does not sit in a wait, lets nothing go. ""
	// where they could not be read.
	TracerState string  `json:"tracer_state,omitempty"`
	TracerCall  string  `json:"tracer_call,omitempty"`
	CoreDumping *bool   `json:"core_dumping,omitempty"`
	Seccomp     *int    `json:"seccomp,omitempty"` // 0 off, 1 strict, 2 filter
	UID         []int   `json:"uid,omitempty"`     // real, effective, saved, fs
	CapEff      *uint64 `json:"cap_eff,omitempty"`
	// PIDNS is the inode of ns/pid; 0: not read.
	PIDNS uint64 `json:"pid_ns,omitempty"`
	// Zombies counts its dead children that it has not reaped. They are counted only
	// where the cgroup has many more tasks than are alive.
	Zombies int `json:"zombies,omitempty"`
	Threads int `json:"threads"` // of status; Tasks may hold fewer if some could not be read
	// Outside: the process is not in the container's cgroup but in its PID
	// namespace (or a host process named because it holds the target).
	Outside bool `json:"outside,omitempty"`
	// Brief: one of many alike siblings, of which only some were looked at in
	// full. Of this one stat and wchan alone were read: its masks hold signals 1 to
	// 31 and nothing is known of pending signals, argv, exe, status (NSPIDs, UID,
	// tracer), system call or stack. It has one thread, which blocks nothing.
	Brief bool `json:"brief,omitempty"`

	// Signals is what the kernel says of the whole thread group; nil where it
	// prints no Sig lines (gVisor) or status could not be read.
	Signals   *Signals   `json:"signals,omitempty"`
	Tasks     []Task     `json:"tasks"`
	SignalFDs []SignalFD `json:"signal_fds,omitempty"`
	// AIO are the file systems of its open files where it has a ring of asynchronous
	// requests (io_setup): its exit waits for all that is under way. nil: it has none,
	// or was not asked.
	AIO []About `json:"aio,omitempty"`
	// FDs 0..2 as link texts, for "blocked on stdout". Removed by redaction.
	Stdio []string `json:"stdio,omitempty"`

	// Program is who this is, decided by the catalog from argv, exe and comm
	// before redaction; nil until then.
	Program *Program `json:"program,omitempty"`
	// Kernel is what only the BPF iterator can say; nil without privilege.
	Kernel *Kernel `json:"kernel,omitempty"`
	// Inside is what the program's own ELF file and memory say; nil: not read.
	Inside *Inside `json:"inside,omitempty"`
}

// NSPID is the PID inside the innermost PID namespace, 0 when unknown.
func (p *Process) NSPID() int {
	if len(p.NSPIDs) == 0 {
		return 0
	}
	return p.NSPIDs[len(p.NSPIDs)-1]
}

// Signals are the masks that a thread group shares, from /proc/PID/status.
type Signals struct {
	Ignored SigSet `json:"ignored"` // SigIgn: SIG_IGN
	Caught  SigSet `json:"caught"`  // SigCgt: a handler
	Pending SigSet `json:"pending"` // ShdPnd: sent to the process
	// Queued and QueueLimit are SigQ; -1 where the line is absent.
	Queued     int `json:"queued"`
	QueueLimit int `json:"queue_limit"`
}

// Task is one thread.
type Task struct {
	TID   int    `json:"tid"`
	Comm  string `json:"comm,omitempty"`
	State string `json:"state"`
	// Wchan is the kernel function it sleeps in, "" when it runs, nil when the
	// kernel would not say. Compiler suffixes (.isra.0) are kept as printed.
	Wchan *string `json:"wchan,omitempty"`
	// Syscall is /proc/PID/task/TID/syscall; nil: not readable.
	Syscall *Syscall `json:"syscall,omitempty"`
	// Stack are the function names of /proc/.../stack, innermost first, without
	// offsets; nil: not readable.
	Stack []string `json:"stack,omitempty"`
	// Blocked is SigBlk. While the task sleeps in sigtimedwait the kernel has
	// taken the awaited signals out of it; in ppoll, pselect, epoll_pwait and
	// sigsuspend it is the call's own mask.
	Blocked *SigSet `json:"blocked,omitempty"`
	Pending *SigSet `json:"pending,omitempty"` // SigPnd: sent to this thread
	// Awaited is the set in the argument of rt_sigtimedwait, read from memory or
	// told by the kernel; nil: not known.
	Awaited *SigSet `json:"awaited,omitempty"`
	// VolSwitches and InvolSwitches of status; a D task with both unchanged
	// between two looks has not run.
	VolSwitches   uint64 `json:"vol_switches,omitempty"`
	InvolSwitches uint64 `json:"invol_switches,omitempty"`
	// UTicks and STicks are user and system time in clock ticks.
	UTicks uint64 `json:"uticks,omitempty"`
	STicks uint64 `json:"sticks,omitempty"`
	// Again is the second look at a task that was in D or R; nil: none taken.
	Again *SecondLook `json:"again,omitempty"`
	// About is the file and mount that a task which may hang is stuck on; nil: not
	// looked for, or not known.
	About *About `json:"about,omitempty"`
}

// SecondLook tells whether a task moved between two looks.
type SecondLook struct {
	AfterMillis int    `json:"after_ms"`
	State       string `json:"state"`
	Moved       bool   `json:"moved"` // a switch counter changed
	STicks      uint64 `json:"sticks,omitempty"`
	// SleptMillis is how long the task has not run at all, by se.exec_start of its
	// sched file against the observer's own; nil: not known.
	SleptMillis *int `json:"slept_ms,omitempty"`
}

// Syscall is the system call a sleeping task is in.
type Syscall struct {
	// Running: the kernel printed "running"; NR and Args mean nothing.
	Running bool `json:"running,omitempty"`
	// NR is the number, -1 when blocked outside a system call.
	NR   int      `json:"nr"`
	Name string   `json:"name,omitempty"` // "" when the number is not known on this architecture
	Args []uint64 `json:"args,omitempty"` // six
}

// SignalFD is one signalfd descriptor.
type SignalFD struct {
	FD   int    `json:"fd"`
	Mask SigSet `json:"mask"`
	// Watched: some thread waits for it now (a read, poll, select or an epoll
	// set that is being waited on). nil: could not be told.
	Watched *bool  `json:"watched,omitempty"`
	How     string `json:"how,omitempty"` // epoll, read, poll, select
}

// Program is who a process is, as far as the catalog knows.
type Program struct {
	// ID is the catalog row, e.g. "tini"; "" when unknown.
	ID string `json:"id"`
	// By is what decided: exe, argv, script, comm, elf.
	By string `json:"by,omitempty"`
	// Display is the short name to show: the script or program base name.
	Display string `json:"display,omitempty"`
	// Options are the command line facts that rules use, e.g. group=true.
	Options map[string]string `json:"options,omitempty"`
}

// Kernel is what the BPF task iterator says of a thread group.
type Kernel struct {
	// Unkillable is SIGNAL_UNKILLABLE: the init of a PID namespace.
	Unkillable *bool `json:"unkillable,omitempty"`
	// GroupExit is SIGNAL_GROUP_EXIT: it is dying.
	GroupExit *bool `json:"group_exit,omitempty"`
	// SharedPending is what is sent to the process, as Signals.Pending, but of
	// the same moment as Tasks.
	SharedPending SigSet `json:"shared_pending"`
	// Handlers by signal name ("SIGTERM"), for caught signals only.
	Handlers map[string]Handler `json:"handlers,omitempty"`
	Tasks    []KernelTask       `json:"tasks,omitempty"`
}

// Handler is one entry of sighand->action.
type Handler struct {
	Address uint64 `json:"address"`
	Flags   uint64 `json:"flags"` // SA_RESETHAND 0x80000000, SA_RESTART 0x10000000, ...
	// File and Offset: where the address lies in a mapped file; Symbol: its name
	// there, "" when stripped. File is removed by redaction.
	File   string `json:"file,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	Symbol string `json:"symbol,omitempty"`
}

// KernelTask is what the iterator says of one thread.
type KernelTask struct {
	TID   int    `json:"tid"`
	State uint64 `json:"state"` // task->__state
	// Blocked and RealBlocked: in sigtimedwait the awaited signals are those in
	// RealBlocked and not in Blocked; one that is awaited but in neither was
	// never blocked, and the init of a namespace drops it.
	Blocked     SigSet `json:"blocked"`
	RealBlocked SigSet `json:"real_blocked"`
	Pending     SigSet `json:"pending"`
	// Blocker is the TID that owns the lock it waits for, 0: not known.
	Blocker int `json:"blocker,omitempty"`
	// HeldAtExit: its tracer asked to stop it at its exit (PTRACE_O_TRACEEXIT).
	HeldAtExit bool `json:"held_at_exit,omitempty"`
}

// Inside is what a program's own file and memory say of its signal handling.
type Inside struct {
	Bash *BashInside `json:"bash,omitempty"`
	Node *NodeInside `json:"node,omitempty"`
	PHP  *PHPInside  `json:"php,omitempty"`
	Go   *GoInside   `json:"go,omitempty"`
}

// BashInside is read from the symbols that bash exports.
type BashInside struct {
	// Traps by name ("SIGTERM", "EXIT"). A trap that is set to ignore has Text "".
	Traps map[string]Trap `json:"traps,omitempty"`
	// Waiting: the shell sits in the `wait` builtin, where a trap runs at once;
	// false: it waits for a foreground command, and a trap is held back until
	// that ends. nil: not known, or it does not wait for a child.
	Waiting *bool `json:"waiting,omitempty"`
	// Reading: the shell sits in a read of its own. True: inside a builtin (read,
	// mapfile, source), where a trap runs at once; false: it reads its script or
	// a command substitution, and a trap is held back until something comes.
	// nil: not known, or it does not read.
	Reading *bool `json:"reading,omitempty"`
	// Running is the trap that bash runs at the moment ("SIGTERM", "EXIT"); "":
	// none. Its own text then has begun, and waits for what it started.
	Running string `json:"running,omitempty"`
}

// Trap is one shell trap.
type Trap struct {
	// Text is the trap's own text, hostile. Removed by redaction.
	Text string `json:"text"`
	// Truncated: Text is only the beginning, its end was not read.
	Truncated bool `json:"truncated,omitempty"`
	// Exits: the text surely ends the shell (`exit`, `exec`, or a kill of
	// itself); Code its exit code, nil if not plain. Forwards: it kills others.
	// The catalog fills these before redaction.
	Exits    bool `json:"exits"`
	Code     *int `json:"code,omitempty"`
	Forwards bool `json:"forwards,omitempty"`
	// Plain: the text was understood to its end: it runs quick commands only.
	Plain bool `json:"plain,omitempty"`
	// Waits: the text waits for the shell's children before it goes on.
	Waits   bool `json:"waits,omitempty"`
	Ignored bool `json:"ignored,omitempty"`
}

// NodeInside is read from libuv's uv__signal_tree.
type NodeInside struct {
	// UserHandlers are the signals that JavaScript code or a library listens for
	// through libuv. nil: the tree could not be read.
	UserHandlers []int `json:"user_handlers"`
}

// PHPInside is read from zend_signal_globals.
type PHPInside struct {
	UserHandlers []int `json:"user_handlers"`
}

// GoInside is read from the Go runtime.
type GoInside struct {
	Version string `json:"version,omitempty"` // from the build information, e.g. go1.22.1
	Path    string `json:"path,omitempty"`    // main package path. Removed by redaction.
	// Wanted is runtime.sig.wanted: the signals asked for by signal.Notify (and
	// not by Ignore: that clears the bit here). nil: no symbols.
	Wanted *SigSet `json:"wanted,omitempty"`
	// Ignored is runtime.sig.ignored: by signal.Ignore, or from the start.
	Ignored *SigSet `json:"ignored,omitempty"`
}
