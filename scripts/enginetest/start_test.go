package enginetest

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// abort takes the way out of a FUSE mount that does not answer. The control file
// system that it needs is the host's: another test may mount it and take it away
// again at any time.
func (a answer) abort(t *testing.T) {
	t.Helper()
	cmd := a.fix("/abort")
	if cmd == "" {
		t.Fatalf("no abort was printed:\n%s", a.text())
	}
	const dir = "/sys/fs/fuse/connections"
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	var out []byte
	ok := bed.Eventually(5*time.Second, func() bool {
		_ = unix.Mount("none", dir, "fusectl", 0, "") // EBUSY: it is there
		var err error
		out, err = exec.Command("sh", "-c", cmd).CombinedOutput()
		return err == nil
	})
	t.Logf("$ %s\n%s", cmd, out)
	if !ok {
		t.Errorf("%s has no effect", cmd)
	}
}

// The program's lookup hangs: runc create does not come back, the container is
// Created, and everything that is asked of it waits.
func (l *lab) startLookup(t *testing.T) {
	m := silent.ForTest(t)
	l.remove(t, l.plain, "lookup")
	healing(t, m.Release)
	l.docker(t, l.plain, "create", "--label", "whystuck.test=1", "--network", "none", "--name", "lookup", "-v", m.Dir+":/mnt", "--entrypoint", "/mnt/hang", "lab")
	start := l.later(l.plain, "start", "lookup")
	time.Sleep(6 * time.Second) // from 5 s on a wait is a long one
	a := l.ask(t, l.plain, "lookup")
	a.wants(t, diagnose.Stuck, []string{"WS322"}, "runc", "/mnt/hang", "exec.fifo", "fuse.silent")
	a.never(t)
	stop, rm := l.later(l.plain, "stop", "-t", "1", "lookup"), l.later(l.plain, "rm", "-f", "lookup")
	time.Sleep(3 * time.Second)
	start.waits(t)
	stop.waits(t)
	rm.waits(t)
	a.abort(t)
	start.returns(t, 30*time.Second)
	stop.returns(t, 30*time.Second)
	rm.returns(t, 30*time.Second)
	if start.code == 0 {
		t.Errorf("the start succeeded")
	}
	l.row(t, a, start.sums()+", "+stop.sums()+", "+rm.sums())
}

// A container that has run before, and whose next start hangs, is one that starts,
// although the list says exited.
func (l *lab) startAgain(t *testing.T) {
	m, dir := silent.ForTest(t), t.TempDir()
	sh(t, fmt.Sprintf("cp %s %s/hang", bed.StaticProgram(t), dir))
	l.remove(t, l.plain, "again")
	l.docker(t, l.plain, "create", "--label", "whystuck.test=1", "--network", "none", "--name", "again", "-v", dir+":/mnt", "--entrypoint", "/mnt/hang", "lab", "exit")
	l.docker(t, l.plain, "start", "again")
	l.docker(t, l.plain, "stop", "again")
	if err := unix.Mount(m.Dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	healing(t, func() { m.Release(); _ = unix.Unmount(dir, unix.MNT_DETACH) })
	start := l.later(l.plain, "start", "again")
	time.Sleep(8 * time.Second)
	a := l.ask(t, l.plain, "again")
	a.holds(t, "WS322", diagnose.Likely, "/mnt/hang", "fuse.silent")
	stop, rm := l.later(l.plain, "stop", "-t", "1", "again"), l.later(l.plain, "rm", "-f", "again")
	time.Sleep(2 * time.Second)
	for _, c := range []*command{start, stop, rm} {
		c.waits(t)
	}
	a.abort(t)
	for _, c := range []*command{start, stop, rm} {
		c.returns(t, 30*time.Second)
	}
	l.row(t, a, start.sums()+", "+stop.sums()+", "+rm.sums())
}

// The program's execve hangs: the container is Up and has not begun.
func (l *lab) startExec(t *testing.T) {
	m := silent.ForTest(t)
	healing(t, m.Release)
	pid := l.run(t, l.plain, "execve", "-v", m.Dir+":/mnt", "--entrypoint", "/mnt/exec", "lab")
	time.Sleep(6 * time.Second)
	a := l.ask(t, l.plain, "execve", "-t", "1")
	a.wants(t, diagnose.Stuck, []string{"WS323", "WS209"}, "/mnt/exec", "runc:[2:INIT]")
	stop := l.later(l.plain, "stop", "-t", "1", "execve")
	stop.returns(t, 40*time.Second)
	stop.told(t, a.Stop.Command)
	a.abort(t)
	if !bed.Eventually(10*time.Second, func() bool { return gone(pid) }) {
		t.Errorf("the way out did not free it")
	}
	if !bed.Eventually(10*time.Second, func() bool { return l.state(t, l.plain, "execve")[:6] == "exited" }) {
		t.Errorf("after the way out: %s", l.state(t, l.plain, "execve"))
	}
	l.row(t, a, stop.sums())
}

// dockerd itself hangs: it makes the directory of a bind mount, and that file
// system does not answer.
func (l *lab) startDaemon(t *testing.T) {
	m := silent.ForTest(t)
	l.remove(t, l.plain, "mkdir")
	healing(t, m.Release)
	run := l.later(l.plain, "run", "-d", "--label", "whystuck.test=1", "--network", "none", "--name", "mkdir", "-v", m.Dir+"/hang/sub:/data", "lab", "exit")
	time.Sleep(6 * time.Second)
	a := l.ask(t, l.plain, "mkdir")
	a.wants(t, diagnose.Stuck, []string{"WS311"}, fmt.Sprintf("/proc/%d/task/", l.plain.PID()), m.Dir)
	a.never(t)
	rm := l.later(l.plain, "rm", "-f", "mkdir")
	time.Sleep(3 * time.Second)
	run.waits(t)
	rm.waits(t)
	a.abort(t)
	run.returns(t, 30*time.Second)
	rm.returns(t, 30*time.Second)
	l.row(t, a, run.sums()+", "+rm.sums())
}
