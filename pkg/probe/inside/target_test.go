package inside

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestStillSame: a program that became another while it was read is noticed.
func TestStillSame(t *testing.T) {
	cmd := exec.Command("sh", "-c", "read x; exec sleep 60")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	time.Sleep(100 * time.Millisecond)
	target, err := openTarget(context.Background(), "/proc", &evidence.Process{PID: cmd.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	defer target.close()
	if err := target.stillSame(); err != nil {
		t.Fatalf("nothing happened yet: %v", err)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if target.stillSame() != nil {
			break
		}
	}
	if err := target.stillSame(); !errors.Is(err, errGone) {
		t.Errorf("after exec: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := target.stillSame(); gapKind(err) != evidence.GapGone {
		t.Errorf("after the end: %v", err)
	}
}

// TestPeek: what is read is bounded, whatever addresses a program holds.
func TestPeek(t *testing.T) {
	own := &evidence.Process{PID: os.Getpid()}
	target, err := openTarget(context.Background(), "/proc", own)
	if err != nil {
		t.Fatal(err)
	}
	defer target.close()
	for _, c := range []struct {
		addr uint64
		n    int
	}{{0, 8}, {1, 8}, {8, 8}, {^uint64(0), 8}, {^uint64(0) - 7, 8}, {1 << 63, 8}, {0xffffffff81000000, 8}, {0x1000, 0}, {0x1000, -1}, {0x400000, maxMemory + 1}} {
		if data, err := target.peek(c.addr, c.n); err == nil {
			t.Errorf("%d bytes at %#x: %x", c.n, c.addr, data)
		}
	}
	target.peeks = 0
	if _, err := target.peek(0x400000, 8); !errors.Is(err, errUnknown) {
		t.Errorf("no reads left: %v", err)
	}
}

// TestOtherProc: a /proc of another PID namespace has other processes by the
// same numbers; memory is not read by them.
func TestOtherProc(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("1", dir+"/self"); err != nil {
		t.Fatal(err)
	}
	p := &evidence.Process{PID: os.Getpid(), State: "S", Exe: "/bin/bash"}
	gaps := Annotate(context.Background(), p, dir)
	if p.Inside != nil || len(gaps) != 1 || gaps[0].Kind != evidence.GapSkipped || !strings.HasPrefix(gaps[0].Path, dir) {
		t.Errorf("%+v %+v", p.Inside, gaps)
	}
}
