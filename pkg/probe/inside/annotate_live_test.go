package inside_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe/inside"
	"github.com/whystuck/whystuck/scripts/bed"
)

// waitingBash is a bash with traps, and how it looks.
func waitingBash(t *testing.T) evidence.Process {
	t.Helper()
	bed.Require(t, "bash")
	p := startBash(t, "sleep 60 & wait", nil)
	got, _ := p.settled(func(e evidence.Process) bool { return e.Inside != nil && show(e.Inside.Bash.Waiting) == "true" })
	got.Inside = nil
	return got
}

func TestNotRead(t *testing.T) {
	bash := waitingBash(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		change func(p *evidence.Process)
		kind   string
	}{
		{"reused number", context.Background(), func(p *evidence.Process) { p.StartTicks++ }, evidence.GapGone},
		{"no such process", context.Background(), func(p *evidence.Process) { p.PID = 1 << 30 }, evidence.GapGone},
		{"stopped", context.Background(), func(p *evidence.Process) { p.State = "T" }, evidence.GapSkipped},
		{"dying", context.Background(), func(p *evidence.Process) { p.Flags |= 4 }, evidence.GapSkipped},
		{"cancelled", ended, func(*evidence.Process) {}, evidence.GapTimeout},
	} {
		p := bash
		c.change(&p)
		gaps := inside.Annotate(c.ctx, &p, "/proc")
		if p.Inside != nil || len(gaps) != 1 || gaps[0].Kind != c.kind {
			t.Errorf("%s: %+v %+v", c.name, p.Inside, gaps)
		}
	}
}

const nobodyLooks = "WHYSTUCK_INSIDE_TEST_PID"

// TestHelperNobody is not a test: TestNobody runs it as another user.
func TestHelperNobody(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv(nobodyLooks))
	if err != nil {
		t.Skip("helper of TestNobody")
	}
	p := evidence.Process{PID: pid, State: "S", Argv: []string{"bash"}, Signals: &evidence.Signals{}}
	gaps := inside.Annotate(context.Background(), &p, "/proc")
	if err := json.NewEncoder(os.NewFile(3, "result")).Encode(gaps); err != nil || p.Inside != nil {
		t.Fatal(err, p.Inside)
	}
}

// TestNobody: without ptrace access nothing is read, and that is said.
func TestNobody(t *testing.T) {
	bash := waitingBash(t)
	dir, err := os.MkdirTemp("", "whystuck-nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	bin := filepath.Join(dir, "inside.test")
	if err := os.WriteFile(bin, readFile(t, "/proc/self/exe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	result, err := os.Create(filepath.Join(dir, "gaps"))
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	var out bytes.Buffer
	cmd := exec.Command(bin, "-test.run", "^TestHelperNobody$")
	cmd.Env = []string{nobodyLooks + "=" + strconv.Itoa(bash.PID)}
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = "/", &out, &out, []*os.File{result}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	var gaps []evidence.Gap
	if err := json.Unmarshal(readFile(t, result.Name()), &gaps); err != nil || len(gaps) != 1 || gaps[0].Kind != evidence.GapDenied {
		t.Errorf("%+v %v", gaps, err)
	}
}

// served is a program file that counts how often it is opened and read.
type served struct {
	fs.Inode
	data  []byte
	asked atomic.Int64
}

func (s *served) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	s.asked.Add(1)
	out.Mode, out.Size = 0o555, uint64(len(s.data))
	return 0
}

func (s *served) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	s.asked.Add(1)
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

func (s *served) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	s.asked.Add(1)
	end := min(int(off)+len(dest), len(s.data))
	return fuse.ReadResultData(s.data[min(int(off), end):end]), 0
}

// TestFUSE: the program file of a container on FUSE is never asked for anything;
// a server that does not answer would hold the look in state D.
func TestFUSE(t *testing.T) {
	bed.Require(t, "root", "fuse")
	file := &served{data: readFile(t, bed.StaticProgram(t))}
	root := &fs.Inode{}
	dir, second := t.TempDir(), time.Duration(0)
	server, err := fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true}, AttrTimeout: &second,
		OnAdd: func(ctx context.Context) {
			root.AddChild("bash", root.NewPersistentInode(ctx, file, fs.StableAttr{Mode: fuse.S_IFREG}), true)
		},
	})
	if err != nil {
		t.Skipf("SKIPPED: cannot mount FUSE: %v", err)
	}
	t.Cleanup(func() {
		for range 100 {
			if server.Unmount() == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("FUSE mount stays")
	})
	keepToOurselves(t, "/dev/fuse")
	p := start(t, filepath.Join(dir, "bash"), "default")
	if !p.says("READY", 5*time.Second) {
		t.Fatal("program did not start")
	}
	got, _ := look(t, p.cmd.Process.Pid)
	before := file.asked.Load()
	gaps := inside.Annotate(context.Background(), &got, "/proc")
	if got.Inside != nil || len(gaps) != 1 || gaps[0].Kind != evidence.GapSkipped || filepath.Base(gaps[0].Path) != "exe" {
		t.Errorf("%+v %+v", got.Inside, gaps)
	}
	if n := file.asked.Load() - before; n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// keepToOurselves closes descriptors of a file on exec: a child that inherits
// /dev/fuse would keep the connection alive after our death.
func keepToOurselves(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if text, _ := os.Readlink("/proc/self/fd/" + e.Name()); text == file {
			fd, _ := strconv.Atoi(e.Name())
			syscall.CloseOnExec(fd)
		}
	}
}
