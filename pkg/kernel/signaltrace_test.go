package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/scripts/bed"
)

// A signal that is sent is told, with the kernel's own word on it.
func TestSignalTrace(t *testing.T) {
	bed.Require(t, "root", "sleep")
	tr, err := TraceSignals()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := cmd.Process.Pid
	if err := tr.Follow([]int{9, 15}, []int{pid}); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	events, err := tr.Read()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e SignalEvent) bool { return !e.Delivered && e.Signal == 15 && e.Target == pid })
	if i < 0 {
		t.Fatalf("not seen: %+v", events)
	}
	if e := events[i]; e.Result != SignalQueued || e.At.Before(sent.Add(-10*time.Millisecond)) || e.At.After(time.Now()) {
		t.Errorf("%+v, sent at %v", e, sent)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if left := ourInstances(t); slices.Contains(left, strings.TrimPrefix(tr.name, "instances/")) {
		t.Errorf("left behind: %v", left)
	}
}

// Signals that never cease do not hold the reader.
func TestReadIsBounded(t *testing.T) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(ends[0]); _ = unix.Close(ends[1]) }()
	if _, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, 1<<20); err != nil {
		t.Skip(err)
	}
	line := headText + "signal_generate: sig=10 errno=0 code=0 comm=a pid=2 grp=1 res=0\n"
	const lines = 7000
	if n, err := unix.Write(ends[1], []byte(strings.Repeat(line, lines))); err != nil || n != lines*len(line) {
		t.Fatal(n, err)
	}
	tr, all := &SignalTrace{pipe: ends[0]}, 0
	for range 3 {
		events, err := tr.Read()
		if err != nil || len(events) > maxSignalsRead+(64<<10)/len(line)+1 {
			t.Errorf("%d at once, %v", len(events), err)
		}
		all += len(events)
	}
	if all != lines {
		t.Errorf("%d of %d lines", all, lines)
	}
}

// What a whystuck that was killed has left is removed by the next, and that of one
// that lives is not.
func TestSweep(t *testing.T) {
	bed.Require(t, "root")
	tracefs, err := openTracefs()
	if err != nil {
		t.Fatal(err)
	}
	defer tracefs.Close()
	start, _ := startTicks(os.Getpid())
	dead := fmt.Sprintf("%s%d-%d-1", instancePrefix, os.Getpid(), start-1) // the PID was given to us since
	living := fmt.Sprintf("%s%d-%d-999", instancePrefix, os.Getpid(), start)
	for _, n := range []string{dead, living} {
		if err := unix.Mkdirat(int(tracefs.Fd()), "instances/"+n, 0o700); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Unlinkat(int(tracefs.Fd()), "instances/"+n, unix.AT_REMOVEDIR) }()
	}
	tr, err := TraceSignals()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	left := ourInstances(t)
	if slices.Contains(left, dead) || !slices.Contains(left, living) {
		t.Errorf("left %v; want %s gone and %s there", left, dead, living)
	}
}

func TestAbandoned(t *testing.T) {
	for _, n := range []string{"other", "whystuck-", "whystuck-1-2", "whystuck-x-2-3", "whystuck-1-x-3"} {
		if abandoned(n) {
			t.Errorf("%s is taken for ours", n)
		}
	}
}

func ourInstances(t *testing.T) []string {
	t.Helper()
	tracefs, err := openTracefs()
	if err != nil {
		t.Fatal(err)
	}
	defer tracefs.Close()
	fd, err := unix.Openat(int(tracefs.Fd()), "instances", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := os.NewFile(uintptr(fd), "instances")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, instancePrefix) })
}
