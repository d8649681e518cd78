package enginetest

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// fenceArg makes this test program forbid itself signals to processes outside, by
// the security module Landlock, and execute the rest of its arguments.
const fenceArg = "-whystuck-fence"

// landlockScoped is the Landlock version that knows of signals (Linux 6.12).
const landlockScoped = 6

// fencedRuntime: a security module refuses what the runtime sends, without a word
// in the kernel's log, and nothing refuses dockerd's own SIGKILL.
func (l *lab) fencedRuntime(t *testing.T) {
	if v := landlockVersion(); v < landlockScoped {
		t.Skipf("SKIPPED: needs Landlock version %d, this kernel has %d", landlockScoped, v)
	}
	fenced := shellScript(t, `for word in "$@"; do
	[ "$word" != kill ] || exec `+self(t)+" "+fenceArg+` runc "$@"
done
exec runc "$@"`)
	d := labEngine(t, bed.Options{Args: []string{"--add-runtime", "fenced=" + fenced}})
	l.run(t, d, "fenced", "--runtime", "fenced", "lab", "exit")
	first := l.later(d, "stop", "-t", "1", "fenced")
	time.Sleep(4 * time.Second) // SIGTERM and SIGKILL have been refused by now
	a := l.ask(t, d, "fenced", "-t", "1")
	a.wants(t, diagnose.Refused, []string{"WS401"}, "operation not permitted")
	if a.Confidence == diagnose.Certain || a.Stop.ContainerEnds == nil || !*a.Stop.ContainerEnds {
		t.Errorf("%s, ends %v", a.Confidence, a.Stop.ContainerEnds)
	}
	l.hold(t, a, a.Stop.Command, first)
	if s := l.state(t, d, "fenced"); s != "exited 137" {
		t.Errorf("after dockerd's own SIGKILL: %s", s)
	}
}

// landlockVersion is 0 where the kernel has none.
func landlockVersion() int {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	v, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if e != 0 {
		return 0
	}
	return int(v)
}

// fence enters a Landlock domain with LANDLOCK_SCOPE_SIGNAL and becomes argv.
func fence(argv []string) error {
	runtime.LockOSThread() // the domain is this thread's
	rules := struct{ fs, net, scoped uint64 }{scoped: 1 << 1}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if e != 0 {
		return fmt.Errorf("making a Landlock ruleset: %w", e)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return fmt.Errorf("entering a Landlock domain: %w", e)
	}
	return become(argv)
}
