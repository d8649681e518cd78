package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCgroupID(t *testing.T) {
	full := id("ab")
	for name, want := range map[string]string{
		full: full, "docker-" + full + ".scope": full, "libpod-" + full + ".scope": full, "cri-containerd-" + full + ".scope": full,
		"system.slice:docker:" + full: full, "x" + full: "", full + "0": "", full[:63]: "", "libpod-conmon-" + full + ".scope": "", "docker.service": "", "": "",
	} {
		if got := cgroupID(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestCgroupsOf(t *testing.T) {
	root := t.TempDir()
	one, two := id("aa"), id("bb")
	for _, dir := range []string{"freezer/docker/" + one, "pids/docker/" + one, "memory/x/y/" + two + "/" + one, "cpu/docker/" + one, "unified"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got := cgroupsOf(root, one[:12])
	if want := []string{root + "/freezer/docker/" + one, root + "/pids/docker/" + one}; !slices.Equal(got, want) {
		t.Errorf("v1: %v", got)
	}
	put(t, root+"/cgroup.controllers", "")
	if got := cgroupsOf(root, two[:12]); len(got) != 1 || got[0] != root+"/memory/x/y/"+two {
		t.Errorf("v2: %v", got)
	}
	put(t, root+"/freezer/docker/"+one+"/cgroup.procs", "0\n12\n13\n")
	if got := cgroupMembers(root + "/freezer/docker/" + one); !slices.Equal(got, []int{12, 13}) {
		t.Errorf("members: %v", got)
	}
}

func TestParseShim(t *testing.T) {
	full := id("ab")
	for name, c := range map[string]struct {
		comm  string
		argv  []string
		ok    bool
		owner string
	}{
		"docker":      {"containerd-shim", []string{"/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", full, "-address", "/x"}, true, ""},
		"remapped":    {"containerd-shim", []string{"s", "-namespace", "moby-1.1", "-id", full}, true, ""},
		"kubernetes":  {"containerd-shim", []string{"s", "-namespace", "k8s.io", "-id", full}, true, `containerd (namespace "k8s.io")`},
		"no id":       {"containerd-shim", []string{"s", "-namespace", "moby", "-id"}, false, ""},
		"name as id":  {"containerd-shim", []string{"s", "-namespace", "default", "-id", "web"}, false, ""},
		"podman":      {"conmon", []string{"/usr/bin/conmon", "--api-version", "1", "-c", full, "-u", full}, true, "Podman or CRI-O"},
		"podman exec": {"conmon", []string{"/usr/bin/conmon", "-c", full, "-u", id("cd"), "-e", "--exec-attach"}, true, "Podman or CRI-O"},
		"no argument": {"containerd-shim", []string{""}, false, ""},
	} {
		s, ok := parseShim(process{pid: 3, comm: c.comm}, c.argv)
		if helper := s.action == "exec"; helper != (name == "podman exec") {
			t.Errorf("%s: action %q", name, s.action)
		}
		if ok != c.ok || ok && (s.owner != c.owner || s.id != full || s.pid != 3) {
			t.Errorf("%s: %+v, %v", name, s, ok)
		}
	}
}

func TestParseStat(t *testing.T) {
	p, ok := parseStat([]byte("7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1 1\n"))
	if !ok || p != (process{pid: 7, ppid: 3, comm: "a) b (c)", start: 99, state: 'S', threads: 1}) {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, text := range []string{"", "7", "7 (x", "(x) S 1", "7 (x) S 1 2", "a (x) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99"} {
		if p, ok := parseStat([]byte(text)); ok {
			t.Errorf("%q gives %+v", text, p)
		}
	}
}

func TestScanProcesses(t *testing.T) {
	ps := scanProcesses("/proc")
	us, ok := ps.get(os.Getpid())
	if !ok || us.ppid != os.Getppid() || us.start == 0 {
		t.Errorf("ourselves: %+v, %v", us, ok)
	}
	if !slices.Contains(ps.children(os.Getppid()), os.Getpid()) {
		t.Error("we are no child of our parent")
	}
	if _, ok := ps.get(1 << 30); ok {
		t.Error("found a process that there cannot be")
	}
}
