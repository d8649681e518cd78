package probe

import (
	"context"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListeners(t *testing.T) {
	const table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n" +
		"   1: 0100007F:1F90 0100007F:9C41 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n" +
		"   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1\n" +
		"   3: 0100007F:0050 short 0A\n"
	for port, want := range map[int][]string{8080: {"111"}, 80: {"333"}, 0x1F9: nil} {
		if got := listeners([]byte(table), port); !slices.Equal(got, want) {
			t.Errorf("port %d: %v, want %v", port, got, want)
		}
	}
}

// Our own listener: found as ours, and not as somebody else's.
func TestListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	p, pid := New(Config{}), os.Getpid()
	if !p.Listens(pid, port, nil, false) || !p.Listens(pid, port, []Member{{PID: pid}}, true) {
		t.Error("our listener is not found")
	}
	if p.Listens(pid, port, []Member{{PID: 1}}, true) {
		t.Error("our listener is taken for that of PID 1")
	}
	_ = l.Close()
	if p.Listens(pid, port, nil, false) {
		t.Error("it is closed")
	}
}

func TestCensus(t *testing.T) {
	needRoot(t)
	cmd, _ := running(t, pidNamespace(), "tree")
	cgroupFor(t, anyHierarchy(), cmd.Process.Pid)
	p := New(Config{})
	members, ok := p.Census(t.Context(), cmd.Process.Pid, containerID)
	if !ok || len(members) != 1 || members[0].PID != cmd.Process.Pid || members[0].StartTicks == 0 || members[0].Busy {
		t.Errorf("%+v, %v", members, ok)
	}
	if _, ok := p.Census(t.Context(), os.Getpid(), containerID); ok {
		t.Error("we are not that container")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = p.Census(done, cmd.Process.Pid, containerID) // does not wait, whatever it says
	if err := unix.Kill(cmd.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, ok := p.Census(t.Context(), cmd.Process.Pid, containerID); ok {
		t.Errorf("process %s has ended", strconv.Itoa(cmd.Process.Pid))
	}
}
