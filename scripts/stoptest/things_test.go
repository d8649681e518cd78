package stoptest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// hangingDir is a FUSE file system of this process whose file "hang" is never
// answered, until release. If this process dies the kernel aborts it.
func hangingDir(t *testing.T) (dir string, release func()) {
	t.Helper()
	bed.Require(t, "fuse")
	m := silent.ForTest(t)
	return m.Dir, m.Release
}

// frozenParent is a cgroup of our own: what is frozen in it is ours.
var frozenParent = fmt.Sprintf("/wsstop-%d", os.Getpid())

// freezeParent freezes the cgroup above the container's, on v1 or on v2.
func freezeParent(t *testing.T, _ *lab, _ string, _ int) {
	file, on, off := "/sys/fs/cgroup/freezer"+frozenParent+"/freezer.state", "FROZEN", "THAWED"
	if _, err := os.Stat(file); err != nil {
		file, on, off = "/sys/fs/cgroup"+frozenParent+"/cgroup.freeze", "1", "0"
	}
	t.Cleanup(bed.Guard(t, fmt.Sprintf("echo %s > %s", off, file)))
	if err := os.WriteFile(file, []byte(on), 0o600); err != nil {
		t.Fatal(err)
	}
}

// removeParent removes the cgroup when all in it is gone.
func removeParent(t *testing.T) {
	dirs, _ := filepath.Glob("/sys/fs/cgroup/*" + frozenParent)
	unified, _ := filepath.Glob("/sys/fs/cgroup" + frozenParent)
	for _, d := range append(dirs, unified...) {
		below, _ := filepath.Glob(d + "/*/cgroup.procs")
		for _, b := range below {
			_ = unix.Rmdir(filepath.Dir(b))
		}
		if err := unix.Rmdir(d); err != nil && !errors.Is(err, unix.ENOENT) {
			t.Errorf("removing %s: %v", d, err)
		}
	}
}
