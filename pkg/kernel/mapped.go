package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/memory"
)

// errUnsafeFile: reading the file could block for ever, or is not bounded. A FUSE or
// network server that never answers would hold our open(2) or read(2) in state D,
// where no signal ends it (fs/fuse/dev.c, request_wait_answer).
var errUnsafeFile = errors.New("not a regular file of a local file system")

// maxFileSize is the largest file that is opened; of it far less is read.
const maxFileSize = 2 << 30

// openMapped opens the file behind a mapping by /proc/PID/map_files, which names
// the very inode that is mapped: no path of the container is walked, and a file
// that was deleted or replaced is the right one still. O_PATH asks the file system
// nothing, so that its type can be looked at first.
func openMapped(dir int, m mapping) (*os.File, error) {
	name := fmt.Sprintf("map_files/%x-%x", m.start, m.end)
	path, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(path)
	if err := safeFile(dir, path); err != nil {
		return nil, err
	}
	// NONBLOCK: a lease (fcntl F_SETLEASE) of the container makes open wait 45 s.
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(path), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), m.file), nil
}

// safeFile fails unless the file behind an O_PATH descriptor is a regular file, of
// bounded size, of a local file system. dir is /proc/PID of the process that has
// it mapped: its mounts are looked at first, then ours.
func safeFile(dir, path int) error {
	var st unix.Statx_t
	const mask = unix.STATX_TYPE | unix.STATX_SIZE | unix.STATX_MNT_ID
	// DONT_SYNC: the attributes in memory, without asking a server for them.
	if err := unix.Statx(path, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, mask, &st); err != nil {
		return fmt.Errorf("looking at a mapped file: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxFileSize {
		return errUnsafeFile
	}
	mounts, err := readAt(dir, "mountinfo", 1<<20)
	if err != nil {
		return err
	}
	own, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if fstype := mountType(append(mounts, own...), st.Mnt_id); !memory.Local(fstype) {
		return fmt.Errorf("file system %q: %w", fstype, errUnsafeFile)
	}
	return nil
}

// mountType finds a mount's file system type in mountinfo by its id, "" when it is
// not there (proc_pid_mountinfo(5): id parent dev root point options [tag...] -
// type source options).
func mountType(mountinfo []byte, id uint64) string {
	want := strconv.FormatUint(id, 10)
	for line := range bytes.Lines(mountinfo) {
		fields := bytes.Fields(line)
		if len(fields) < 7 || string(fields[0]) != want {
			continue
		}
		_, after, _ := bytes.Cut(line, []byte(" - "))
		fstype, _, _ := bytes.Cut(after, []byte{' '})
		return string(fstype)
	}
	return ""
}
