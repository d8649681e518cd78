// Package stoptest stops real containers with `whystuck stop`, each in a way of its
// own to hang, and holds its timeline, its proof and its comparison against what the
// kernel and Docker did.
//
// `make stop-test` runs it; `go test` alone skips it, because it leaves containers in
// state D while it runs. Every hang has a recovery that runs whatever happens. A new
// kind is one row in kinds_test.go. It has no code outside its tests.
package stoptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

func TestMain(m *testing.M) {
	bed.Suite(m, "WHYSTUCK_STOP", "make stop-test", 16)
}

// lab is one engine and the program under test.
type lab struct {
	*bed.Daemon
	binary string
}

func newLab(t testing.TB) *lab {
	t.Helper()
	bed.Require(t, "root", "docker", "gcc", "bash")
	l := &lab{Daemon: bed.StartDaemon(t), binary: bed.Whystuck(t)}
	files, err := bed.HostPrograms(t.Context(), "bash", "sleep")
	if err != nil {
		t.Fatal(err)
	}
	files["/siglab"], files["/mnt/"] = bed.StaticProgram(t), ""
	if err := l.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	return l
}

// start runs a container and returns its init's host PID.
func (l *lab) start(t testing.TB, name string, args ...string) int {
	t.Helper()
	if _, err := l.Run(t.Context(), append([]string{"--name", name}, args...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, errOut, code := l.Docker(context.Background(), "rm", "-f", "-v", name); code != 0 && !strings.Contains(errOut, "No such container") {
			t.Errorf("removing %s: %s", name, errOut)
		}
	})
	var pid int
	out, errOut, _ := l.Docker(t.Context(), "inspect", "-f", "{{.State.Pid}}", name)
	if _, err := fmt.Sscan(out, &pid); err != nil || pid < 2 {
		t.Fatalf("the PID of %s: %q %s", name, out, errOut)
	}
	return pid
}

// answer is what one run of whystuck came to.
type answer struct {
	report         diagnose.Report
	stdout, stderr string
	code           int
	took           time.Duration
	pid            int
}

// command prepares whystuck stop.
func (l *lab) command(ctx context.Context, args ...string) (cmd *exec.Cmd, out, errOut *bytes.Buffer) {
	cmd = exec.CommandContext(ctx, l.binary, append([]string{"stop"}, args...)...)
	cmd.Env, cmd.WaitDelay = l.Env(), time.Second
	out, errOut = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, errOut
	return cmd, out, errOut
}

// stop runs whystuck stop --json.
func (l *lab) stop(t testing.TB, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	cmd, out, errOut := l.command(ctx, append([]string{"--json"}, args...)...)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return l.finish(t, cmd, out, errOut, began)
}

func (l *lab) finish(t testing.TB, cmd *exec.Cmd, out, errOut *bytes.Buffer, began time.Time) answer {
	t.Helper()
	err := cmd.Wait()
	a := answer{stdout: out.String(), stderr: errOut.String(), took: time.Since(began), pid: cmd.Process.Pid}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, a.stderr)
	}
	a.code = cmd.ProcessState.ExitCode()
	if err := json.Unmarshal(out.Bytes(), &a.report); err != nil {
		t.Fatalf("%v: exit %d, %v\n%s%s", cmd.Args, a.code, err, a.stdout, a.stderr)
	}
	return a
}

// one is the only container of an answer.
func (a answer) one(t testing.TB) diagnose.Container {
	t.Helper()
	if len(a.report.Containers) != 1 || a.report.Containers[0].Observed == nil {
		t.Fatalf("no observed container in\n%s%s", a.stdout, a.stderr)
	}
	return a.report.Containers[0]
}

// timeline is the events of a container, a line each.
func timeline(c diagnose.Container) string {
	var b strings.Builder
	for _, e := range c.Observed.Events {
		fmt.Fprintf(&b, "%8.3f %-14s %d %s\n", e.AtSeconds, e.Source, e.PID, e.What)
	}
	return b.String()
}

// instances are the tracing instances there are, seen through a mount that ends
// with the command.
func instances(t testing.TB) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", "mount -t tracefs none /sys/kernel/tracing && ls /sys/kernel/tracing/instances").CombinedOutput()
	if err != nil {
		t.Fatalf("listing tracing instances: %v: %s", err, out)
	}
	return strings.Fields(string(out))
}

// instanceOf is the tracing instance of a process, "" for none.
func instanceOf(t testing.TB, pid int) string {
	for _, n := range instances(t) {
		if strings.HasPrefix(n, fmt.Sprintf("whystuck-%d-", pid)) {
			return n
		}
	}
	return ""
}
