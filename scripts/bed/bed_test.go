package bed

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A private engine runs our program, and leaves nothing behind.
func TestDaemon(t *testing.T) {
	Require(t, "root", "docker", "gcc")
	program := StaticProgram(t)
	dir, err := TempDir()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	d, err := NewDaemon(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Stop()
	if err := d.Import(ctx, "lab", map[string]string{"/siglab": program, "/tmp/": ""}, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	id, err := d.Run(ctx, "--name", "one", "lab", "default")
	if err != nil {
		t.Fatal(err)
	}
	if len(id) != 64 {
		t.Errorf("Run gave the id %q, want 64 digits", id)
	}
	if out, errOut, code := d.Docker(ctx, "inspect", "-f", "{{.State.Running}}", "one"); out != "true\n" || code != 0 {
		t.Errorf("inspect says %q, %q, %d", out, errOut, code)
	}
	if _, _, code := d.Docker(ctx, "inspect", "no-such"); code == 0 {
		t.Error("the failure of a docker command was lost")
	}
	if len(d.left()) < 3 {
		t.Errorf("found only %v of containerd, shim and container", d.left())
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if left := d.left(); len(left) > 0 {
		t.Errorf("left processes: %v", left)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the engine's directory is still there: %v", err)
	}
}

// What an engine that is killed leaves behind is cleared away too.
func TestStopAfterKill(t *testing.T) {
	Require(t, "root", "docker", "gcc")
	d := StartDaemon(t)
	if err := d.Import(t.Context(), "lab", map[string]string{"/siglab": StaticProgram(t)}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Run(t.Context(), "lab", "/siglab", "ign"); err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(d.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.dockerd.done
	if len(d.left()) == 0 {
		t.Fatal("nothing was left behind: this test tests nothing")
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
}

func TestHostPrograms(t *testing.T) {
	Require(t, "sh", "ldd")
	files, err := HostPrograms(t.Context(), "shell=sh")
	if err != nil {
		t.Fatal(err)
	}
	if files["/bin/shell"] == "" {
		t.Errorf("no /bin/shell in %v", files)
	}
	if _, err := HostPrograms(t.Context(), "no-such-program"); err == nil {
		t.Error("a missing program went unnoticed")
	}
}

// siglab's handlers and waits do hear.
func TestSiglab(t *testing.T) {
	program := StaticProgram(t)
	for mode, want := range map[string]int{"exit": 0, "exit143": 143, "sigwait": 0, "sfd_epoll": 0, "thr_sigwait": 0, "fork_forward": 0, "default": -1} {
		t.Run(mode, func(t *testing.T) {
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd := exec.CommandContext(t.Context(), program, mode)
			cmd.Stdout = out
			cmd.WaitDelay = time.Second
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 100 {
				if b, _ := os.ReadFile(out.Name()); bytes.Contains(b, []byte("READY")) {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Errorf("exit code %d, want %d", got, want)
			}
			b, _ := os.ReadFile(out.Name())
			if heard := strings.Contains(string(b), "HEARD 15"); heard != (mode != "default") {
				t.Errorf("log: %s", b)
			}
		})
	}
}

// An engine's end leaves a guard alone whose script names the engine's directory.
func TestGuardIsNobodys(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/x"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	heal := Guard(t, "rm "+file)
	if left := (&Daemon{dir: dir, cgroup: "whystuck-none"}).left(); len(left) > 0 {
		t.Errorf("%v are taken for the engine's", left)
	}
	heal()
	if _, err := os.Stat(file); err == nil {
		t.Error("the guard did not do its work")
	}
}

// An engine without a cgroup of its own has no processes by it: the root's members
// are everybody's, and what is left is killed.
func TestNoCgroup(t *testing.T) {
	if got := (&Daemon{dir: t.TempDir()}).cgroups(); len(got) > 0 {
		t.Errorf("%v are taken for the engine's", got)
	}
}
