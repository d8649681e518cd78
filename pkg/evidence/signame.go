package evidence

import "strconv"

// Signal numbers of Linux on x86, ARM and most others (signal(7)). They are
// spelt here because a snapshot of one host may be judged on another.
const (
	SIGHUP    = 1
	SIGINT    = 2
	SIGQUIT   = 3
	SIGILL    = 4
	SIGTRAP   = 5
	SIGABRT   = 6
	SIGBUS    = 7
	SIGFPE    = 8
	SIGKILL   = 9
	SIGUSR1   = 10
	SIGSEGV   = 11
	SIGUSR2   = 12
	SIGPIPE   = 13
	SIGALRM   = 14
	SIGTERM   = 15
	SIGSTKFLT = 16
	SIGCHLD   = 17
	SIGCONT   = 18
	SIGSTOP   = 19
	SIGTSTP   = 20
	SIGTTIN   = 21
	SIGTTOU   = 22
	SIGURG    = 23
	SIGXCPU   = 24
	SIGXFSZ   = 25
	SIGVTALRM = 26
	SIGPROF   = 27
	SIGWINCH  = 28
	SIGIO     = 29
	SIGPWR    = 30
	SIGSYS    = 31
	// SIGRTMIN and SIGRTMAX as libc and dockerd count them: 32 and 33 belong to
	// the threading library.
	SIGRTMIN = 34
	SIGRTMAX = 64
)

var signalNames = [...]string{
	SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
	SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
	SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
	SIGSTKFLT: "SIGSTKFLT", SIGCHLD: "SIGCHLD", SIGCONT: "SIGCONT", SIGSTOP: "SIGSTOP", SIGTSTP: "SIGTSTP",
	SIGTTIN: "SIGTTIN", SIGTTOU: "SIGTTOU", SIGURG: "SIGURG", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ",
	SIGVTALRM: "SIGVTALRM", SIGPROF: "SIGPROF", SIGWINCH: "SIGWINCH", SIGIO: "SIGIO", SIGPWR: "SIGPWR",
	SIGSYS: "SIGSYS",
}

// SignalName is the name of a signal number in Docker's spelling: "SIGTERM",
// "SIGRTMIN+3". 32 and 33, which libc keeps for itself, are "SIG32" and "SIG33".
func SignalName(n int) string {
	switch {
	case n >= 1 && n < len(signalNames):
		return signalNames[n]
	case n == SIGRTMIN:
		return "SIGRTMIN"
	case n == SIGRTMAX:
		return "SIGRTMAX"
	case n > SIGRTMIN && n <= SIGRTMIN+15:
		return "SIGRTMIN+" + strconv.Itoa(n-SIGRTMIN)
	case n > SIGRTMIN && n < SIGRTMAX:
		return "SIGRTMAX-" + strconv.Itoa(SIGRTMAX-n)
	}
	return "SIG" + strconv.Itoa(n)
}
