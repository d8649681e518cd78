package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// tree is the file system as one process sees it. The engine may live in a mount
// namespace of its own (rootless, snap, Docker in Docker): its /var/lib/docker is
// then not ours, and reading ours would mix two engines.
type tree struct {
	root *os.File // /proc/PID/root; nil: our own view
	// owner, if not 0, is the user whose engine it is: by a link, or by a directory
	// that they name, users must not make ours of what another engine has written.
	owner int
}

// place is a file or directory to look at, which is not opened: a path may lead to
// a device, by the link of a user, and opening one may start something (a watchdog).
func (t tree) place(path string) (*os.File, error) { return t.open(path, unix.O_PATH) }

// open opens a file. Below a foreign root every link, also an absolute one
// (/var/run -> /run), is resolved within it (openat2, Linux 5.6);
// /proc/PID/root/var/run by itself would lead to our own /run.
func (t tree) open(path string, flags int) (*os.File, error) {
	flags |= unix.O_CLOEXEC
	for {
		fd, err := -1, error(nil)
		if t.root == nil {
			fd, err = unix.Open(path, flags, 0)
		} else {
			fd, err = unix.Openat2(int(t.root.Fd()), path, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_IN_ROOT})
		}
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case err != unix.EINTR:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// read gives the content of a regular file of at most limit bytes. It is opened
// when it is known to be one. O_NONBLOCK: its owner may hold a lease.
func (t tree) read(path string, limit int64) ([]byte, error) {
	at, err := t.place(path)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	var st unix.Stat_t
	switch err := unix.Fstat(int(at.Fd()), &st); {
	case err != nil:
		return nil, &fs.PathError{Op: "fstat", Path: path, Err: err}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fmt.Errorf("reading %s: not a regular file", path)
	case t.owner != 0 && int(st.Uid) != t.owner:
		return nil, fmt.Errorf("reading %s: it is not of the engine's user", path)
	}
	f, err := tree{}.open(fmt.Sprintf("/proc/self/fd/%d", at.Fd()), unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("reading %s: larger than %d bytes", path, limit)
	}
	return b, err
}

// names lists a directory, at most limit entries of it, in no order.
func (t tree) names(dir string, limit int) ([]string, error) {
	f, err := t.open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(limit)
	if errors.Is(err, io.EOF) { // empty
		err = nil
	}
	return names, err
}

func (t tree) exists(path string) bool {
	f, err := t.place(path)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// device is the file system that a directory lies on, major:minor; "": not known.
func (t tree) device(dir string) string {
	f, err := t.place(dir)
	if err != nil {
		return ""
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
}
