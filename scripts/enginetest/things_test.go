package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

// deadline is when a scene's recovery runs, whatever it is doing.
const deadline = 100 * time.Second

// healing runs a recovery at the end of the scene, or at its deadline, once.
func healing(t *testing.T, f func()) (heal func()) {
	heal = sync.OnceFunc(f)
	watchdog := time.AfterFunc(deadline, heal)
	t.Cleanup(func() { watchdog.Stop(); heal() })
	return heal
}

// hold stops a process until the returned function is called, or the scene ends.
func hold(t *testing.T, pid int) (heal func()) {
	t.Helper()
	heal = healing(t, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Each thread stops when it next runs, which takes its time on a busy machine.
	if !bed.Eventually(10*time.Second, func() bool { return allStopped(pid) }) {
		t.Fatalf("process %d does not stop", pid)
	}
	return heal
}

func allStopped(pid int) bool {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, file := range stats {
		if b, err := os.ReadFile(file); err == nil && !strings.Contains(string(b), ") T ") {
			return false
		}
	}
	return len(stats) > 0
}

// run starts a container of the lab image that is removed with the scene.
func (l *lab) run(t *testing.T, d *bed.Daemon, name string, args ...string) (pid int) {
	t.Helper()
	l.remove(t, d, name)
	if _, err := d.Run(t.Context(), append([]string{"--name", name}, args...)...); err != nil {
		t.Fatal(err)
	}
	return l.pid(t, d, name)
}

// remove has a container removed with the scene.
func (l *lab) remove(t *testing.T, d *bed.Daemon, name string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		if _, errOut, code := d.Docker(ctx, "rm", "-f", "-v", name); code != 0 && !strings.Contains(errOut, "No such container") {
			t.Errorf("removing %s: %s", name, errOut)
		}
	})
}

// docker runs a docker command that has to succeed.
func (l *lab) docker(t *testing.T, d *bed.Daemon, args ...string) string {
	t.Helper()
	out, errOut, code := d.Docker(context.Background(), args...)
	if code != 0 {
		t.Fatalf("docker %s: exit %d: %s", strings.Join(args, " "), code, errOut)
	}
	return strings.TrimSpace(out)
}

func (l *lab) pid(t *testing.T, d *bed.Daemon, name string) int {
	t.Helper()
	pid, err := strconv.Atoi(l.docker(t, d, "inspect", "-f", "{{.State.Pid}}", name))
	if err != nil || pid < 2 {
		t.Fatalf("the PID of %s: %d, %v", name, pid, err)
	}
	return pid
}

func (l *lab) id(t *testing.T, d *bed.Daemon, name string) string {
	t.Helper()
	return l.docker(t, d, "inspect", "-f", "{{.Id}}", name)
}

// state is what docker says of a container.
func (l *lab) state(t *testing.T, d *bed.Daemon, name string) string {
	t.Helper()
	return l.docker(t, d, "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name)
}

// shims are the shims of a container, by its id.
func shims(id string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(filepath.Base(strings.SplitN(string(b), "\x00", 2)[0]), "containerd-shim") || !strings.Contains(string(b), "\x00"+id+"\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// shim is the one shim of a container.
func (l *lab) shim(t *testing.T, d *bed.Daemon, name string) int {
	t.Helper()
	pids := shims(l.id(t, d, name))
	if len(pids) != 1 {
		t.Fatalf("the shims of %s: %v", name, pids)
	}
	return pids[0]
}

// state is the state letter of a process, "" when it is gone.
func state(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	if err != nil || !ok {
		return ""
	}
	return rest[:1]
}

// gone reports whether a process has ended and was reaped.
func gone(pid int) bool { return syscall.Kill(pid, 0) != nil }

func sh(t *testing.T, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-ec", script).CombinedOutput()
	t.Logf("$ %s\n%s", script, out)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}
