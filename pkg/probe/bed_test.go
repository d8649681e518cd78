package probe

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// need skips the test where the machine lacks what it needs; WHYSTUCK_REQUIRE
// makes that a failure.
func need(t testing.TB, what string, have bool) {
	t.Helper()
	if have {
		return
	}
	if strings.Contains(","+os.Getenv("WHYSTUCK_REQUIRE")+",", ","+what+",") {
		t.Fatalf("%s is required and not there", what)
	}
	t.Skipf("SKIPPED: needs %s", what)
}

func needRoot(t testing.TB) { t.Helper(); need(t, "root", os.Geteuid() == 0) }

// child starts a program and ends it with the test.
func child(t testing.TB, attr *syscall.SysProcAttr, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = attr
	start(t, cmd)
	return cmd
}

func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// pidNamespace gives a program a PID namespace of its own, as its init.
func pidNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
}

// lab builds testdata/lab.c, the program with the odd states.
func lab(t testing.TB) string {
	t.Helper()
	source, err := os.ReadFile("testdata/lab.c")
	if err != nil {
		t.Fatal(err)
	}
	_, err = exec.LookPath("gcc")
	need(t, "gcc", err == nil)
	sum := sha256.Sum256(source)
	bin := filepath.Join(os.TempDir(), fmt.Sprintf("whystuck-lab-%d-%s", os.Geteuid(), hex.EncodeToString(sum[:6])))
	if _, err := os.Stat(bin); err == nil {
		return bin
	}
	tmp := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("gcc", "-O1", "-static", "-pthread", "-o", tmp, "testdata/lab.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	data, err := os.ReadFile(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bin+".new", data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(bin+".new", bin); err != nil {
		t.Fatal(err)
	}
	return bin
}

// running starts the lab program in one of its modes and waits until it says
// that it is where it should be. Each word it prints is returned.
func running(t testing.TB, attr *syscall.SysProcAttr, args ...string) (*exec.Cmd, []string) {
	t.Helper()
	cmd := exec.Command(lab(t), args...)
	cmd.SysProcAttr = attr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "ready" {
		t.Fatalf("lab %v said %q", args, line)
	}
	return cmd, words[1:]
}

// eventually asks again until ok, for at most three seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 3 s: %s", what)
}

// stateOf is the letter of a task's state as /proc has it now.
func stateOf(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	s, _ := parseStat(data)
	return s.State
}

// asleep reports whether a process rests where it sleeps: a task on its way there
// is in S already and has no wait channel yet.
func asleep(pid int) bool {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
	return stateOf(pid) == "S" && string(data) != "0"
}

// inCall reports whether a process sleeps in the named system call.
func inCall(t testing.TB, pid int, name string) bool {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := parseSyscall(data, runtime.GOARCH)
	return c != nil && c.Name == name
}

// containerID is a made-up id, as Docker's.
const containerID = "d0d0cafe00112233445566778899aabbccddeeff00112233445566778899aabb"

// cgroupFor makes a cgroup named like a container's in the named hierarchy
// ("unified", "freezer"; "." for a host with v2 alone) and puts processes in it.
func cgroupFor(t testing.TB, hierarchy string, pids ...int) string {
	t.Helper()
	needRoot(t)
	parent := filepath.Join("/sys/fs/cgroup", hierarchy, fmt.Sprintf("whystuck-probe-%d", os.Getpid()))
	dir := filepath.Join(parent, containerID)
	need(t, "cgroup", os.MkdirAll(dir, 0o755) == nil)
	t.Cleanup(func() { removeCgroup(t, filepath.Join("/sys/fs/cgroup", hierarchy), dir) })
	for _, pid := range pids {
		if err := os.WriteFile(dir+"/cgroup.procs", fmt.Appendf(nil, "%d", pid), 0); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// removeCgroup moves what is left to the root: the processes end later.
func removeCgroup(t testing.TB, root, dir string) {
	t.Helper()
	eventually(t, "removal of "+dir, func() bool {
		data, _ := os.ReadFile(dir + "/cgroup.procs")
		for _, pid := range parsePIDs(data) {
			_ = os.WriteFile(root+"/cgroup.procs", fmt.Appendf(nil, "%d", pid), 0)
		}
		return unix.Rmdir(dir) == nil
	})
	_ = unix.Rmdir(filepath.Dir(dir))
}

// anyHierarchy is a hierarchy that this host has.
func anyHierarchy() string {
	for _, h := range []string{"unified", "freezer"} {
		if exists("/sys/fs/cgroup/" + h) {
			return h
		}
	}
	return "."
}

// lookAt probes a made-up container with the given init.
func lookAt(t testing.TB, pid int) *evidence.Target {
	t.Helper()
	target := &evidence.Target{Kind: evidence.KindContainer, PID: pid, Container: &evidence.Container{ID: containerID, Status: "running", PID: pid}}
	New(Config{}).Container(context.Background(), target)
	return target
}

// lookAtPID probes by PID.
func lookAtPID(t testing.TB, pid int) *evidence.Target {
	t.Helper()
	target, err := New(Config{}).PID(context.Background(), fmt.Sprint(pid), pid)
	if err != nil {
		t.Fatal(err)
	}
	return &target
}

// process finds a process of a target.
func process(t testing.TB, target *evidence.Target, pid int) *evidence.Process {
	t.Helper()
	for i := range target.Processes {
		if target.Processes[i].PID == pid {
			return &target.Processes[i]
		}
	}
	t.Fatalf("process %d is not in %d processes; gaps %+v", pid, len(target.Processes), target.Gaps)
	return nil
}

func gapOf(target *evidence.Target, kind, file string) *evidence.Gap {
	for i, g := range target.Gaps {
		if g.Kind == kind && fileOf(g.Path) == file {
			return &target.Gaps[i]
		}
	}
	return nil
}
