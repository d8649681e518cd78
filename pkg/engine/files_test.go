package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFlagValue(t *testing.T) {
	for line, want := range map[string]string{
		"dockerd":                             "",
		"dockerd --data-root /a":              "/a",
		"dockerd --data-root=/a":              "/a",
		"dockerd --data-root /a -g /b":        "/b",
		"dockerd -g=/b --data-root=/a":        "/a",
		"dockerd -g/b":                        "/b",
		"dockerd --data-rooted /a":            "",
		"dockerd --data-root":                 "",
		"dockerd -H fd:// --exec-root /x":     "",
		"dockerd --data-root /a --data-root=": "",
	} {
		if got := flagValue(strings.Fields(line), "data-root", "g"); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestConfigure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "daemon.json")
	put(t, file, `{"data-root":"/conf","exec-root":"/confexec","default-stop-timeout":25,"userns-remap":"default","hosts":["x"]}`)
	var h home
	h.configure(nil, file, "/d", "/e")
	if h.data != "/conf" || h.exec != "/confexec" || h.namespace != "moby" || !h.remapped || h.stopTimeout == nil || *h.stopTimeout != 25 {
		t.Errorf("from the file: %+v", h)
	}
	h = home{}
	h.configure(strings.Fields("dockerd --config-file "+file+" --data-root rel --default-stop-timeout=0 --containerd-namespace x"), "/none", "/d", "/e")
	if h.data != "" || h.namespace != "x" || h.stopTimeout == nil || *h.stopTimeout != 0 {
		t.Errorf("a relative root is not known to us; flags win: %+v", h)
	}
	h = home{}
	put(t, file, `{"data-root":`)
	h.configure(nil, file, "/d", "/e")
	if h.data != "/d" || h.exec != "/e" || h.stopTimeout != nil {
		t.Errorf("without a file: %+v", h)
	}
}

func TestAtLeast(t *testing.T) {
	for v, want := range map[string]bool{"29.7.0": true, "29.7.0-rc.1": true, "29.10": true, "30.0.0": true, "29.6.9": false, "20.10.24+dfsg1": false, "": false, "dev": false, "29": false} {
		if atLeast(v, 29, 7) != want {
			t.Errorf("atLeast(%q, 29, 7) is %v", v, !want)
		}
	}
}

const minimalConfig = `{"ID":"%","Name":"/n%","State":{"Running":true,"Pid":7,"StartedAt":"2026-01-01T00:00:00Z"},"Config":{"Image":"i"}}`

func putContainer(t *testing.T, dir, id string) {
	t.Helper()
	put(t, filepath.Join(dir, id, "config.v2.json"), strings.ReplaceAll(strings.Replace(minimalConfig, "/n%", "/n"+id[:2], 1), "%", id))
}

func TestReadAll(t *testing.T) {
	h := &home{data: t.TempDir()}
	dir := filepath.Join(h.data, "containers")
	putContainer(t, dir, id("a1"))
	put(t, filepath.Join(dir, id("a1"), "hostconfig.json"), `{"PidMode":"host"}`)
	putContainer(t, dir, id("b2"))
	put(t, filepath.Join(dir, id("b2"), "hostconfig.json"), `{"PidMo`) // cut by a full disk
	put(t, filepath.Join(dir, id("c3"), "config.v2.json"), `{`)
	put(t, filepath.Join(dir, "no-id", "config.v2.json"), minimalConfig)
	put(t, filepath.Join(dir, id("d4"), "config.v2.json"), `{"ID":"`+id("a1")+`"}`) // a copy of another
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, id("e5")), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, id("e5"), "config.v2.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := h.list(t.Context(), "/proc")
	if err != nil || len(list) != 2 {
		t.Fatalf("%d containers, %v", len(list), err)
	}
	a, b := list[0], list[1]
	if a.id != id("a1") || a.names[0] != "na1" || a.known.PidMode != "host" || a.known.Source != "engine-files" || a.known.Inspected || a.status != "running" {
		t.Errorf("%+v, %+v", a, a.known)
	}
	if b.id != id("b2") || b.known.PID != 7 || b.known.PidMode != "" {
		t.Errorf("%+v, %+v", b, b.known)
	}
	if _, err := (&home{data: "/nonexistent"}).list(t.Context(), "/proc"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
	if _, err := (&home{}).list(t.Context(), "/proc"); !errors.Is(err, errNoHome) {
		t.Errorf("no directory known: %v", err)
	}
}

func TestRemappedDirs(t *testing.T) {
	h := &home{data: t.TempDir(), remapped: true}
	putContainer(t, filepath.Join(h.data, "100000.100000/containers"), id("a1"))
	putContainer(t, filepath.Join(h.data, "containers"), id("b2")) // of the time before
	list, err := h.list(t.Context(), "/proc")
	if err != nil || len(list) != 1 || list[0].id != id("a1") {
		t.Errorf("%v, %v", list, err)
	}
}

func TestRecord(t *testing.T) {
	h := &home{exec: t.TempDir(), namespace: "moby"}
	state := `{"init_process_pid":5,"init_process_start":6}`
	put(t, filepath.Join(h.exec, "runtime-runc/moby", id("a"), "state.json"), state)
	put(t, filepath.Join(h.exec, "runtime-crun/moby", id("b"), "state.json"), state)
	put(t, filepath.Join(h.exec, "runtime-runc/other", id("c"), "state.json"), state)
	put(t, filepath.Join(h.exec, "containerd/daemon/io.containerd.runtime.v2.task/moby", id("d"), "init.pid"), "77\n")
	put(t, filepath.Join(h.exec, "runtime-runc/moby-1.1", id("e"), "state.json"), state)
	full := runtimeState{PID: 5, Start: 6}
	for c, want := range map[string]runtimeState{id("a"): full, id("b"): full, id("c"): {}, id("d"): {PID: 77}, id("e"): {}, "../../a": {}, "": {}} {
		if got := h.record(c); got != want {
			t.Errorf("%.4s: %+v, want %+v", c, got, want)
		}
	}
	h.remapped = true
	if got := h.record(id("e")); got != full {
		t.Errorf("remapped: %+v", got)
	}
}

// Below a foreign root an absolute link does not lead to our own files.
func TestTreeStaysInside(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "run/x"), "theirs")
	if err := os.MkdirAll(filepath.Join(dir, "var"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"var/run": "/run", "passwd": "/etc/passwd", "up": "../../../../../../etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fs := tree{root: root}
	if b, err := fs.read("/var/run/x", 100); err != nil || string(b) != "theirs" {
		t.Errorf("%q, %v", b, err)
	}
	for _, link := range []string{"/passwd", "/up"} {
		if fs.exists(link) {
			t.Errorf("%s leads out of the root", link)
		}
	}
	if _, err := fs.read("/var/run/x", 3); err == nil || !strings.Contains(err.Error(), "larger than 3") {
		t.Errorf("no bound: %v", err)
	}
}

func TestParseSocketInode(t *testing.T) {
	table := []byte(`Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 111 /run/docker.sock
0000000000000000: 00000003 00000000 00000000 0001 03 112 /run/docker.sock
0000000000000000: 00000002 00000000 00010000 0001 01 113 /run/other.sock
0000000000000000: 00000002 00000000 00010000 0001 01 114 /run/two.sock
0000000000000000: 00000002 00000000 00010000 0001 01 115 /run/two.sock
0000000000000000: 00000003 00000000 00000000 0001 03 116
odd
`)
	for path, want := range map[string]string{"/run/docker.sock": "111", "/run/other.sock": "113", "/run/two.sock": "", "/run/none": ""} {
		if got := parseSocketInode(table, []string{path}); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
