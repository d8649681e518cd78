package engine

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/whystuck/whystuck/scripts/bed"
)

// systemd called listen(2): the engine is found by the socket's inode.
func (l *lab) testSocketActivation(t *testing.T) {
	e := l.open(t, nil)
	e.conn.peer = 1
	if commOf("/proc", 1) != "systemd" {
		e.conn.peer = 0 // as where PID 1 cannot be told
	}
	if pid := e.enginePID(thorough); pid != l.PID() {
		t.Errorf("found PID %d, the engine is %d", pid, l.PID())
	}
	if pid := e.enginePID(quick); pid != 0 {
		t.Errorf("a quick look found PID %d: it may not search all processes", pid)
	}
	e.conn.peer = os.Getpid()
	if pid := e.enginePID(thorough); pid != 0 {
		t.Errorf("a forwarder listens, and the engine was taken to be PID %d", pid)
	}
	h := homeOfProcess("/proc", l.PID())
	if h == nil || h.data != l.DataRoot() || h.exec != l.ExecRoot() || h.namespace != "moby" || h.fs.root != nil {
		t.Errorf("its files: %+v", h)
	}
}

// An engine in a mount namespace of its own has another /var/run than we.
func TestTreeOfOtherMountNamespace(t *testing.T) {
	bed.Require(t, "root", "unshare")
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c",
		`mount -t tmpfs none "$0" && mkdir "$0/real" && echo theirs >"$0/real/x" && ln -s "$0/real" "$0/link" && echo ready && exec sleep 60`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	put(t, filepath.Join(dir, "real/x"), "ours")
	theirs, err := treeOf("/proc", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := theirs.read(dir+"/link/x", 100); err != nil || string(b) != "theirs\n" {
		t.Errorf("read %q, %v", b, err)
	}
	ours, err := treeOf("/proc", os.Getpid())
	if err != nil || ours.root != nil {
		t.Errorf("our own: %+v, %v", ours, err)
	}
}

func TestDefaultsOf(t *testing.T) {
	bed.Require(t, "root") // for chown
	proc := t.TempDir()
	put(t, proc+"/5/environ", "")
	if config, data, exec := defaultsOf(proc, 5); config != "/etc/docker/daemon.json" || data != "/var/lib/docker" || exec != "/var/run/docker" {
		t.Errorf("of root: %s %s %s", config, data, exec)
	}
	for environ, want := range map[string]string{
		"HOME=/home/u|XDG_RUNTIME_DIR=/run/user/7":                                         "/home/u/.config/docker/daemon.json /home/u/.local/share/docker /run/user/7/docker",
		"HOME=/h|XDG_CONFIG_HOME=/c|XDG_DATA_HOME=/d|XDG_RUNTIME_DIR=/r|ODD|EMPTY=|=value": "/c/docker/daemon.json /d/docker /r/docker",
		"": "  ",
	} {
		put(t, proc+"/7/environ", strings.ReplaceAll(environ, "|", "\x00"))
		if err := os.Chown(proc+"/7", 1000, 1000); err != nil {
			t.Fatal(err)
		}
		config, data, exec := defaultsOf(proc, 7)
		if got := config + " " + data + " " + exec; got != want {
			t.Errorf("%q: got %q, want %q", environ, got, want)
		}
	}
}

// A dead engine at the default socket has the default directories; one at any
// other socket could be anyone's.
func TestHomeOfDeadEngine(t *testing.T) {
	if _, err := os.Stat(defaultConfigFile); err == nil {
		t.Skip("this machine has an own " + defaultConfigFile)
	}
	for _, c := range []struct {
		socket, trouble string
		options         Options
		want            string
	}{
		{defaultSocket, troubleRefused, Options{}, "/var/lib/docker /var/run/docker"},
		{"/run/docker.sock", troubleGone, Options{}, "/var/lib/docker /var/run/docker"},
		{defaultSocket, troubleTimeout, Options{}, ""},
		{defaultSocket, troubleDenied, Options{}, ""},
		{"/tmp/none.sock", troubleRefused, Options{}, ""},
		{"/tmp/none.sock", troubleRefused, Options{DataRoot: "/d"}, "/d "},
		{defaultSocket, troubleRefused, Options{ExecRoot: "/e"}, "/var/lib/docker /e"},
		{"", troubleRefused, Options{}, ""}, // tcp
	} {
		c.options.ProcRoot = t.TempDir() // no process listens on anything
		e := &Engine{opt: c.options, at: endpoint{socket: c.socket}, conn: &transport{}, api: &api{}, trouble: c.trouble}
		got := ""
		if h := e.searchHome(c.trouble, thorough); h != nil {
			got = h.data + " " + h.exec
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestSocketPaths(t *testing.T) {
	got := socketPaths("/run/x.sock")
	if got[0] != "/run/x.sock" || got[len(got)-1] != "/var/run/x.sock" {
		t.Error(got)
	}
	dir := t.TempDir()
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if got := socketPaths(dir + "/link/s"); len(got) != 2 || got[1] != dir+"/s" {
		t.Error(got)
	}
}
