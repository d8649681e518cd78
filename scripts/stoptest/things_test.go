package stoptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/scripts/bed"
)

// guard runs a shell command when heal is called, and also when this process ends
// without having called it.
func guard(t *testing.T, script string) (heal func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "read x; "+script)
	cmd.Stdin, cmd.SysProcAttr = r, &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	return sync.OnceFunc(func() {
		w.Close()
		_ = cmd.Wait()
	})
}

// hangingDir is a FUSE file system of this process whose file "hang" is never
// answered, until release. If this process dies the kernel aborts it.
func hangingDir(t *testing.T) (dir string, release func()) {
	t.Helper()
	bed.Require(t, "fuse")
	dir, err := os.MkdirTemp("/tmp", "wsstop")
	if err != nil {
		t.Fatal(err)
	}
	open := make(chan struct{})
	opts := &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, AllowOther: true, FsName: "whystuck-stop"}}
	server, err := fs.Mount(dir, &hangRoot{open: open}, opts)
	if err != nil {
		t.Fatalf("mounting a FUSE file system: %v", err)
	}
	t.Cleanup(func() {
		if !eventually(5*time.Second, func() bool { err = server.Unmount(); return err == nil }) {
			t.Errorf("unmounting %s: %v", dir, err)
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir, sync.OnceFunc(func() { close(open) })
}

type hangRoot struct {
	fs.Inode
	open chan struct{}
}

var _ fs.NodeLookuper = (*hangRoot)(nil)

// Lookup waits for the release, whatever the kernel interrupts.
func (r *hangRoot) Lookup(_ context.Context, name string, _ *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if name == "hang" {
		<-r.open
	}
	return nil, syscall.ENOENT
}

// frozenParent is a cgroup of our own: what is frozen in it is ours.
var frozenParent = fmt.Sprintf("/wsstop-%d", os.Getpid())

// freezeParent freezes the cgroup above the container's, on v1 or on v2.
func freezeParent(t *testing.T, _ *lab, _ string, _ int) {
	file, on, off := "/sys/fs/cgroup/freezer"+frozenParent+"/freezer.state", "FROZEN", "THAWED"
	if _, err := os.Stat(file); err != nil {
		file, on, off = "/sys/fs/cgroup"+frozenParent+"/cgroup.freeze", "1", "0"
	}
	t.Cleanup(guard(t, fmt.Sprintf("echo %s > %s", off, file)))
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
