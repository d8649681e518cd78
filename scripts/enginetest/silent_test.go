package enginetest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// A stopped dockerd: nothing returns, its files answer, SIGCONT heals, and what
// it had accepted is carried out.
func (l *lab) dockerdStopped(t *testing.T) {
	l.run(t, l.own, "web", "lab", "exit")
	other := l.run(t, l.plain, "web", "lab", "ign")
	hold(t, l.own.PID())
	stop := l.later(l.own, "stop", "web")
	a := l.ask(t, l.own, "web")
	a.wants(t, diagnose.Stuck, []string{"WS310"}, "own files answer", fmt.Sprintf("kill -CONT %d", l.own.PID()))
	a.never(t)
	if a.took > 1500*time.Millisecond {
		t.Errorf("an engine that is seen to be stopped was waited for: %v", a.took)
	}
	// The other engine has a container of that name, too.
	if a.PID == other {
		t.Errorf("the other engine's container was looked at: PID %d", a.PID)
	}
	if b := l.ask(t, l.plain, "web"); b.PID != other || b.Verdict != diagnose.Killed {
		t.Errorf("the other engine: PID %d, %s", b.PID, b.Verdict)
	}
	time.Sleep(2 * time.Second)
	stop.waits(t)
	a.wayOut(t, "kill -CONT")
	stop.returns(t, 20*time.Second)
	if s := l.state(t, l.own, "web"); s != "exited 0" {
		t.Errorf("after the way out: %s", s)
	}
	l.row(t, a, stop.sums())
}

// A dockerd that has crashed: the containers live on. Without an owner of the
// socket nobody's files are read; with its roots they are.
func (l *lab) dockerdKilled(t *testing.T) {
	pid := l.run(t, l.own, "web", "lab", "exit")
	l.run(t, l.plain, "web", "lab", "exit")
	heal := healing(t, func() { l.start(t, l.own) })
	l.own.Kill()
	if bare := l.askAll(t, l.own, "web"); bare.exit != 4 {
		t.Errorf("without anybody behind the socket: exit %d, %v", bare.exit, bare.report.Containers)
	}
	roots := []string{"--data-root", l.own.DataRoot(), "--exec-root", l.own.ExecRoot()}
	a := l.ask(t, l.own, "web", roots...)
	a.wants(t, diagnose.Stuck, []string{"WS309"}, "nobody listens")
	if a.PID != pid {
		t.Errorf("PID %d, want %d", a.PID, pid)
	}
	if half := l.ask(t, l.own, "web", roots[:2]...); half.PID != pid || half.Verdict != diagnose.Stuck {
		t.Errorf("by its data root alone: PID %d, %s", half.PID, half.Verdict)
	}
	l.another(t, roots)
	stop := l.later(l.own, "stop", "web")
	stop.returns(t, 5*time.Second)
	if c := a.Stop.Command; !c.Returns || c.ExitStatus == nil || *c.ExitStatus != stop.code || c.Error == nil || !strings.Contains(stop.message, *c.Error) {
		t.Errorf("docker stop: exit %d %s; forecast %+v", stop.code, stop.message, c)
	}
	heal()
	// live-restore is off: the start has stopped it.
	if s := l.state(t, l.own, "web"); !strings.HasPrefix(s, "exited") {
		t.Errorf("after the start of dockerd: %s", s)
	}
	l.row(t, a, stop.sums())
}

// another: a web server has taken the socket of the engine that is down. docker
// stop even ends well there, and stops nothing.
func (l *lab) another(t *testing.T, roots []string) {
	path := strings.TrimPrefix(l.own.Host(), "unix://")
	_ = os.Remove(path)
	socket, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })}
	go func() { _ = server.Serve(socket) }()
	if bare := l.askAll(t, l.own, "web"); bare.exit != 4 {
		t.Errorf("with another behind the socket: exit %d, %v", bare.exit, bare.report.Containers)
	}
	l.ask(t, l.own, "web", roots...).wants(t, diagnose.Stuck, []string{"WS304"}, "is no Docker engine", "sudo ss -xlp src "+path)
	stop := l.later(l.own, "stop", "web")
	if stop.returns(t, 5*time.Second); stop.code != 0 {
		t.Errorf("docker stop of a web server: exit %d %s", stop.code, stop.message)
	}
	_ = server.Close()
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false) // what a crash leaves
	_ = dead.Close()
}

func (l *lab) start(t *testing.T, d *bed.Daemon) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := d.Start(ctx); err != nil {
		t.Errorf("starting dockerd again: %v", err)
	}
}

// A stopped containerd: ps and inspect answer, and no signal gets through.
func (l *lab) containerdStopped(t *testing.T) {
	l.run(t, l.own, "web", "lab", "exit")
	hold(t, l.own.ContainerdPID())
	before := l.ask(t, l.own, "web")
	before.wants(t, diagnose.Stuck, []string{"WS313"}, fmt.Sprintf("kill -CONT %d", l.own.ContainerdPID()))
	before.never(t)
	stop, kill := l.later(l.own, "stop", "web"), l.later(l.own, "kill", "web")
	time.Sleep(3 * time.Second)
	a := l.ask(t, l.own, "web")
	a.wants(t, diagnose.Stuck, []string{"WS313"})
	a.never(t)
	stop.waits(t)
	kill.waits(t)
	a.wayOut(t, "kill -CONT")
	stop.returns(t, 20*time.Second)
	kill.returns(t, 20*time.Second)
	if s := l.state(t, l.own, "web"); !strings.HasPrefix(s, "exited") {
		t.Errorf("after the way out: %s", s)
	}
	l.row(t, a, stop.sums()+", "+kill.sums())
}

// A containerd that has crashed: dockerd kills by itself in the end, unheard, and
// books nothing before containerd is back.
func (l *lab) containerdKilled(t *testing.T) {
	pid := l.run(t, l.own, "web", "lab", "exit")
	l.run(t, l.own, "web2", "lab", "exit")
	heal := healing(t, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := l.own.StartContainerd(ctx); err != nil {
			t.Errorf("starting containerd again: %v", err)
		}
	})
	l.own.KillContainerd()
	a := l.ask(t, l.own, "web")
	a.wants(t, diagnose.Ghost, []string{"WS312"}, "start containerd")
	b := l.ask(t, l.own, "web2")
	stop, kill := l.later(l.own, "stop", "web"), l.later(l.own, "kill", "web2")
	stop.returns(t, 40*time.Second)
	kill.returns(t, 40*time.Second)
	stop.told(t, a.Stop.Command)
	kill.told(t, b.Kill.Command)
	if !gone(pid) {
		t.Errorf("it was to die, and lives")
	}
	if s := l.state(t, l.own, "web"); !strings.HasPrefix(s, "running") {
		t.Errorf("with containerd away: %s", s)
	}
	heal()
	// The shim gives up telling of the exit after five tries: it may be lost.
	if !bed.Eventually(15*time.Second, func() bool { return l.state(t, l.own, "web") == "exited 137" }) {
		l.ask(t, l.own, "web").wants(t, diagnose.Ghost, []string{"WS301"})
		again := l.later(l.own, "stop", "web")
		again.returns(t, 40*time.Second)
	}
	if s := l.state(t, l.own, "web"); !strings.HasPrefix(s, "exited") {
		t.Errorf("after the way out: %s", s)
	}
	l.row(t, a, stop.sums()+", "+kill.sums())
}

// A containerd that dockerd has started comes back by itself.
func (l *lab) containerdManaged(t *testing.T) {
	l.run(t, l.plain, "managed", "lab", "exit")
	pid := managedContainerd(t, l.plain)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !bed.Eventually(10*time.Second, func() bool { return gone(pid) }) {
		t.Fatal("containerd does not die")
	}
	a := l.ask(t, l.plain, "managed")
	a.wants(t, diagnose.Ghost, []string{"WS312"}, "dockerd has started this containerd")
	seen := map[diagnose.Verdict]bool{}
	if !bed.Eventually(60*time.Second, func() bool {
		time.Sleep(time.Second)
		v := l.ask(t, l.plain, "managed").Verdict
		seen[v] = true
		return v == diagnose.Stops
	}) {
		t.Errorf("dockerd has not started a new containerd")
	}
	if !seen[diagnose.Unknown] {
		t.Errorf("the moment before dockerd is connected again was not told: %v", seen)
	}
	stop := l.later(l.plain, "stop", "managed")
	stop.returns(t, 30*time.Second)
	if stop.took > 5*time.Second {
		t.Errorf("it was said to stop, and took %v", stop.took)
	}
	l.row(t, a, stop.sums()+" (after)")
}

func managedContainerd(t *testing.T, d *bed.Daemon) int {
	t.Helper()
	b, err := os.ReadFile(d.ExecRoot() + "/containerd/containerd.pid")
	pid := 0
	if _, scan := fmt.Sscan(string(b), &pid); err != nil || scan != nil || pid < 2 {
		t.Fatalf("the PID of dockerd's containerd: %q, %v", b, err)
	}
	return pid
}
