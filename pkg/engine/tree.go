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
}

// open opens a file for reading. Below a foreign root every link, also an
// absolute one (/var/run -> /run), is resolved within it (openat2, Linux 5.6);
// /proc/PID/root/var/run by itself would lead to our own /run.
func (t tree) open(path string) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO would wait for a writer.
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	if t.root == nil {
		return os.OpenFile(path, flags, 0)
	}
	fd, err := unix.Openat2(int(t.root.Fd()), path, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return nil, &fs.PathError{Op: "openat2", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// read gives the content of a regular file of at most limit bytes.
func (t tree) read(path string, limit int64) ([]byte, error) {
	f, err := t.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("reading %s: not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("reading %s: larger than %d bytes", path, limit)
	}
	return b, err
}

// names lists a directory, at most limit entries of it, in no order.
func (t tree) names(dir string, limit int) ([]string, error) {
	f, err := t.open(dir)
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
	f, err := t.open(path)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// device is the file system that a directory lies on, major:minor; "": not known.
func (t tree) device(dir string) string {
	f, err := t.open(dir)
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
