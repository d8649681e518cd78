package inside

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/memory"
)

// maxFile is how much of one program file is read: the largest symbol table
// that a reader needs is Node 25's, 2.7 MB of local symbols.
const maxFile = 32 << 20

// exeFile is the open program file of a process.
type exeFile struct {
	f *os.File
	r io.ReaderAt // bounded
}

func (e *exeFile) close() { e.f.Close() }

// openExe opens the program of a process by /proc/PID/exe, which works across
// mount namespaces. First by O_PATH, which asks no file system anything; only a
// regular file of a local file system is then opened for reading. A FUSE server
// of the container that never answers would otherwise hold our open(2) in state
// D, where no signal ends it (fs/fuse/dev.c request_wait_answer).
func openExe(t *target) (*exeFile, error) {
	path, err := unix.Openat(t.dir, "exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the program of process %d: %w", t.pid, err)
	}
	defer unix.Close(path)
	if err := localFile(t, path); err != nil {
		return nil, err
	}
	// NOATIME leaves no trace on the file; it needs the owner's rights.
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	link := "/proc/self/fd/" + strconv.Itoa(path)
	fd, err := unix.Open(link, flags|unix.O_NOATIME, 0)
	if err == unix.EPERM {
		fd, err = unix.Open(link, flags, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the program of process %d: %w", t.pid, err)
	}
	f := os.NewFile(uintptr(fd), "exe")
	return &exeFile{f: f, r: &boundedFile{f: f, ctx: t.ctx, left: maxFile}}, nil
}

// localFile fails unless the file behind an O_PATH descriptor is a regular file
// of a file system that cannot keep a reader waiting for a server.
func localFile(t *target, fd int) error {
	var st unix.Statx_t
	// DONT_SYNC: the attributes in memory, without asking a server for them.
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_MNT_ID, &st)
	if err != nil {
		return fmt.Errorf("looking at the program of process %d: %w", t.pid, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("program of process %d is no regular file: %w", t.pid, errSkipped)
	}
	mounts, err := t.file("mountinfo", 1<<20)
	if err != nil {
		return fmt.Errorf("reading the mounts of process %d: %w", t.pid, err)
	}
	id := ""
	if st.Mask&unix.STATX_MNT_ID != 0 {
		id = strconv.FormatUint(st.Mnt_id, 10)
	}
	dev := fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)
	fstype := mountType(mounts, id, dev)
	if !memory.Local(fstype) {
		return fmt.Errorf("program of process %d is on a file system of type %q: %w", t.pid, fstype, errSkipped)
	}
	return nil
}

// mountType finds the file system type of a mount in /proc/PID/mountinfo
// (proc_pid_mountinfo(5)): by mount ID where the kernel tells it (5.8), else by
// device, which btrfs subvolumes have their own of. "": not found.
func mountType(mountinfo []byte, id, dev string) string {
	for _, line := range bytes.Split(mountinfo, []byte{'\n'}) {
		fields := bytes.Fields(line)
		if len(fields) < 7 {
			continue
		}
		if id != "" && string(fields[0]) != id || id == "" && string(fields[2]) != dev {
			continue
		}
		for i := 6; i+1 < len(fields); i++ {
			if string(fields[i]) == "-" {
				return string(fields[i+1])
			}
		}
	}
	return ""
}

// boundedFile stops a reader that a forged file would lead on and on.
type boundedFile struct {
	f    io.ReaderAt
	ctx  interface{ Err() error }
	left int
}

// ReadAt reads until the budget or the time is used up.
func (b *boundedFile) ReadAt(p []byte, off int64) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p) > b.left {
		return 0, fmt.Errorf("more than %d bytes of file: %w", maxFile, errUnknown)
	}
	b.left -= len(p)
	return b.f.ReadAt(p, off)
}
