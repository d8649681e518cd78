package engine

import (
	"net"
	"os"
	"path/filepath"
	"slices"
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

// Below a foreign root an absolute link leads to a socket of that root, not to
// ours of the same path.
func TestListenerBelowRoot(t *testing.T) {
	root, ours := shortDir(t), shortDir(t)
	listen := func(path string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	listen(filepath.Join(ours, "s"))
	if err := os.Symlink(ours, filepath.Join(root, "run")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	foreign := tree{root: f}
	if pid, trouble := foreign.listener("/run/s"); pid != 0 || trouble != troubleGone {
		t.Errorf("our own socket is taken for the engine's: %d %q", pid, trouble)
	}
	listen(filepath.Join(root, ours, "s"))
	if pid, trouble := foreign.listener("/run/s"); pid == 0 || trouble != "" {
		t.Errorf("the engine's own socket: %d %q", pid, trouble)
	}
}

// A program in a container may call itself a shim.
func TestGenuineShim(t *testing.T) {
	outer, own := id("aa"), id("bb")
	proc := t.TempDir()
	for pid, cgroup := range map[string]string{"10": "0::/system.slice/containerd.service", "11": "0::/docker/" + own, "12": "0::/docker/" + outer + "/system", "13": "0::/docker/" + outer + "/docker/" + own} {
		argv := "containerd-shim-runc-v2\x00-namespace\x00moby\x00-id\x00" + own + "\x00-address\x00/x\x00"
		for file, text := range map[string]string{"cgroup": cgroup + "\n", "cmdline": argv} {
			path := filepath.Join(proc, pid, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var procs processes
	for pid := 10; pid <= 13; pid++ {
		procs = append(procs, process{pid: pid, comm: "containerd-shim"})
	}
	for name, c := range map[string]struct {
		inside *[]string
		want   []int
	}{
		"an engine of the host":      {&[]string{}, []int{10}},
		"an engine in a container":   {&[]string{outer}, []int{10, 12}},
		"an engine that is not seen": {nil, []int{10, 12}},
	} {
		var got []int
		for _, p := range shimParts(proc, own, procs, c.inside) {
			got = append(got, p.PID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
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
