package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestObserver has a healthy engine, and a whystuck that does not see all: behind a
// /proc with hidepid, and in containers with and without --pid=host.
func TestObserver(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "setpriv", "unshare")
	l := &lab{binary: bed.Whystuck(t)}
	d := labEngine(t, bed.Options{})
	if err := d.Import(t.Context(), "whystuck", map[string]string{"/whystuck": l.binary}, `ENTRYPOINT ["/whystuck"]`); err != nil {
		t.Fatal(err)
	}
	// As group docker would let them.
	if err := os.Chmod(strings.TrimPrefix(d.Host(), "unix://"), 0o666); err != nil {
		t.Fatal(err)
	}
	pid := l.run(t, d, "web", "--user", "1000", "lab", "ign")
	t.Run("engines", func(t *testing.T) {
		for _, hidepid := range []string{"invisible", "noaccess", "ptraceable"} {
			t.Run("hidepid-"+hidepid, func(t *testing.T) { t.Parallel(); l.hidden(t, d, pid, hidepid) })
		}
		t.Run("in-container", func(t *testing.T) { t.Parallel(); l.inContainer(t, d, pid) })
		t.Run("no-pid-host", func(t *testing.T) { t.Parallel(); l.withoutHostPIDs(t, d, pid) })
		t.Run("noexec", func(t *testing.T) { t.Parallel(); l.notExecutable(t, d) })
	})
	slices.Sort(l.rows)
	fmt.Printf("%-20s %-44s %7s  %s\n%s\n", "scene", "whystuck", "answer", "docker", strings.Join(l.rows, "\n"))
}

// hidden: a user who may ask the engine, and sees no process of another.
func (l *lab) hidden(t *testing.T, d *bed.Daemon, pid int, hidepid string) {
	binary := copied(t, filepath.Dir(d.DataRoot()), l.binary)
	user := &lab{binary: shellScript(t, `exec unshare --mount --propagation private sh -ec '
mount -t proc -o hidepid=`+hidepid+` proc /proc
exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all `+binary+` "$@"' sh "$@"`)}
	a := user.ask(t, d, "web")
	a.wants(t, diagnose.Unknown, nil, "may not be seen", "look as root")
	if a.PID != pid || a.exit != 3 || len(a.Findings) != 0 || !strings.Contains(fmt.Sprint(a.Gaps), "hidepid") {
		t.Errorf("PID %d, exit code %d, %+v, %+v", a.PID, a.exit, a.Findings, a.Gaps)
	}
	if b := user.askAll(t, d, "orphans"); b.exit != 4 {
		t.Errorf("orphans: exit code %d", b.exit)
	}
	if b := user.askAll(t, d, "--pid", fmt.Sprint(pid)); b.exit != 2 || !strings.Contains(fmt.Sprint(b.report.Errors), "hidepid") {
		t.Errorf("--pid: exit code %d, %v", b.exit, b.report.Errors)
	}
	l.row(t, a, "healthy")
}

// inContainer: as docs/fleet.md has it, and with less.
func (l *lab) inContainer(t *testing.T, d *bed.Daemon, pid int) {
	full := l.boxed(t, d, "--pid=host --cgroupns=host --read-only --cap-drop=ALL --cap-add=SYS_PTRACE --cap-add=DAC_READ_SEARCH --cap-add=SYS_ADMIN -v /sys/fs/cgroup:/sys/fs/cgroup:ro")
	a := full.ask(t, d, "web", "-t", "1")
	a.wants(t, diagnose.Killed, []string{"WS102"})
	if a.PID != pid || a.Confidence != diagnose.Certain {
		t.Errorf("PID %d, %s", a.PID, a.Confidence)
	}
	full.none(t, d)
	less := l.boxed(t, d, "--pid=host --cap-drop=ALL")
	if b := less.ask(t, d, "web", "-t", "1"); b.PID != pid || b.Verdict != diagnose.Killed || b.Confidence == diagnose.Certain || len(b.Gaps) == 0 {
		t.Errorf("with the socket and --pid=host alone: PID %d, %s %s, gaps %v", b.PID, b.Verdict, b.Confidence, b.Gaps)
	}
	l.row(t, a, "healthy")
}

// withoutHostPIDs: a container sees its own processes.
func (l *lab) withoutHostPIDs(t *testing.T, d *bed.Daemon, pid int) {
	for _, flags := range []string{"", "--cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:ro"} {
		a := l.boxed(t, d, flags).ask(t, d, "web")
		a.wants(t, diagnose.Unknown, []string{"WS305"}, "PID namespace of its own", "--pid=host")
		if a.exit != 3 || a.PID != pid {
			t.Errorf("exit code %d, PID %d", a.exit, a.PID)
		}
		l.row(t, a, "healthy")
	}
}

// notExecutable: runc's two ways to say that a start was denied.
func (l *lab) notExecutable(t *testing.T, d *bed.Daemon) {
	for name, mode := range map[string]os.FileMode{"no-x-bit": 0o644, "roots-own": 0o700} {
		file := copied(t, t.TempDir(), l.binary)
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		l.remove(t, d, name)
		if _, err := d.Run(t.Context(), "--name", name, "--user", "1000", "-v", file+":/app", "--entrypoint", "/app", "lab"); err == nil {
			t.Fatal("it started")
		}
		a := l.ask(t, d, name)
		a.wants(t, diagnose.NotRunning, []string{"WS405"}, "x bit", "noexec", "permission denied")
		l.row(t, a, l.state(t, d, name))
	}
}

// boxed is a whystuck in a container with the engine's socket.
func (l *lab) boxed(t *testing.T, d *bed.Daemon, flags string) *lab {
	t.Helper()
	socket := strings.TrimPrefix(d.Host(), "unix://")
	return &lab{slack: 5 * time.Second, binary: shellScript(t, "exec docker run --rm --label "+bed.Label+" --network none -v "+socket+":/var/run/docker.sock "+flags+` whystuck "$@"`)}
}

// copied is a program where everybody may execute it.
func copied(t *testing.T, dir, binary string) string {
	t.Helper()
	b, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(dir, "whystuck")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	_, err = f.Write(b)
	for _, err := range []error{err, f.Chmod(0o755), f.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return f.Name()
}

// shellScript is an executable file with some lines of shell.
func shellScript(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "whystuck")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}
