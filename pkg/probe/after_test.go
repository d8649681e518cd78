package probe

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

// inNamespace runs a shell as PID 1 of a PID namespace with a child, and gives what
// a look has of both.
func inNamespace(t *testing.T, p *Prober) (*exec.Cmd, *evidence.Target) {
	t.Helper()
	bed.Require(t, "root", "unshare", "sleep")
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", "sleep 100 & sleep 100; true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var target evidence.Target
	for range 200 {
		time.Sleep(10 * time.Millisecond)
		if kids := p.childrenNow(cmd.Process.Pid); len(kids) == 1 && len(p.childrenNow(kids[0])) == 2 {
			var err error
			if target, err = p.PID(t.Context(), "x", kids[0]); err != nil {
				t.Fatal(err)
			}
			return cmd, &target
		}
	}
	t.Fatal("it did not start")
	return nil, nil
}

func (p *Prober) childrenNow(pid int) []int {
	r := p.newReader()
	defer r.close()
	return slices.Clone(r.childrenOf(pid))
}

// What lives is found by its own number, by its namespace, and not once it is gone.
func TestAfter(t *testing.T) {
	p := New(Config{})
	cmd, target := inNamespace(t, p)
	b := p.Baseline(t.Context(), target)
	defer b.Close()
	a := p.After(t.Context(), b)
	if len(a.Seen) != 3 || len(a.Namespace) != 3 || a.NoNamespace || a.Shim != 0 {
		t.Errorf("while it lives: %+v", a)
	}
	// One that is forked after the look is known by its namespace alone.
	late := exec.Command("nsenter", "--target", fmt.Sprint(target.PID), "--pid", "sleep", "100")
	if err := late.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Process.Kill(); _ = late.Wait() }()
	var kid int
	for range 200 {
		time.Sleep(10 * time.Millisecond)
		if kids := p.childrenNow(late.Process.Pid); len(kids) == 1 {
			kid = kids[0]
			break
		}
	}
	if a = p.After(t.Context(), b); kid == 0 || !slices.Contains(a.Namespace, kid) || slices.Contains(a.Seen, kid) {
		t.Errorf("the late one (%d): %+v", kid, a)
	}
	if err := syscall.Kill(target.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	_ = late.Wait()
	for range 100 {
		if a = p.After(t.Context(), b); len(a.Tasks()) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(a.Tasks()) > 0 {
		t.Errorf("after its end: %+v", a)
	}
}

// A look that does not come back in time says so: nothing seen is not nothing there.
func TestAfterBlind(t *testing.T) {
	p := New(Config{})
	_, target := inNamespace(t, p)
	b := p.Baseline(t.Context(), target)
	defer b.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if a := p.After(over, b); !a.Blind || !a.NoCgroup {
		t.Errorf("with no time: %+v", a)
	}
	if a := p.After(t.Context(), b); a.Blind {
		t.Errorf("with time: %+v", a)
	}
}

// The number of a namespace that is gone is not given away while it is held: a
// container that takes its place is no survivor.
func TestAfterHoldsTheNamespace(t *testing.T) {
	p := New(Config{})
	cmd, target := inNamespace(t, p)
	b := p.Baseline(t.Context(), target)
	_ = syscall.Kill(target.PID, syscall.SIGKILL)
	_ = cmd.Wait()
	ns := b.ownNamespace()
	for range 30 {
		out, err := exec.CommandContext(t.Context(), "unshare", "--pid", "--fork", "readlink", "/proc/self/ns/pid_for_children").Output()
		if err != nil {
			t.Fatal(err)
		}
		if parseNS(strings.TrimSpace(string(out))) == ns {
			t.Fatal("the number was given away")
		}
	}
	b.Close()
	if ns == 0 {
		t.Fatal("nothing was held: the test tests nothing")
	}
}

func TestPending(t *testing.T) {
	p := New(Config{})
	cmd := exec.Command(bed.StaticProgram(t), "blocked")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pending := func() bool {
		got := p.Pending(context.Background(), cmd.Process.Pid, evidence.SIGTERM)
		return got != nil && *got
	}
	time.Sleep(200 * time.Millisecond)
	if pending() {
		t.Error("a signal waits that nobody has sent")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !pending() {
		t.Error("the signal that it blocks is not seen to wait")
	}
	if got := p.Pending(context.Background(), 1<<22-1, evidence.SIGTERM); got != nil {
		t.Errorf("of no process: %v", *got)
	}
}
