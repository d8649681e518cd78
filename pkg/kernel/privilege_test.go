package kernel

import (
	"errors"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutPrivilege runs do in a thread that has no capabilities.
func withoutPrivilege(t *testing.T, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		err := unix.Capset(&hdr, &none[0])
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestWithoutPrivilege(t *testing.T) {
	withoutPrivilege(t, func() {
		_, loading := load()
		for what, err := range map[string]error{"Available": Available(), "load": loading} {
			if !errors.Is(err, ErrPrivilege) || !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", what, err)
			} else if !strings.Contains(err.Error(), "needs root (CAP_BPF, CAP_PERFMON)") {
				t.Errorf("%s: %q does not say what is missing", what, err)
			}
		}
	})
}
