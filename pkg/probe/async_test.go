package probe

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestHasRing(t *testing.T) {
	const ring = "7ff1b0e9c000-7ff1b0e9d000 rw-s 00000000 00:13 5236576                    /[aio] (deleted)\n"
	for maps, want := range map[string]bool{
		"": false,
		"55e2d72de000-55e2d72df000 r--p 00000000 fe:00 1 /bin/a\n" + ring:       true,
		"7ff1b0e9c000-7ff1b0e9d000 rw-s 00000000 fe:00 7 /[aio] (deleted)\n":    false, // a file of that name on a disk
		"7ff1b0e9c000-7ff1b0e9d000 rw-p 00000000 00:13 7 /[aio] (deleted)\n":    false,
		"7ff1b0e9c000-7ff1b0e9d000 rw-s 00000000 00:13 7 /x /[aio] (deleted)\n": false,
		"7ff1b0e9c000-7ff1b0e9d000 rw-s 00000000 00:13 7 /[aio]\n":              false,
	} {
		if got := hasRing([]byte(maps)); got != want {
			t.Errorf("%q: %v", maps, got)
		}
	}
}

// A ring of our own is found, with the file system of the file that we have open,
// and is gone with it.
func TestRingOfOurOwn(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ring uintptr
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 4, uintptr(unsafe.Pointer(&ring)), 0); errno != 0 {
		t.Skipf("SKIPPED: io_setup: %v", errno)
	}
	has := func() []evidence.About {
		target, err := New(Config{}).PID(t.Context(), "self", os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(target.Processes, func(p evidence.Process) bool { return p.PID == os.Getpid() })
		return target.Processes[i].AIO
	}
	got := has()
	if !slices.ContainsFunc(got, func(a evidence.About) bool { return a.Device != "" && a.Via == evidence.ViaAIO }) {
		t.Errorf("found %+v", got)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, ring, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	if got := has(); got != nil {
		t.Errorf("found %+v after its end", got)
	}
}
