// Package hang makes containers hang for real, each on a thing of its own, and
// holds what whystuck says of them against what SIGKILL, Docker and the way out
// then really do. Killable look-alikes stand beside them.
//
// `make hang` runs it; `go test` alone skips it, because it needs a minute and
// leaves containers in state D while it runs. Every hang has a recovery that
// runs whatever happens: FUSE and autofs servers live in this process and end
// with it, a frozen file system or cgroup has a guard process that thaws when
// this one is gone, tracers are killed by the kernel with their parent.
//
// A new scenario is one row in scenes_test.go. It has no code outside its tests.
package hang

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		serve(dir) // this process is the FUSE server of a test
	}
	bed.Suite(m, "WHYSTUCK_HANG", "make hang", 6)
}

// lab is what all scenarios share.
type lab struct {
	d      *bed.Daemon
	binary string
	siglab string

	mu   sync.Mutex
	rows []string
	// slowest is the longest that whystuck has taken.
	slowest time.Duration
	pids    []int // every task that was seen in a container, and every tracer
}

func TestHang(t *testing.T) {
	bed.Require(t, "root", "docker", "gcc", "fuse", "mkfs.ext4", "fsfreeze")
	l := &lab{siglab: bed.StaticProgram(t), binary: bed.Whystuck(t), d: bed.StartDaemon(t)}
	files := map[string]string{"/siglab": l.siglab, "/mnt/": "", "/data/": ""}
	if err := l.d.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	mountFusectl(t)
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes(bed.AtLeast(t, 24, 0)) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				l.play(t, s)
			})
		}
	})
	slices.Sort(l.rows)
	fmt.Printf("%-20s %-28s %-28s %-40s %s\n%s\n", "scenario", "before SIGKILL", "after SIGKILL", "docker", "freed", strings.Join(l.rows, "\n"))
	fmt.Printf("the slowest answer took %.1f s\n", l.slowest.Seconds())
	l.nobodyLeft(t)
}

// nobodyLeft: no task of ours is stopped, traced, stuck or a zombie.
func (l *lab) nobodyLeft(t *testing.T) {
	for _, pid := range l.pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || !bytes.Contains(stat, []byte("(siglab)")) {
			continue // gone, or the number is another's by now
		}
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if strings.ContainsRune("DTtZ", rune(rest[0])) {
			t.Errorf("task %d is left in state %c", pid, rest[0])
		}
	}
}

// answerIn is how long whystuck may take; what a busy machine adds is measured.
const answerIn = 2 * time.Second

// lateness measures for how long a thread of this process that wanted to run had to
// wait for a CPU, in all, until the function that it returns is called.
func lateness() func() time.Duration {
	const nap = 5 * time.Millisecond
	stop, total := make(chan struct{}), make(chan time.Duration)
	go func() {
		late := time.Duration(0)
		for {
			before := time.Now()
			select {
			case <-stop:
				total <- late
				return
			case <-time.After(nap):
				late += time.Since(before) - nap
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		return <-total
	}
}

// ask runs whystuck --json over containers and takes its time; the answers come
// in the order of the names.
func (l *lab) ask(t *testing.T, names ...string) []diagnose.Container {
	t.Helper()
	return l.askBy(t, "", names...)
}

// askBy is ask by fewer sources ("proc"; "": all there are).
func (l *lab) askBy(t *testing.T, sources string, names ...string) []diagnose.Container {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.binary, append([]string{"--json", "-t", "2"}, names...)...)
	cmd.Env, cmd.WaitDelay = append(l.d.Env(), "WHYSTUCK_SOURCES="+sources), time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	late := lateness()
	start := time.Now()
	err := cmd.Run()
	took, waited := time.Since(start), late()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("whystuck %v: %v\n%s", names, err, errOut.String())
	}
	var r diagnose.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r.Containers) != len(names) {
		t.Fatalf("whystuck --json %v: %v\n%s%s", names, err, out.String(), errOut.String())
	}
	if took > answerIn+waited {
		t.Errorf("whystuck took %v, on a machine that kept a thread waiting for %v meanwhile", took, waited)
	}
	// It was waited for, so that no thread of it is left in a read that hangs.
	if !gone(cmd.Process.Pid) {
		t.Errorf("whystuck, PID %d, is still there", cmd.Process.Pid)
	}
	slices.SortFunc(r.Containers, func(a, b diagnose.Container) int {
		return slices.Index(names, a.Target) - slices.Index(names, b.Target)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, took)
	for _, c := range r.Containers {
		for _, p := range c.Processes {
			l.pids = append(l.pids, p.PID)
			for _, t := range p.Tasks {
				l.pids = append(l.pids, t.TID)
			}
		}
	}
	return r.Containers
}

// record writes a capture into the directory that WHYSTUCK_RECORD names: test data
// for the judgement.
func (l *lab) record(t *testing.T, name, file string) {
	dir := os.Getenv("WHYSTUCK_RECORD")
	if dir == "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), l.binary, "capture", name)
	cmd.Env, cmd.WaitDelay = l.d.Env(), time.Second
	out, err := cmd.Output()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, file+".json"), out, 0o644)
	}
	if err != nil {
		t.Errorf("recording %s: %v", file, err)
	}
}

// docker runs a docker command that has to succeed.
func (l *lab) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, code := l.d.Docker(context.Background(), args...)
	if code != 0 {
		t.Fatalf("docker %s: exit %d: %s", strings.Join(args, " "), code, errOut)
	}
	return strings.TrimSpace(out)
}

func (l *lab) pid(t *testing.T, name string) int {
	t.Helper()
	pid, err := strconv.Atoi(l.docker(t, "inspect", "-f", "{{.State.Pid}}", name))
	if err != nil || pid < 2 {
		t.Fatalf("the PID of %s: %d, %v", name, pid, err)
	}
	return pid
}

// gone reports whether a process has ended and was reaped.
func gone(pid int) bool { return syscall.Kill(pid, 0) != nil }
