package enginetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// podmanEngine starts a private Podman that has the lab image.
func podmanEngine(t *testing.T, opt bed.Options) *bed.Daemon {
	t.Helper()
	opt.Podman = true
	d := bed.StartDaemonWith(t, opt)
	files := map[string]string{"/siglab": bed.StaticProgram(t), "/mnt/": "", "/tmp/": "", "/proc/": "", "/sys/": "", "/dev/": ""}
	if err := d.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	return d
}

const podmanImage = "localhost/lab"

// TestPodmanService has Podman's service stopped and killed: its containers do not
// notice, its files answer, and podman's own commands are the way out. Another
// Podman on the host has containers of the same names.
func TestPodmanService(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "podman", "conmon")
	l := &lab{binary: bed.Whystuck(t)}
	d, other := podmanEngine(t, bed.Options{}), podmanEngine(t, bed.Options{})
	stranger := l.run(t, other, "web", podmanImage, "exit")
	l.run(t, other, "dead", podmanImage, "exit")
	l.podmanStopped(t, d, stranger)
	l.podmanPaused(t, d)
	l.podmanLocked(t, d)
	l.podmanKilled(t, d)
	if state(stranger) == "" {
		t.Error("the other Podman's container was stopped")
	}
}

// podmanStopped: a service that is stopped. What it had accepted is carried out
// when it goes on; podman stop does not wait for it.
func (l *lab) podmanStopped(t *testing.T, d *bed.Daemon, stranger int) {
	pid := l.run(t, d, "web", podmanImage, "ign")
	waits := l.run(t, d, "waits", podmanImage, "exit")
	heal := hold(t, d.PID())
	stop := l.later(d, "stop", "-t", "5", "waits")
	a := l.ask(t, d, "web", "-t", "1")
	a.wants(t, diagnose.Stuck, []string{"WS310", "WS102"}, "Podman's service", "own files answer")
	a.never(t)
	if a.PID != pid || a.PID == stranger || !slices.Contains(a.report.Host.Sources, "engine-files") || a.Confidence != diagnose.Certain {
		t.Errorf("PID %d of %d, sources %v, %s", a.PID, pid, a.report.Host.Sources, a.Confidence)
	}
	if len(a.Gaps) == 0 || !strings.Contains(a.Gaps[0].Matters, "stop timeout") {
		t.Errorf("what its files do not have is not said: %+v", a.Gaps)
	}
	if a.took > 1500*time.Millisecond {
		t.Errorf("a service that is seen to be stopped was waited for: %v", a.took)
	}
	a.wayOut(t, "podman")
	if state(pid) != "" {
		t.Errorf("after podman stop: %s", state(pid))
	}
	stop.waits(t)
	heal()
	stop.returns(t, 20*time.Second)
	if stop.code != 0 || state(waits) != "" {
		t.Errorf("after it went on: exit %d, %s", stop.code, state(waits))
	}
	l.row(t, a, "podman stop; "+stop.sums())
}

// podmanPaused: what is paused has to go on before podman stops it.
func (l *lab) podmanPaused(t *testing.T, d *bed.Daemon) {
	l.run(t, d, "cold", podmanImage, "exit")
	l.docker(t, d, "pause", "cold")
	heal := hold(t, d.PID())
	defer heal()
	a := l.ask(t, d, "cold")
	a.wants(t, diagnose.Stuck, []string{"WS310"}, "paused")
	a.wayOut(t, "unpause")
	heal()
	if s := l.state(t, d, "cold"); s != "running 0" {
		t.Errorf("after podman unpause: %s", s)
	}
}

// podmanLocked: somebody holds the storage's lock. The service is silent, and podman
// stop hangs as well: it is not promised.
func (l *lab) podmanLocked(t *testing.T, d *bed.Daemon) {
	pid := l.run(t, d, "locked", podmanImage, "exit")
	f, err := os.OpenFile(filepath.Join(d.DataRoot(), "overlay-containers/containers.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	heal := healing(t, func() { _ = f.Close() }) // which gives the lock back
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	a := l.ask(t, d, "locked", "-t", "1")
	a.wants(t, diagnose.Stuck, []string{"WS304"}, "hangs as well", "own files answer")
	a.never(t)
	if a.PID != pid {
		t.Errorf("PID %d, want %d", a.PID, pid)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	words := strings.Fields(a.fix("stop -t 1"))
	if len(words) == 0 {
		t.Fatal(a.text())
	}
	_ = exec.CommandContext(ctx, words[0], words[1:]...).Run()
	if ctx.Err() == nil || state(pid) == "" {
		t.Errorf("podman stop came back with the lock held; the process: %q", state(pid))
	}
	heal()
	a.wayOut(t, "stop -t 1")
	if state(pid) != "" {
		t.Errorf("after podman stop: %s", state(pid))
	}
	l.row(t, a, "podman stop: no return; then it works")
}

// podmanKilled: nobody listens. The socket of this Podman is no default one, so
// only the user's flags say where its files are; its conmon tells the rest.
func (l *lab) podmanKilled(t *testing.T, d *bed.Daemon) {
	pid := l.run(t, d, "dead", podmanImage, "exit")
	heal := healing(t, func() { l.start(t, d) })
	d.Kill()
	if bare := l.askAll(t, d, "dead"); bare.exit != 4 {
		t.Errorf("without anybody behind the socket: exit %d, %+v", bare.exit, bare.report.Containers)
	}
	graph, run := "--data-root="+d.DataRoot(), "--exec-root="+d.ExecRoot()
	a := l.ask(t, d, "dead", graph, run)
	a.wants(t, diagnose.Stuck, []string{"WS309"}, "nobody listens", "Podman's service", "no container is touched")
	if a.PID != pid {
		t.Errorf("PID %d, want %d", a.PID, pid)
	}
	if half := l.ask(t, d, "dead", graph); half.PID != pid {
		t.Errorf("by its graph root alone: PID %d, want %d", half.PID, pid)
	}
	if gone := l.askAll(t, d, graph, run, "nobody"); len(gone.report.Errors) != 1 || gone.report.Errors[0].ExitCode != 2 {
		t.Errorf("a name that there is not: exit %d, %+v", gone.exit, gone.report.Errors)
	}
	if project := l.askAll(t, d, graph, run, "--project", "shop"); project.exit != 4 {
		t.Errorf("labels are in the database: exit %d", project.exit)
	}
	stop := l.later(d, "stop", "dead")
	stop.returns(t, 5*time.Second)
	stop.told(t, a.Stop.Command)
	a.wayOut(t, "podman")
	heal()
	if s := l.state(t, d, "dead"); s != "exited 0" {
		t.Errorf("after podman stop: %s", s)
	}
	l.row(t, a, stop.sums()+"; podman stop")
}

// TestPodmanRefused: without CAP_KILL Podman gives up at the first signal.
func TestPodmanRefused(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "podman", "conmon", "setpriv")
	l := &lab{binary: bed.Whystuck(t)}
	d := podmanEngine(t, bed.Options{Wrap: dropKill})
	l.deniedCommands(t, d, diagnose.Certain, "WS402", "--cap-drop", "KILL", podmanImage, "exit")
	for _, at := range []string{"0", "3"} { // podman itself may; the service's own user needs no right
		l.run(t, d, "root"+at, "--cap-drop", "KILL", podmanImage, "ign")
		a := l.ask(t, d, "root"+at, "-t", at)
		a.wants(t, diagnose.Killed, []string{"WS102"})
		l.hold(t, a, a.Stop.Command, l.later(d, "stop", "-t", at, "root"+at))
	}
	// A stop that has failed leaves "stopping": what is removed then is not killed.
	left := l.ask(t, d, "denied-0", "-t", "1")
	l.hold(t, left, left.Rm.Command, l.later(d, "rm", "-f", "denied-0"))
	if left.Rm.Outcome != "ghost" || state(left.PID) == "" {
		t.Errorf("rm -f after a stop that failed: %+v, the process: %q", left.Rm, state(left.PID))
	}
	l.search(t, d, 1)
	a := l.ask(t, d, "denied-1", "-t", "1")
	a.wants(t, diagnose.Refused, []string{"WS402"}, "your rights")
	a.wayOut(t, "podman")
	if state(a.PID) != "" {
		t.Errorf("after podman stop: %s", state(a.PID))
	}
}

// TestPodmanRootless has a user's own Podman, found by the user's surroundings. On
// cgroup v1 its containers have no cgroup: the runtime's record proves them.
func TestPodmanRootless(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "podman", "conmon", "setpriv", "newuidmap")
	d := podmanEngine(t, bed.Options{Rootless: true})
	asRoot := &lab{binary: bed.Whystuck(t)}
	asUser := &lab{binary: wrapped(t, filepath.Dir(d.DataRoot()), d.AsNobody(), asRoot.binary)}
	for i, l := range []*lab{asRoot, asUser} {
		who := []string{"root", "user"}[i]
		l.run(t, d, who+"-ign", podmanImage, "ign")
		l.run(t, d, who+"-exit", podmanImage, "exit")
		a := l.ask(t, d, who+"-ign", "-t", "1")
		a.wants(t, diagnose.Killed, []string{"WS102"})
		b := l.ask(t, d, who+"-exit", "-t", "5")
		b.wants(t, diagnose.Stops, nil)
		l.hold(t, a, a.Stop.Command, l.later(d, "stop", "-t", "1", who+"-ign"))
		l.hold(t, b, b.Stop.Command, l.later(d, "stop", "-t", "5", who+"-exit"))
		l.search(t, d, 0)
	}
	pid := asUser.run(t, d, "web", podmanImage, "exit")
	asUser.docker(t, d, "exec", "-d", "web", "/siglab", "exit") // has a conmon with the container's id, too
	heal := hold(t, d.PID())
	for _, l := range []*lab{asRoot, asUser} {
		a := l.ask(t, d, "web")
		a.wants(t, diagnose.Stuck, []string{"WS310"}, "as the user")
		if a.PID != pid || len(a.Findings) != 0 {
			t.Errorf("stopped: PID %d, want %d; %+v", a.PID, pid, a.Findings)
		}
	}
	heal()
	heal = healing(t, func() { asRoot.start(t, d) })
	d.Kill()
	// Root does not know where this user keeps them; the user's default socket tells.
	if bare := asRoot.askAll(t, d, "web"); bare.exit != 4 {
		t.Errorf("as root: exit %d", bare.exit)
	}
	asRoot.ask(t, d, "web", "--data-root", d.DataRoot()).wants(t, diagnose.Stuck, []string{"WS309"})
	a := asUser.ask(t, d, "web")
	a.wants(t, diagnose.Stuck, []string{"WS309"})
	words := strings.Fields(a.fix("podman stop"))
	if len(words) == 0 || a.PID != pid {
		t.Fatalf("PID %d, want %d; no way out in\n%s", a.PID, pid, a.text())
	}
	line := append(d.AsNobody(), words...)
	if out, err := exec.CommandContext(t.Context(), line[0], line[1:]...).CombinedOutput(); err != nil || state(pid) != "" {
		t.Errorf("%s: %v: %s; then %q", words, err, out, state(pid))
	}
	heal()
	if s := asRoot.state(t, d, "web"); s != "exited 0" {
		t.Errorf("after podman stop: %s", s)
	}
}

// wrapped is a program that runs a copy of another, which lies in dir, with a line
// before it: as the user of a rootless engine, who may read that directory.
func wrapped(t *testing.T, dir string, before []string, binary string) string {
	t.Helper()
	return shellScript(t, "exec "+strings.Join(before, " ")+" "+copied(t, dir, binary)+` "$@"`)
}

// TestPodmanOrphans: a container that was removed, and what lives on of it.
func TestPodmanOrphans(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "fuse", "podman", "conmon")
	l := &lab{binary: bed.Whystuck(t)}
	d, other := podmanEngine(t, bed.Options{}), podmanEngine(t, bed.Options{})
	m := silent.ForTest(t)
	l.run(t, d, "lost", "--pid", "host", "-v", m.Dir+":/mnt", podmanImage, "-f", "/mnt/hang", "child_stat")
	child := childOf(t, l.pid(t, d, "lost"))
	id := l.id(t, d, "lost")
	l.run(t, d, "visited", podmanImage, "exit") // its exec's conmon stays for 5 minutes
	l.docker(t, d, "exec", "-d", "visited", "/siglab", "exit")
	l.docker(t, d, "rm", "-f", "visited")
	rm := l.later(d, "rm", "-f", "lost")
	rm.returns(t, 30*time.Second)
	t.Log(rm.sums(), rm.message)
	a := l.search(t, d, 1)
	l.holdOrphan(t, a, id, "WS302", "WS209")
	one := l.ask(t, d, id[:12])
	one.wants(t, diagnose.Ghost, []string{"WS302"})
	l.none(t, other)
	if elsewhere := l.askAll(t, other, id[:12]); elsewhere.exit != 2 {
		t.Errorf("the other Podman: exit %d", elsewhere.exit)
	}
	m.Release()
	if !bed.Eventually(8*time.Second, func() bool { return gone(child) }) {
		t.Errorf("process %d was not let go", child)
	}
	l.none(t, d)
}
