package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestExecStart(t *testing.T) {
	for unit, want := range map[string][]string{
		"": nil,
		"[Service]\nExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n": {"/usr/bin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"},
		"ExecStart=/usr/bin/dockerd $DOCKER_OPTS --data-root \\\n  \"/srv/docker\"\n":                   {"/usr/bin/dockerd", "--data-root", "/srv/docker"},
		"ExecStart=/a\nExecStart=\nExecStart=/b --exec-root=/x\n":                                       {"/b", "--exec-root=/x"},
	} {
		if got := execStart(unit); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", unit, got, want)
		}
	}
}

// A drop-in wins over the unit, and an administrator's over the package's.
func TestUnitCommand(t *testing.T) {
	etc, lib := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dirs := []string{etc, lib}
	if got := unitCommand(dirs, dockerUnit); got != nil {
		t.Errorf("no unit: %q", got)
	}
	write(lib, "docker.service", "ExecStart=/usr/bin/dockerd --data-root /one\n")
	if got := flagValue(unitCommand(dirs, dockerUnit), "data-root"); got != "/one" {
		t.Errorf("the package's: %q", got)
	}
	write(lib, "docker.service.d/10.conf", "ExecStart=\nExecStart=/usr/bin/dockerd --data-root /two\n")
	write(etc, "docker.service.d/10.conf", "ExecStart=\nExecStart=/usr/bin/dockerd --data-root /three\n")
	if got := flagValue(unitCommand(dirs, dockerUnit), "data-root"); got != "/three" {
		t.Errorf("with drop-ins: %q", got)
	}
}
