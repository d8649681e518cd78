package engine

import (
	"slices"
	"testing"

	"github.com/prometheus/procfs"
)

func TestCgroupIDs(t *testing.T) {
	a, b := id("aa"), id("bb")
	for line, want := range map[string][]string{
		"0::/docker/" + a + "\n":                                    {a},
		"4:freezer:/docker/" + a + "/docker/" + b:                   {a, b},
		"0::/system.slice/docker-" + a + ".scope/init.scope":        {a},
		"0::/kubepods.slice/x.slice/cri-containerd-" + a + ".scope": {a},
		"0::/user.slice/user-0.slice/session-1.scope":               nil,
		"": nil,
	} {
		if got := cgroupIDs(line); !slices.Equal(got, want) {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestOwnsContainerd(t *testing.T) {
	h := &home{exec: "/var/run/docker"}
	for address, want := range map[string]answer{
		"/var/run/docker/containerd/containerd.sock": yes,
		"/run/containerd/containerd.sock":            unknown, // several may share it
		"/tmp/other/containerd/containerd.sock":      no,
		"":                                           unknown,
	} {
		if got := h.ownsContainerd(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
	h.containerd = "/opt/c.sock"
	if h.ownsContainerd("/opt/c.sock") != unknown || (*home)(nil).ownsContainerd("/x") != unknown {
		t.Error("a containerd that was given is not known to be the engine's alone")
	}
}

// What a process has mounted says whose it is, and copies of it elsewhere do not.
func TestMountProof(t *testing.T) {
	m := &mountProofs{roots: []engineRoot{{"/var/lib/docker", "8:1"}, {"/data/docker", "8:1"}}}
	file := id("aa")
	overlay := func(point, upper string) *procfs.MountInfo {
		return &procfs.MountInfo{MountPoint: point, FSType: "overlay", SuperOptions: map[string]string{"upperdir": upper}}
	}
	bind := func(point, dev, root string) *procfs.MountInfo {
		return &procfs.MountInfo{MountPoint: point, FSType: "ext4", MajorMinorVer: dev, Root: root}
	}
	for name, c := range map[string]struct {
		table []*procfs.MountInfo
		id    string
		ours  bool
	}{
		"overlay":           {[]*procfs.MountInfo{overlay("/", "/var/lib/docker/overlay2/x/diff")}, "", true},
		"real path":         {[]*procfs.MountInfo{overlay("/", "/data/docker/overlay2/x/diff")}, "", true},
		"another engine's":  {[]*procfs.MountInfo{overlay("/", "/srv/docker/overlay2/x/diff")}, "", false},
		"like ours":         {[]*procfs.MountInfo{overlay("/", "/var/lib/docker-2/overlay2/x/diff")}, "", false},
		"a copy":            {[]*procfs.MountInfo{overlay("/var/lib/docker/overlay2/x/merged", "/var/lib/docker/overlay2/x/diff")}, "", false},
		"own file":          {[]*procfs.MountInfo{bind("/etc/hosts", "8:1", "/docker/containers/"+file+"/hosts//deleted")}, file, true},
		"another disk":      {[]*procfs.MountInfo{bind("/etc/hosts", "8:2", "/docker/containers/"+file+"/hosts")}, file, false},
		"an inner engine's": {[]*procfs.MountInfo{bind("/etc/hosts", "8:1", "/data/docker/volumes/v/_data/containers/"+file+"/hosts")}, file, false},
		"elsewhere":         {[]*procfs.MountInfo{bind("/srv", "8:1", "/docker/containers/"+file+"/hosts")}, "", false},
		"no id":             {[]*procfs.MountInfo{bind("/etc/hosts", "8:1", "/docker/containers/x/hosts")}, "", false},
		"foreign root, ours by file": {[]*procfs.MountInfo{overlay("/", "/var/lib/containerd/s/1/fs"),
			bind("/etc/hostname", "8:1", "/docker/containers/"+file+"/hostname")}, file, true},
		"nothing": {[]*procfs.MountInfo{nil}, "", false},
	} {
		if got := m.judge(c.table); got.id != c.id || got.ours != c.ours {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Podman's own files lie below its run root, one directory for each container.
func TestPodmanPaths(t *testing.T) {
	full := id("aa")
	got, root := ownFileOf("/var/run/pod/overlay-containers/" + full + "/userdata/hosts")
	if got != full || root != "/var/run/pod" {
		t.Errorf("%q %q", got, root)
	}
	h := &home{podman: true, data: "/var/lib/containers/storage", exec: "/run/containers/storage"}
	mine := "/var/lib/containers/storage/overlay-containers/x/userdata"
	if h.ownsConmon(shim{bundle: mine}) != yes || h.ownsConmon(shim{bundle: "/srv/storage/overlay-containers/x"}) != no ||
		(&home{data: "/var/lib/docker"}).ownsConmon(shim{bundle: "/var/lib/docker/x"}) != unknown {
		t.Error("whose a conmon is")
	}
	if h.ownsConmon(shim{bundle: mine, user: 1000}) != no {
		t.Error("another user's program is believed by its arguments")
	}
	if h.ownsContainerd("/run/containerd/containerd.sock") != no {
		t.Error("a shim of containerd is taken for Podman's")
	}
	conf := "[storage]\n  driver = \"overlay\"\n# graphroot = \"/no\"\ngraphroot = \"/srv/g\"\n"
	if tomlValue(conf, "graphroot") != "/srv/g" || tomlValue(conf, "runroot") != "" {
		t.Error("storage.conf")
	}
}
