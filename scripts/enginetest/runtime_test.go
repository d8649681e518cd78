package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// wayward is runc, until a file named by a container's id lies beside it: then the
// command that the file names opens a file that does not open, or stops itself.
const wayward = `#!/bin/sh
here=$(dirname "$0")
for a; do
	case $a in create | start | kill | delete) doing=$a ;; esac
	[ ! -f "$here/$a" ] || read -r when does what <"$here/$a"
done
[ "$doing" != "$when" ] || case $does in
opens) read -r x <"$what" ;;
stops) kill -STOP $$ ;;
esac
exec runc "$@"
`

// runtimes are the flags of an engine that knows two more runtimes: wayward, and
// covered, which is runc until a test mounts something over it.
func (l *lab) runtimes(t *testing.T) []string {
	t.Helper()
	l.runtimeDir = t.TempDir()
	file, plain := filepath.Join(l.runtimeDir, "runc"), filepath.Join(l.runtimeDir, "covered")
	for name, script := range map[string]string{file: wayward, plain: "#!/bin/sh\nexec runc \"$@\"\n"} {
		if err := os.WriteFile(name, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(l.runtimeDir, "never"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--add-runtime", "wayward=" + file, "--add-runtime", "covered=" + plain}
}

// strays has one command of a container's runtime go astray, until the returned
// function is called.
func (l *lab) strays(t *testing.T, name, how string) (mend func()) {
	t.Helper()
	file := filepath.Join(l.runtimeDir, l.id(t, l.plain, name))
	if err := os.WriteFile(file, []byte(how+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return healing(t, func() { _ = os.Remove(file) })
}

// runtimeBelow is the one runtime process below a container's shim, that stays: one
// that does its work is gone after a moment.
func (l *lab) runtimeBelow(t *testing.T, shim int) (pid int) {
	t.Helper()
	if !bed.Eventually(15*time.Second, func() bool {
		before := pid
		pid = 0
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", shim, shim))
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", shim))
		for _, f := range threads {
			more, _ := os.ReadFile(f)
			b = append(b, more...)
		}
		for _, word := range strings.Fields(string(b)) {
			if comm, _ := os.ReadFile("/proc/" + word + "/comm"); strings.TrimSpace(string(comm)) == "runc" {
				_, _ = fmt.Sscan(word, &pid)
			}
		}
		if pid == 0 || pid != before {
			time.Sleep(400 * time.Millisecond)
			return false
		}
		return true
	}) {
		t.Fatalf("the shim %d has no runc below it that stays", shim)
	}
	healing(t, func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // it is ours until its shim has reaped it
	return pid
}

// The runtime that a shim waits for does not end: it is stopped, hangs in the
// kernel, is traced, or just sleeps; in a kill, and in the delete after an exit.
func (l *lab) runtimeHangs(t *testing.T) {
	m := silent.ForTest(t)
	healing(t, m.Release)
	never := filepath.Join(l.runtimeDir, "never")
	how := map[string]string{"rt-stopped": "kill stops", "rt-fuse": "kill opens " + m.Dir + "/hang", "rt-waits": "kill opens " + never, "rt-delete": "delete opens " + never}
	mend, stop, runc, pids := map[string]func(){}, map[string]*command{}, map[string]int{}, map[string]int{}
	for name, line := range how {
		pids[name] = l.run(t, l.plain, name, "--runtime", "wayward", "lab", "exit")
		shim := l.shim(t, l.plain, name)
		mend[name] = l.strays(t, name, line)
		stop[name] = l.later(l.plain, "stop", "-t", "1", name)
		runc[name] = l.runtimeBelow(t, shim)
	}
	kill, rm, inspect := l.later(l.plain, "kill", "rt-waits"), l.later(l.plain, "rm", "-f", "rt-waits"), l.later(l.plain, "inspect", "rt-waits")
	tracer := exec.Command(bed.StaticProgram(t), "-n", fmt.Sprint(runc["rt-waits"]), "trace_hold")
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	healing(t, func() { _ = tracer.Process.Kill(); _ = tracer.Wait() })
	time.Sleep(7 * time.Second)
	for name := range how {
		mend[name]()
		stop[name].waits(t)
	}

	traced := l.ask(t, l.plain, "rt-waits")
	traced.holds(t, "WS319", diagnose.Likely, fmt.Sprintf("kill -KILL %d", tracer.Process.Pid))
	traced.wayOut(t, "kill -KILL")
	_ = tracer.Wait()
	a := l.ask(t, l.plain, "rt-waits")
	a.holds(t, "WS319", diagnose.Likely, "does not end", fmt.Sprintf("kill -KILL %d", runc["rt-waits"]))
	for _, c := range []*command{kill, rm, inspect} {
		c.waits(t)
	}
	a.wayOut(t, "kill -KILL")
	for _, c := range []*command{stop["rt-waits"], kill, rm} {
		c.returns(t, 40*time.Second)
	}
	l.row(t, a, stop["rt-waits"].sums()+", "+kill.sums()+", "+rm.sums())

	b := l.ask(t, l.plain, "rt-stopped")
	b.holds(t, "WS319", diagnose.Certain, "stopped")
	b.wayOut(t, fmt.Sprintf("kill -CONT %d", runc["rt-stopped"]))
	c := l.ask(t, l.plain, "rt-fuse")
	c.holds(t, "WS319", diagnose.Likely, "/hang", "fuse.silent")
	c.abort(t)
	d := l.ask(t, l.plain, "rt-delete")
	d.holds(t, "WS319", diagnose.Likely, "does not end")
	if !gone(pids["rt-delete"]) {
		t.Errorf("rt-delete was to be gone, with its exit not yet booked")
	}
	d.wayOut(t, fmt.Sprintf("kill -KILL %d", runc["rt-delete"]))
	for name, answer := range map[string]answer{"rt-stopped": b, "rt-fuse": c, "rt-delete": d} {
		stop[name].returns(t, 60*time.Second)
		t.Logf("%s: %s, then %s", name, stop[name].sums(), l.state(t, l.plain, name))
		l.row(t, answer, stop[name].sums()+" "+l.state(t, l.plain, name))
	}
	// The delete that was ended has left the shim behind; the next start clears it away.
	l.leftShim(t, "rt-delete")
	l.docker(t, l.plain, "start", "rt-delete")
	l.shim(t, l.plain, "rt-delete")
}

// holds wants stuck without return, by a finding, as sure as that.
func (a answer) holds(t *testing.T, code string, sure diagnose.Confidence, says ...string) {
	t.Helper()
	a.wants(t, diagnose.Stuck, []string{code}, says...)
	a.never(t)
	if a.Confidence != sure {
		t.Errorf("%s: %s, want %s", a.Name, a.Confidence, sure)
	}
}
