package enginetest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// The shim itself hangs: it starts the runtime, and the file system with the
// runtime's program has fallen silent. The thread that forks waits in D for the
// child's execve.
func (l *lab) shimHangs(t *testing.T) {
	m := silent.ForTest(t)
	healing(t, m.Release)
	l.run(t, l.plain, "shim-d", "--runtime", "covered", "lab", "exit")
	uncover := l.cover(t, filepath.Join(m.Dir, "exec"))
	stop, kill, rm := l.later(l.plain, "stop", "-t", "1", "shim-d"), l.later(l.plain, "kill", "shim-d"), l.later(l.plain, "rm", "-f", "shim-d")
	time.Sleep(7 * time.Second)
	a := l.ask(t, l.plain, "shim-d")
	a.holds(t, "WS315", diagnose.Likely, "its fork", "fuse.silent")
	if strings.Contains(a.words(), "WS317") {
		t.Errorf("the shim's fork is taken for a second shim: %s", a.text())
	}
	for _, c := range []*command{stop, kill, rm} {
		c.waits(t)
	}
	a.abort(t)
	uncover()
	for _, c := range []*command{stop, kill, rm} {
		c.returns(t, 40*time.Second)
	}
	l.row(t, a, stop.sums()+", "+kill.sums()+", "+rm.sums())
}

// cover mounts a file over the program of the runtime "covered", until the returned
// function is called.
func (l *lab) cover(t *testing.T, with string) (uncover func()) {
	t.Helper()
	file := filepath.Join(l.runtimeDir, "covered")
	if err := unix.Mount(with, file, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	return healing(t, func() { _ = unix.Unmount(file, unix.MNT_DETACH) })
}
