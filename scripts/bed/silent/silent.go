// Package silent is a FUSE file system that does not answer, for tests that need
// something to hang on: whoever looks up "hang" waits in LOOKUP, who opens "exec"
// (as execve does) in OPEN, and who reads "read" in READ.
//
// The server is the test's own process. When that ends, however it ends, the
// kernel aborts the connection and everybody who waits is let go: a test that
// crashes leaves no task in D behind.
package silent

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Mount is one mounted file system.
type Mount struct {
	Dir     string
	release func()
}

// New mounts a silent file system on a directory of its own below /tmp.
func New() (*Mount, error) {
	dir, err := os.MkdirTemp("/tmp", "wsfuse")
	if err != nil {
		return nil, fmt.Errorf("making a directory to mount on: %w", err)
	}
	answer := make(chan struct{})
	if err := serve(dir, answer); err != nil {
		_ = os.Remove(dir)
		return nil, fmt.Errorf("mounting a FUSE file system: %w", err)
	}
	return &Mount{Dir: dir, release: sync.OnceFunc(func() { close(answer) })}, nil
}

// ForTest mounts one that is released, unmounted and removed with the test.
func ForTest(t testing.TB) *Mount {
	t.Helper()
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Release answers all that wait, with an error. It may be called twice.
func (m *Mount) Release() { m.release() }

// Close releases, unmounts and removes the directory. A container that is not
// quite gone keeps it busy for a moment.
func (m *Mount) Close() error {
	m.Release()
	var err error
	for range 60 {
		if err = unix.Unmount(m.Dir, 0); err == nil || err == unix.EINVAL { // EINVAL: the way out has unmounted it
			return os.Remove(m.Dir)
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = unix.Unmount(m.Dir, unix.MNT_DETACH)
	return fmt.Errorf("unmounting %s: %w", m.Dir, err)
}

// serve mounts. go-fuse opens /dev/fuse without close-on-exec, and a child that
// held it would keep the connection alive after this process's end: no fork may
// come in between.
func serve(dir string, answer chan struct{}) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	opts := &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, AllowOther: true, FsName: "whystuck-silent", Name: "silent"}}
	if _, err := fs.Mount(dir, &root{answer: answer}, opts); err != nil {
		return err
	}
	fds, err := os.ReadDir("/proc/self/fd")
	for _, e := range fds {
		var fd int
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == "/dev/fuse" {
			fmt.Sscan(e.Name(), &fd)
			syscall.CloseOnExec(fd)
		}
	}
	return err
}

// root is the directory. Its own attributes are answered: dockerd asks for them.
type root struct {
	fs.Inode
	answer chan struct{}
}

// file is "exec" and "read".
type file struct {
	fs.Inode
	answer chan struct{}
	exec   bool
}

var (
	_ fs.NodeLookuper  = (*root)(nil)
	_ fs.NodeOpener    = (*file)(nil)
	_ fs.NodeReader    = (*file)(nil)
	_ fs.NodeGetattrer = (*file)(nil)
)

// Lookup waits for the release, whatever the kernel interrupts.
func (r *root) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	switch name {
	case "hang":
		<-r.answer
		return nil, syscall.ENOTCONN
	case "read", "exec":
		out.Attr.Mode, out.Attr.Size = syscall.S_IFREG|0o755, 4096
		return r.NewInode(ctx, &file{answer: r.answer, exec: name == "exec"}, fs.StableAttr{Mode: syscall.S_IFREG}), 0
	}
	return nil, syscall.ENOENT
}

// Getattr says that it is a program.
func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o755, 4096
	return 0
}

// Open waits where the file is a program.
func (f *file) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if f.exec {
		<-f.answer
		return nil, 0, syscall.EIO
	}
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

// Read waits.
func (f *file) Read(context.Context, fs.FileHandle, []byte, int64) (fuse.ReadResult, syscall.Errno) {
	<-f.answer
	return nil, syscall.EIO
}
