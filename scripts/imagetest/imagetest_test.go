// Package imagetest tries `whystuck image` on real images of every kind, in an
// engine of its own: that each bad one fails for the right reason and no good one
// does, that what it says beforehand is what happens, and that nothing is left
// behind, however a run ends.
//
// `make image-test` runs it; `go test` alone skips it, because it takes two
// minutes. A new image is one row in images_test.go. It has no code outside its
// tests.
package imagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

func TestMain(m *testing.M) {
	bed.Suite(m, "WHYSTUCK_IMAGE", "make image-test", 5)
}

// label is on every container that whystuck makes.
const label = "io.whystuck.image"

// lab is what the tests share.
type lab struct {
	d      *bed.Daemon
	binary string
	env    []string // of the docker command and of whystuck
	dir    string   // where whystuck runs, and puts the capture of a wrong forecast
}

func newLab(t *testing.T) *lab {
	t.Helper()
	bed.Require(t, "root", "docker", "gcc", "bash", "dash", "busybox", "tini")
	l := &lab{binary: bed.Whystuck(t), d: bed.StartDaemon(t), dir: t.TempDir()}
	l.env = l.d.Env()
	l.base(t, l.d)
	return l
}

// base makes the image that all others are made from: siglab, shells, an init and
// the scripts.
func (l *lab) base(t *testing.T, d *bed.Daemon) {
	t.Helper()
	files := map[string]string{"/siglab": bed.StaticProgram(t), "/tmp/": "", "/data/": ""}
	programs, err := bed.HostPrograms(t.Context(), "sh=dash", "bash", "busybox", "tini", "sleep", "cat", "true", "test")
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, programs)
	dir := t.TempDir()
	for name, text := range scripts {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		files["/"+name] = file
	}
	if err := d.Import(t.Context(), "base", files); err != nil {
		t.Fatal(err)
	}
}

// image builds one from base.
func (l *lab) image(t *testing.T, name string, instructions ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", "build", "-q", "-t", name, "-")
	cmd.Env = append(l.env, "DOCKER_BUILDKIT=0")
	cmd.Stdin = strings.NewReader("FROM base\n" + strings.Join(instructions, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker build %s: %v\n%s", name, err, out)
	}
}

// answer is what one run of whystuck gave.
type answer struct {
	stdout, stderr string
	code           int
	took           time.Duration
	report         diagnose.Report // where --json was asked for
}

// runIn is how long a run may take at most.
const runIn = 100 * time.Second

// whystuck runs `whystuck image`.
func (l *lab) whystuck(t *testing.T, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runIn)
	defer cancel()
	cmd := l.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("whystuck image %s: %v (%v)\n%s%s", strings.Join(args, " "), err, ctx.Err(), out.String(), errOut.String())
	}
	a := answer{stdout: out.String(), stderr: errOut.String(), code: cmd.ProcessState.ExitCode(), took: time.Since(began)}
	if a.code == 5 || strings.Contains(a.stderr, "panic") {
		t.Errorf("whystuck image %s: a bug of its own\n%s", strings.Join(args, " "), a.stderr)
	}
	for _, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			if err := json.Unmarshal(out.Bytes(), &a.report); err != nil {
				t.Fatalf("whystuck image %s: %v\n%s%s", strings.Join(args, " "), err, a.stdout, a.stderr)
			}
		}
	}
	return a
}

func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.binary, append([]string{"image"}, args...)...)
	cmd.Env = append(l.env, "NO_COLOR=1", "HOME=/nonexistent")
	cmd.WaitDelay = time.Second
	cmd.Dir = l.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// one runs a single image and gives its part of the report.
func (l *lab) one(t *testing.T, args ...string) (diagnose.Container, answer) {
	t.Helper()
	a := l.whystuck(t, append([]string{"--json"}, args...)...)
	if len(a.report.Containers) != 1 {
		t.Fatalf("whystuck image %s: %d containers\n%s%s", strings.Join(args, " "), len(a.report.Containers), a.stdout, a.stderr)
	}
	return a.report.Containers[0], a
}

// docker runs a docker command that has to succeed.
func (l *lab) docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = l.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// ours are the ids of the containers that whystuck has made and not removed.
func (l *lab) ours(t *testing.T) []string {
	t.Helper()
	return strings.Fields(l.docker(t, "ps", "-aq", "--no-trunc", "--filter", "label="+label))
}

// nothingLeft: no container and no volume of a run is there.
func (l *lab) nothingLeft(t *testing.T) {
	t.Helper()
	if ids := l.ours(t); len(ids) > 0 {
		t.Errorf("containers are left:\n%s", l.docker(t, "ps", "-a", "--filter", "label="+label))
	}
	if volumes := l.docker(t, "volume", "ls", "-q"); volumes != "" {
		t.Errorf("volumes are left: %s", volumes)
	}
}

func codes(c diagnose.Container) []string {
	var out []string
	for _, f := range c.Findings {
		out = append(out, f.Code)
	}
	return out
}
