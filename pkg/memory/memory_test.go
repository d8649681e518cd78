package memory

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// own is our own directory of /proc, and what reads ourselves through it.
func own(t *testing.T) func(p unsafe.Pointer, n int) (string, error) {
	t.Helper()
	dir, err := unix.Open("/proc/self", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(dir) })
	return func(p unsafe.Pointer, n int) (string, error) {
		buf := make([]byte, n)
		m, err := Read(dir, os.Getpid(), buf, uint64(uintptr(p)))
		return string(buf[:m]), err
	}
}

// mapping is a private mapping of two pages of a file, or of none (fd -1).
func mapping(t *testing.T, fd int) []byte {
	t.Helper()
	flags := unix.MAP_PRIVATE
	if fd < 0 {
		flags |= unix.MAP_ANON
	}
	m, err := unix.Mmap(fd, 0, 2*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(m) })
	return m
}

func TestRead(t *testing.T) {
	read := own(t)
	word := []byte("here it is")
	if got, err := read(unsafe.Pointer(&word[0]), len(word)); err != nil || got != string(word) {
		t.Errorf("own memory: %q, %v", got, err)
	}
	runtime.KeepAlive(word)
	m := mapping(t, -1)
	if got, err := read(unsafe.Pointer(&m[0]), len(m)); err != nil || got != string(make([]byte, len(m))) {
		t.Errorf("anonymous memory that nobody touched: %d bytes, %v", len(got), err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte{'x'}, 2*os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m = mapping(t, int(f.Fd()))
	if got, err := read(unsafe.Pointer(&m[os.Getpagesize()]), 3); err != nil || got != "xxx" {
		t.Errorf("a local file's page that nobody touched: %q, %v", got, err)
	}
	if _, err := read(unsafe.Pointer(&m[0]), 0); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func TestNoMemoryThere(t *testing.T) {
	dir, err := unix.Open("/proc/self", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for _, addr := range []uint64{1, 1 << 62, 1<<63 - 1} {
		if n, err := Read(dir, os.Getpid(), make([]byte, 8), addr); n != 0 || err == nil {
			t.Errorf("%#x: %d bytes, %v", addr, n, err)
		}
	}
}

// silent is a file whose first page is answered for once, and never again.
type silent struct {
	fs.Inode
	release chan struct{}
	once    chan struct{}
}

func (s *silent) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o444, uint64(2*os.Getpagesize())
	return 0
}

func (s *silent) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, 0
}

func (s *silent) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if off == 0 {
		select {
		case s.once <- struct{}{}:
			return fuse.ReadResultData(bytes.Repeat([]byte{'y'}, min(len(dest), os.Getpagesize()))), 0
		default:
		}
	}
	<-s.release
	return nil, syscall.EIO
}

// TestFUSE: a page that the server has to be asked for is not read; one that is in
// memory is. Without the check this test ends with its process in state D.
func TestFUSE(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root to mount")
	}
	file := &silent{release: make(chan struct{}), once: make(chan struct{}, 1)}
	root, dir := &fs.Inode{}, t.TempDir()
	server, err := fs.Mount(dir, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true},
		OnAdd: func(ctx context.Context) {
			root.AddChild("file", root.NewPersistentInode(ctx, file, fs.StableAttr{Mode: fuse.S_IFREG}), true)
		}})
	if err != nil {
		t.Skipf("SKIPPED: cannot mount FUSE: %v", err)
	}
	t.Cleanup(func() {
		for range 50 {
			if server.Unmount() == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("the mount stays")
	})
	closeOnExec(t)
	f, err := os.Open(dir + "/file")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(file.release); f.Close() })
	m, err := unix.Mmap(int(f.Fd()), 0, 2*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(m) })
	if err := unix.Madvise(m, unix.MADV_RANDOM); err != nil { // no reading ahead
		t.Fatal(err)
	}
	read := own(t)
	if _, err := read(unsafe.Pointer(&m[0]), 4); !errors.Is(err, ErrUnsafe) {
		t.Fatalf("a page that is not in memory: %v", err)
	}
	if m[0] != 'y' { // asks for it: from now on it is in memory
		t.Fatalf("the server says %q", m[0])
	}
	if got, err := read(unsafe.Pointer(&m[0]), 4); err != nil || got != "yyyy" {
		t.Errorf("a page in memory: %q, %v", got, err)
	}
	if _, err := read(unsafe.Pointer(&m[os.Getpagesize()-2]), 4); !errors.Is(err, ErrUnsafe) {
		t.Errorf("a range into a page that is not in memory: %v", err)
	}
}

// closeOnExec: a child that inherited the connection would keep it alive after our
// death.
func closeOnExec(t *testing.T) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == "/dev/fuse" {
			if n, err := strconv.Atoi(e.Name()); err == nil {
				unix.CloseOnExec(n)
			}
		}
	}
}

func TestParse(t *testing.T) {
	cases := []struct {
		line     string
		from, to uint64
		device   string
		ok       bool
	}{
		{"55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0                          [heap]", 0x55d0c0a00000, 0x55d0c0a21000, "", true},
		{"7f0000000000-7f0000001000 r--p 00000000 00:35 12                         /mnt/a b (deleted)", 0x7f0000000000, 0x7f0000001000, "0:53", true},
		{"00400000-00401000 r-xp 00000000 fd:1a 77 /bin/x", 0x400000, 0x401000, "253:26", true},
		{"7f0000000000-7f0000001000 rw-p 00000000 00:00 0 ", 0x7f0000000000, 0x7f0000001000, "", true},
		{"rubbish", 0, 0, "", false},
		{"x-y rw-p 0 00:00 0", 0, 0, "", false},
	}
	for _, c := range cases {
		from, to, device, ok := parse([]byte(c.line))
		if ok != c.ok || ok && (from != c.from || to != c.to || device != c.device) {
			t.Errorf("%q: %#x %#x %q %v", c.line, from, to, device, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("00400000-00401000 r-xp 00000000 fd:1a 77 /bin/x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, _, device, ok := parse(line); !ok && device != "" {
			t.Errorf("%q: a device of no mapping", line)
		}
	})
}
