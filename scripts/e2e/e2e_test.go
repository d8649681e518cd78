// Package e2e asks the real whystuck about real containers, then really stops
// them, and holds the one against the other. What is expected was measured with
// `docker stop`, never taken from whystuck's own output.
//
// It has no code outside its tests. A new case is one row in cases_test.go:
// write it with an empty truth, run
//
//	go test ./scripts/e2e -run 'TestEndToEnd/stop/NAME' -measure -v
//
// which stops the container without asking whystuck and prints what happened,
// and write that into the row.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

var measure = flag.Bool("measure", false, "only stop the containers and print what happened")

// Most of a case is waiting, so more run at a time than there are processors.
func TestMain(m *testing.M) {
	bed.Suite(m, "", "", 6)
}

// One engine serves all of it.
func TestEndToEnd(t *testing.T) {
	l := newLab(t)
	t.Run("stop", l.testStop)
	if *measure {
		return
	}
	t.Run("kill", l.testKill)
	t.Run("signal", l.testStopSignal)
	t.Run("hostile", l.testHostile)
	t.Run("several", l.testSeveral)
	t.Run("errors", l.testErrors)
}

// lab is what the tests share.
type lab struct {
	d      *bed.Daemon
	binary string   // whystuck, "" when measuring
	absent []string // programs that this machine lacks
}

// The images: "lab" has siglab alone, "shells" has these programs too.
var programs = []string{"sh=dash", "bash", "busybox", "tini", "docker-init", "dumb-init", "catatonit", "sleep", "cat", "true"}

func newLab(t *testing.T) *lab {
	bed.Require(t, "root", "docker", "gcc")
	l := &lab{}
	if !*measure {
		l.binary = bed.Whystuck(t)
	}
	l.d = bed.StartDaemon(t)
	siglab := map[string]string{"/siglab": bed.StaticProgram(t), "/tmp/": "", "/mnt/": ""}
	if err := l.d.Import(t.Context(), "lab", siglab, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	shells := maps.Clone(siglab)
	for _, p := range programs {
		files, err := bed.HostPrograms(t.Context(), p)
		if errors.Is(err, exec.ErrNotFound) {
			l.absent = append(l.absent, p)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(shells, files)
	}
	if err := l.d.Import(t.Context(), "shells", shells); err != nil {
		t.Fatal(err)
	}
	return l
}

// answer is what one run of whystuck gave.
type answer struct {
	stdout, stderr string
	code           int
}

// whystuck runs the program. It has to answer within 15 s whatever the
// container does: a run that hangs is a failure of its own.
func (l *lab) whystuck(t *testing.T, stdin string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Env = append(l.d.Env(), "NO_COLOR=1")
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("whystuck %s: %v (%v)\n%s%s", strings.Join(args, " "), err, ctx.Err(), out.String(), errOut.String())
	}
	if code := cmd.ProcessState.ExitCode(); code == 5 || strings.Contains(errOut.String(), "panic") {
		t.Errorf("whystuck %s: a bug of its own, exit %d\n%s", strings.Join(args, " "), code, errOut.String())
	}
	return answer{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// judge runs whystuck --json and gives its one container.
func (l *lab) judge(t *testing.T, stdin string, args ...string) (diagnose.Container, answer) {
	t.Helper()
	a := l.whystuck(t, stdin, append([]string{"--json"}, args...)...)
	var r diagnose.Report
	if err := json.Unmarshal([]byte(a.stdout), &r); err != nil {
		t.Fatalf("whystuck --json %s: %v\n%s%s", strings.Join(args, " "), err, a.stdout, a.stderr)
	}
	if r.Schema != diagnose.ReportSchema || len(r.Containers) != 1 {
		t.Fatalf("whystuck --json %s: schema %d, %d containers\n%s%s", strings.Join(args, " "), r.Schema, len(r.Containers), a.stdout, a.stderr)
	}
	return r.Containers[0], a
}

// docker runs a docker command that has to succeed.
func (l *lab) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, code := l.d.Docker(t.Context(), args...)
	if code != 0 {
		t.Fatalf("docker %s: exit %d: %s", strings.Join(args, " "), code, errOut)
	}
	return strings.TrimSpace(out)
}

// pid is the host PID of a container's PID 1, 0 when it does not run.
func (l *lab) pid(t *testing.T, name string) int {
	t.Helper()
	pid, err := strconv.Atoi(l.docker(t, "inspect", "-f", "{{.State.Pid}}", name))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// start runs a container that is removed with the test.
func (l *lab) start(t *testing.T, name string, args ...string) {
	t.Helper()
	l.removeAtEnd(t, name)
	if _, err := l.d.Run(t.Context(), append([]string{"--name", name}, args...)...); err != nil {
		t.Fatal(err)
	}
	settle(t, l.pid(t, name))
}

func (l *lab) removeAtEnd(t *testing.T, name string) {
	t.Cleanup(func() {
		// The test's own context is done by now.
		if _, errOut, code := l.d.Docker(context.Background(), "rm", "-f", "-v", name); code != 0 {
			t.Logf("removing %s: %s", name, errOut)
		}
	})
}
