package probe

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const lookFor = "WHYSTUCK_PROBE_TEST_PID"

// TestHelperLook is not a test: TestAsNobody runs it as another user.
func TestHelperLook(t *testing.T) {
	pid, err := strconv.Atoi(os.Getenv(lookFor))
	if err != nil {
		t.Skip("helper of TestAsNobody")
	}
	if err := json.NewEncoder(os.NewFile(3, "result")).Encode(lookAt(t, pid)); err != nil {
		t.Fatal(err)
	}
}

// asNobody looks at a container with uid and gid 65534.
func asNobody(t *testing.T, pid int) *evidence.Target {
	t.Helper()
	// The test binary lies in a directory of ours; nobody may not go there.
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "whystuck-nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "probe.test")
	if err := os.WriteFile(bin, self, 0o755); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(bin, "-test.run", "^TestHelperLook$")
	cmd.Env = []string{lookFor + "=" + strconv.Itoa(pid)}
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = "/", &out, &out, []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	data, _ := io.ReadAll(r)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var target evidence.Target
	if err := json.Unmarshal(data, &target); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return &target
}

// Without root the masks are there all the same; the rest is said to be missing,
// once for each kind of file, however many processes there are.
func TestAsNobody(t *testing.T) {
	needRoot(t)
	init, _ := running(t, pidNamespace(), "masks")
	pids := []int{init.Process.Pid}
	for range 30 {
		pids = append(pids, child(t, nil, "sleep", "60").Process.Pid)
	}
	cgroupFor(t, anyHierarchy(), pids...)
	target := asNobody(t, pids[0])
	p := process(t, target, pids[0])
	if len(target.Processes) != len(pids) || p.Signals == nil || !p.Signals.Caught.Has(evidence.SIGTERM) || len(p.Argv) != 2 {
		t.Errorf("%d processes, init %+v", len(target.Processes), p)
	}
	if p.Tasks[0].Wchan != nil || p.Tasks[0].Syscall != nil || p.Tasks[0].Stack != nil || p.Exe != "" || p.PIDNS != 0 {
		t.Errorf("nobody may not know this: %+v", p)
	}
	if target.HostPIDNS == nil || *target.HostPIDNS {
		t.Errorf("host PID namespace %v: NSpid tells", target.HostPIDNS)
	}
	for _, file := range []string{"wchan", "syscall", "stack", "pid", "exe", "fd"} {
		if gapOf(target, evidence.GapDenied, file) == nil {
			t.Errorf("no gap for %s", file)
		}
	}
	if len(target.Gaps) > 8 {
		t.Errorf("%d gaps: %+v", len(target.Gaps), target.Gaps)
	}
}
