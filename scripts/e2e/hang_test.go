package e2e

import (
	"context"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// hang is a mounted file system that this process serves: whoever looks up the
// file "hang" in it waits, in a request that was read and is not answered. That
// is the state in which SIGKILL does not end a task (request_wait_answer).
type hang struct {
	dir     string
	release func() // answers all; may be called twice
}

// newHang mounts it. It is released and unmounted with the test; if this process
// dies, the kernel aborts the connection and nobody stays in D.
func newHang(t *testing.T) *hang {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "wsfuse")
	if err != nil {
		t.Fatal(err)
	}
	open := make(chan struct{})
	opts := &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, AllowOther: true, FsName: "whystuck-e2e"}}
	server, err := fs.Mount(dir, &hangRoot{open: open}, opts)
	if err != nil {
		t.Fatalf("mounting a FUSE file system: %v", err)
	}
	h := &hang{dir: dir, release: sync.OnceFunc(func() { close(open) })}
	t.Cleanup(func() {
		h.release()
		// A container that is not quite gone keeps it busy for a moment.
		for range 50 {
			if err = server.Unmount(); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
			_ = unix.Unmount(dir, unix.MNT_DETACH) // the best that is left
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return h
}

// hangRoot is the root directory. Its own attributes are answered: dockerd asks
// for them.
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
