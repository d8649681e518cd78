// Package bed is the ground the tests stand on: a private Docker engine that is
// never the user's, a small C program that takes signals in every way there is,
// and images made from programs of this machine, without a registry.
//
// Several engines can run side by side, each with its own socket, data root,
// exec root and cgroup. What an engine started is gone when it is stopped, also
// what Docker itself would leave behind (shims, mounts, cgroups).
//
// It is for tests, `make demo` and `make truth`; nothing in the program itself
// imports it.
package bed

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// RequireEnv names the requirements whose absence fails a test instead of
// skipping it, comma-separated: WHYSTUCK_REQUIRE=docker,root.
const RequireEnv = "WHYSTUCK_REQUIRE"

// Require skips the test, loudly, when one of what is missing on this machine,
// and fails it when RequireEnv names that one: a CI run that quietly tests
// nothing is worse than a red one. what is "root", "docker" (the engine and the
// CLI), "fuse", or the name of a program.
func Require(t testing.TB, what ...string) {
	t.Helper()
	for _, w := range what {
		err := Missing(w)
		if err == nil {
			continue
		}
		if slices.Contains(strings.Split(os.Getenv(RequireEnv), ","), w) {
			t.Fatalf("%s is required by %s: %v", w, RequireEnv, err)
		}
		fmt.Fprintf(os.Stderr, "SKIPPED %s: needs %s: %v\n", t.Name(), w, err)
		t.Skipf("SKIPPED: needs %s: %v", w, err)
	}
}

// Missing says why a requirement is not met on this machine; nil when it is.
func Missing(what string) error {
	switch what {
	case "root":
		if os.Geteuid() != 0 {
			return fmt.Errorf("running as uid %d", os.Geteuid())
		}
		return nil
	case "docker":
		for _, p := range []string{"dockerd", "docker"} {
			if _, err := exec.LookPath(p); err != nil {
				return err
			}
		}
		return nil
	case "fuse":
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	_, err := exec.LookPath(what)
	return err
}

// StartDaemon gives the test a private engine, which ends with the test. It
// skips the test where there is no root or no engine to start. An engine that
// cannot be cleared away completely fails the test.
func StartDaemon(t testing.TB) *Daemon {
	t.Helper()
	return StartDaemonWith(t, Options{})
}

// StartDaemonWith is StartDaemon for an engine that differs.
func StartDaemonWith(t testing.TB, opt Options) *Daemon {
	t.Helper()
	Require(t, "root", "docker")
	dir, err := TempDir()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextFor(startTimeout)
	defer cancel()
	d, err := NewDaemonWith(ctx, dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the engine's log:\n%s", d.LogTail(4000))
		}
		if err := d.stop(); err != nil {
			t.Errorf("stopping the private engine: %v", err)
		}
	})
	return d
}

// TempDir makes a directory for NewDaemon. Its path is short because a unix
// socket's path must fit into 108 bytes, which t.TempDir's does not.
func TempDir() (string, error) {
	dir, err := os.MkdirTemp("/tmp", "ws")
	if err != nil {
		return "", fmt.Errorf("making the engine's directory: %w", err)
	}
	return dir, nil
}

// startTimeout is generous: the first start of an engine on a loaded machine
// with two cores was seen to take more than 20 s.
const startTimeout = 90 * time.Second
