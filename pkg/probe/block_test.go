package probe

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// silent is a file whose contents do not come until the test ends.
type silent struct {
	fs.Inode
	answer chan struct{}
}

func (s *silent) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o444, 4096
	return 0
}

func (s *silent) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, 0
}

func (s *silent) Read(context.Context, fs.FileHandle, []byte, int64) (fuse.ReadResult, syscall.Errno) {
	<-s.answer
	return nil, syscall.EIO
}

// silentFile mounts a FUSE file system with one silent file and gives its path,
// and how to make it answer. The server is this process: when it ends, however
// it does, the kernel aborts all requests and nothing stays in D.
func silentFile(t *testing.T) (path string, answer func()) {
	t.Helper()
	needRoot(t)
	need(t, "fuse", exists("/dev/fuse"))
	root := &fs.Inode{}
	file := &silent{answer: make(chan struct{})}
	dir := t.TempDir()
	server, err := fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true},
		OnAdd: func(ctx context.Context) {
			root.AddChild("page", root.NewPersistentInode(ctx, file, fs.StableAttr{Mode: fuse.S_IFREG}), true)
		},
	})
	if err != nil {
		t.Skipf("SKIPPED: cannot mount FUSE: %v", err)
	}
	keepToOurselves(t, "/dev/fuse")
	answer = sync.OnceFunc(func() { close(file.answer) })
	t.Cleanup(func() {
		answer()
		eventually(t, "unmount", func() bool { return server.Unmount() == nil })
	})
	return dir + "/page", answer
}

// keepToOurselves closes descriptors of a file on exec. go-fuse opens /dev/fuse
// without: a child that inherits it keeps the connection alive after our death,
// and hangs on itself for ever.
func keepToOurselves(t *testing.T, file string) {
	t.Helper()
	fds, _, err := numbers("/proc/self/fd", maxFDs)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if text, _ := readLink("/proc/self/fd/" + strconv.Itoa(fd)); text == file {
			syscall.CloseOnExec(fd)
		}
	}
}

// cmdline waits behind the writer that waits for the target's mmap lock. The
// look answers in time, says what is missing, and has all the rest.
func TestMmapLockHeld(t *testing.T) {
	if testing.Short() {
		t.Skip("real hang")
	}
	file, answer := silentFile(t)
	target, pid, took := lookAtMapLock(t, file, answer)
	if took > 2*time.Second {
		t.Errorf("the look took %v", took)
	}
	p := process(t, target, pid)
	if p.State != "S" || p.Signals == nil || p.Tasks[0].Syscall == nil {
		t.Errorf("the harmless part is not there: %+v", p)
	}
	g := gapOf(target, evidence.GapTimeout, "cmdline")
	if p.Argv != nil || g == nil {
		t.Fatalf("argv %q, gaps %+v: did it hang at all?", p.Argv, target.Gaps)
	}
	t.Logf("answered in %v with %+v", took, *g)
}

func lookAtMapLock(t *testing.T, file string, answer func()) (*evidence.Target, int, time.Duration) {
	t.Helper()
	cmd, words := running(t, nil, "maplock", file)
	t.Cleanup(answer) // before the children are waited for
	pid := cmd.Process.Pid
	waiter, _ := strconv.Atoi(words[1])
	eventually(t, "a writer waits for the lock", func() bool { return stateOf(waiter) == "D" })
	eventually(t, "the innocent asleep", func() bool { return asleep(pid) && inCall(t, pid, "pause") })
	begin := time.Now()
	target, err := New(Config{}).PID(context.Background(), "x", pid)
	if err != nil {
		t.Fatal(err)
	}
	return &target, pid, time.Since(begin)
}

// Whatever hangs, the deadline of the whole look holds.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	begin := time.Now()
	target, err := New(Config{}).PID(ctx, "x", os.Getpid())
	if err == nil && len(target.Processes) != 0 && len(target.Gaps) == 0 || time.Since(begin) > time.Second {
		t.Errorf("error %v, %d processes, %v", err, len(target.Processes), time.Since(begin))
	}
}

func TestBatchGoesOnWhileOthersHang(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	b := runBatch(context.Background(), 100, 100*time.Millisecond, func(i int) int {
		if i == 0 || i == 3 {
			<-release
		}
		return i
	})
	for i := range 100 {
		v, ok := b.result(i)
		if hangs := i == 0 || i == 3; ok == hangs || ok && v != i {
			t.Errorf("slot %d: %d, %v", i, v, ok)
		}
	}
}

func TestBatchWhereAllHang(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	begin := time.Now()
	b := runBatch(context.Background(), 100, 50*time.Millisecond, func(int) int {
		<-release
		return 1
	})
	if took := time.Since(begin); took > time.Second {
		t.Errorf("gave up after %v", took)
	}
	if n := b.next.Load(); n > maxWorkers {
		t.Errorf("%d workers hang, want at most %d", n, maxWorkers)
	}
}

func TestBatchPanicsInTheCaller(t *testing.T) {
	want := errors.New("boom")
	b := runBatch(context.Background(), 1, time.Second, func(int) int { panic(want) })
	if bug := beside.Catch(func() { b.result(0) }); bug == nil || bug.Value != want {
		t.Errorf("caught %v", bug)
	}
}
