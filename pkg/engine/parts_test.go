package engine

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// The processes of a real engine are found, each by what the kernel says of it.
func (l *lab) testParts(t *testing.T) {
	e := l.open(t, nil)
	targets := l.resolve(t, e, Query{Names: []string{"web"}})
	parts := e.Parts(t.Context())
	if len(parts) != 2 || parts[0].Role != evidence.RoleDaemon || parts[0].PID != l.PID() ||
		parts[1].Role != evidence.RoleContainerd || parts[1].Trouble != "" || commOf("/proc", parts[1].PID) != "containerd" {
		t.Fatalf("%+v", parts)
	}
	found, ok := e.Shims(t.Context(), l.web)
	if !ok || len(found) != 1 || found[0].Role != evidence.RoleShim || found[0].Address != parts[1].Address {
		t.Fatalf("%+v, %v", found, ok)
	}
	init, _ := scanProcesses("/proc").get(targets[0].PID)
	if s, ok := e.ShimOf(t.Context(), l.web, init.ppid); !ok || s.PID != found[0].PID {
		t.Errorf("the shim by the init's parent: %+v, %v", s, ok)
	}
	if s, ok := e.ShimOf(t.Context(), l.db, init.ppid); ok {
		t.Errorf("another container's shim: %+v", s)
	}
	if d := e.Describe(); d.LiveRestore == nil || *d.LiveRestore || d.Rootless || d.UsersRemapped {
		t.Errorf("%+v", d)
	}
}

// A connection tells who listens, or why nobody does.
func TestListenerAt(t *testing.T) {
	dir := shortDir(t)
	if pid, trouble := listenerAt(filepath.Join(dir, "none")); pid != 0 || trouble != troubleGone {
		t.Errorf("no socket: %d %q", pid, trouble)
	}
	path := filepath.Join(dir, "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if pid, trouble := listenerAt(path); pid == 0 || trouble != "" {
		t.Errorf("a listener: %d %q", pid, trouble)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if pid, trouble := listenerAt(path); pid != 0 || trouble != troubleRefused {
		t.Errorf("nobody listens: %d %q", pid, trouble)
	}
}

func TestLastError(t *testing.T) {
	log := `{"level":"warning","msg":"a"}
{"level":"error","msg":"exec: \"/x\": permission denied"}
not JSON
`
	if got := lastError([]byte(log)); got != `exec: "/x": permission denied` {
		t.Errorf("%q", got)
	}
	if got := lastError(nil); got != "" {
		t.Errorf("an empty log: %q", got)
	}
}
