package enginetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// A ghost by a lost exit: containerd and the shim crash together, and containerd
// ends the container when it comes back, without telling. docker stop heals it.
func (l *lab) lostExit(t *testing.T) {
	pid := l.run(t, l.own, "lost", "lab", "exit")
	shim := l.shim(t, l.own, "lost")
	heal := healing(t, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := l.own.StartContainerd(ctx); err != nil {
			t.Errorf("starting containerd again: %v", err)
		}
	})
	l.own.KillContainerd()
	if err := syscall.Kill(shim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	bed.Eventually(5*time.Second, func() bool { return gone(shim) })
	b := l.ask(t, l.own, "lost")
	b.wants(t, diagnose.Ghost, []string{"WS312", "WS316"})
	heal()
	if !bed.Eventually(20*time.Second, func() bool { return gone(pid) }) {
		t.Fatal("containerd has not ended it")
	}
	a := l.ask(t, l.own, "lost", "-t", "2")
	a.wants(t, diagnose.Ghost, []string{"WS301"}, "docker stop lost")
	stop := l.later(l.own, "stop", "-t", "2", "lost")
	stop.returns(t, 40*time.Second)
	stop.told(t, a.Stop.Command)
	if s := l.state(t, l.own, "lost"); !strings.HasPrefix(s, "exited") {
		t.Errorf("after the way out: %s", s)
	}
	l.row(t, a, stop.sums())
}

// A shim that is killed: containerd ends its container at once, and books it.
func (l *lab) shimKilled(t *testing.T) {
	pid := l.run(t, l.plain, "shimkill", "lab", "ign")
	if err := syscall.Kill(l.shim(t, l.plain, "shimkill"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !bed.Eventually(20*time.Second, func() bool { return gone(pid) && l.state(t, l.plain, "shimkill") == "exited 137" }) {
		t.Errorf("after the shim's death: %s", l.state(t, l.plain, "shimkill"))
	}
	a := l.ask(t, l.plain, "shimkill")
	a.wants(t, diagnose.NotRunning, nil)
	a.innocent(t)
	l.row(t, a, "-")
}

// An exec whose client has been stopped holds back the exit of the container. Two
// of them: docker stop heals the one, letting the client go on the other.
func (l *lab) execHolds(t *testing.T) {
	clients := []int{l.execGhost(t, "exec-stop"), l.execGhost(t, "exec-cont")}
	time.Sleep(3 * time.Second)
	for i, name := range []string{"exec-stop", "exec-cont"} {
		if s := l.state(t, l.plain, name); s != "running 0" {
			t.Errorf("%s: docker says %s: no ghost at all", name, s)
		}
		l.ask(t, l.plain, name).wants(t, diagnose.Ghost, []string{"WS320"}, fmt.Sprintf("kill -CONT %d", clients[i]))
	}
	a := l.ask(t, l.plain, "exec-stop", "-t", "2")
	stop := l.later(l.plain, "stop", "-t", "2", "exec-stop")
	l.ask(t, l.plain, "exec-cont").wayOut(t, "kill -CONT")
	l.exits(t, "exec-cont")
	stop.returns(t, 60*time.Second)
	stop.told(t, a.Stop.Command)
	l.exits(t, "exec-stop")
	l.row(t, a, stop.sums())
}

// execGhost makes a ghost by a docker exec whose client is stopped while the
// output flows, and gives the PID of that client.
func (l *lab) execGhost(t *testing.T, name string) int {
	pid := l.run(t, l.plain, name, "lab", "exit")
	client := exec.Command("docker", "exec", name, "/siglab", "flood")
	client.Env = l.plain.Env()
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	healing(t, func() { _ = client.Process.Kill(); _ = client.Wait() })
	if _, err := out.Read(make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(client.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // for when it goes on
	time.Sleep(3 * time.Second)                     // until all pipes on the way are full
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !bed.Eventually(10*time.Second, func() bool { return gone(pid) }) {
		t.Fatal("it does not die")
	}
	return client.Process.Pid
}

// exits waits for a container to be booked as exited.
func (l *lab) exits(t *testing.T, name string) {
	t.Helper()
	if !bed.Eventually(20*time.Second, func() bool { return strings.HasPrefix(l.state(t, l.plain, name), "exited") }) {
		t.Errorf("%s, after the way out: %s", name, l.state(t, l.plain, name))
	}
}

// A log driver whose receiver does not read holds back the handling of the exit.
func (l *lab) logHolds(t *testing.T) {
	receiver, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 16)
	go func() {
		for {
			c, err := receiver.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	heal := healing(t, func() {
		_ = receiver.Close()
		for {
			select {
			case c := <-conns:
				_ = c.Close()
			default:
				return
			}
		}
	})
	pid := l.run(t, l.plain, "log", "--log-driver", "syslog", "--log-opt", "syslog-address=tcp://"+receiver.Addr().String(), "lab", "flood")
	time.Sleep(8 * time.Second)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	bed.Eventually(10*time.Second, func() bool { return gone(pid) })
	time.Sleep(14 * time.Second) // dockerd gives the copying of the log 10 s
	a := l.ask(t, l.plain, "log")
	a.wants(t, diagnose.Stuck, []string{"WS321"}, "syslog")
	a.never(t)
	stop := l.later(l.plain, "stop", "-t", "1", "log")
	time.Sleep(3 * time.Second)
	stop.waits(t)
	heal()
	stop.returns(t, 40*time.Second)
	l.exits(t, "log")
	l.row(t, a, stop.sums())
}
