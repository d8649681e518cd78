package inside_test

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe"
	"github.com/whystuck/whystuck/pkg/probe/inside"
	"github.com/whystuck/whystuck/scripts/bed"
)

// program is a real process that a test looks into.
type program struct {
	t   testing.TB
	cmd *exec.Cmd
	out output
	in  io.WriteCloser
}

// output collects what a program prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs a program with an open standard input, in a process group of its
// own that ends with the test.
func start(t testing.TB, name string, args ...string) *program {
	t.Helper()
	bed.Require(t, "root")
	p := &program{t: t, cmd: exec.Command(name, args...)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		_ = p.cmd.Wait()
	})
	return p
}

// look is one look by the real prober, annotated.
func look(t testing.TB, pid int) (evidence.Process, []evidence.Gap) {
	t.Helper()
	ctx := context.Background()
	target, err := probe.New(probe.Config{}).PID(ctx, "test", pid)
	if err != nil {
		t.Fatal(err)
	}
	for i := range target.Processes {
		if p := &target.Processes[i]; p.PID == pid {
			return *p, inside.Annotate(ctx, p, "/proc")
		}
	}
	t.Fatalf("process %d not seen", pid)
	return evidence.Process{}, nil
}

// settled looks until ok, for at most five seconds.
func (p *program) settled(ok func(evidence.Process) bool) (evidence.Process, []evidence.Gap) {
	return settled(p.t, p.cmd.Process.Pid, ok)
}

func settled(t testing.TB, pid int, ok func(evidence.Process) bool) (evidence.Process, []evidence.Gap) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, gaps := look(t, pid)
		if ok(got) {
			return got, gaps
		}
		if time.Now().After(end) {
			t.Fatalf("process %d did not settle: %s %q %+v, gaps %+v", pid, got.State, leaderCall(got), got.Inside, gaps)
		}
	}
}

// leaderCall is the system call of the main thread.
func leaderCall(p evidence.Process) string {
	if len(p.Tasks) == 0 || p.Tasks[0].Syscall == nil {
		return ""
	}
	return p.Tasks[0].Syscall.Name
}

// says waits until the program has printed word, up to d.
func (p *program) says(word string, d time.Duration) bool {
	for end := time.Now().Add(d); ; time.Sleep(5 * time.Millisecond) {
		if strings.Contains(p.out.String(), word) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func show(b *bool) string {
	switch {
	case b == nil:
		return "nil"
	case *b:
		return "true"
	}
	return "false"
}
