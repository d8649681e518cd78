package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Limits of what is taken from one file. Everything a container can influence
// is cut, never trusted to be short.
const (
	firstRead = 8 << 10 // nearly every file of /proc fits
	maxRead   = 1 << 20 // status with 65536 supplementary groups has 450 KB
)

var buffers = sync.Pool{New: func() any { b := make([]byte, firstRead); return &b }}

// reader reads pseudo files for one step and keeps the gaps it met. A step
// that is abandoned takes its reader with it.
type reader struct {
	p    *Prober
	buf  []byte
	gaps []evidence.Gap
}

func (p *Prober) newReader() *reader {
	return &reader{p: p, buf: *buffers.Get().(*[]byte)}
}

// close gives the buffer back; data that read returned is invalid afterwards.
func (r *reader) close() {
	if len(r.buf) == firstRead {
		b := r.buf
		buffers.Put(&b)
	}
	r.buf = nil
}

// read returns a file's contents, up to limit bytes, valid until the next read.
// It uses the bare system calls: os.ReadFile costs twelve of them on a file of
// /proc (stat, epoll, fcntl), this three.
func (r *reader) read(path string, limit int) ([]byte, error) { return r.readUntil(path, limit, false) }

// record is read for a file that the kernel writes in one piece (fs/seq_file.c
// single_open: stat, status, wchan): less than there was room for is all of it. It
// saves the call that says so, a quarter of the price of a look at a process.
func (r *reader) record(path string, limit int) ([]byte, error) {
	return r.readUntil(path, limit, true)
}

func (r *reader) readUntil(path string, limit int, onePiece bool) ([]byte, error) {
	fd, err := open(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	n := 0
	for n < limit {
		if n == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
		room := min(len(r.buf), limit) - n
		m, err := unix.Read(fd, r.buf[n:n+room])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		n += m
		if m == 0 || onePiece && m < room {
			break
		}
	}
	return r.buf[:n], nil
}

// open never waits for a FIFO's other end and never takes a terminal: the path
// should be a pseudo file, but a fixture or a race may make it something else.
func open(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// readLink is the text of a link, cut at 4096 bytes.
func readLink(path string) (string, error) {
	var buf [4096]byte
	n, err := unix.Readlink(path, buf[:])
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: path, Err: err}
	}
	return string(buf[:n]), nil
}

// names lists a directory: at most limit names, and whether there were more.
// Only names are read; the entries' types would cost a look at each.
func names(path string, limit int) (out []string, more bool, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return out, false, &fs.PathError{Op: "readdir", Path: path, Err: err}
		}
		if n <= 0 {
			return out, false, nil
		}
		_, _, out = unix.ParseDirent(buf[:n], -1, out)
		if len(out) > limit {
			return out[:limit], true, nil
		}
	}
}

// numbers lists the entries of a directory that are numbers, in rising order as
// the kernel gives them.
func numbers(path string, limit int) (out []int, more bool, err error) {
	list, more, err := names(path, limit)
	for _, name := range list {
		if n, e := strconv.Atoi(name); e == nil && n >= 0 {
			out = append(out, n)
		}
	}
	return out, more, err
}

// file is one kind of kernel file and what it would have settled.
type file struct{ name, matters string }

// The files of /proc/PID and of cgroupfs that a look reads.
var (
	fileStat    = file{"stat", "cannot tell the state of a process nor whether it is dying"}
	fileStatus  = file{"status", "cannot tell how signals are handled"}
	fileTask    = file{"task", "cannot look at every thread"}
	fileWchan   = file{"wchan", "cannot name the kernel function that a task sleeps in"}
	fileSyscall = file{"syscall", "cannot tell the system call that a task sleeps in, nor whether it waits for signals"}
	fileStack   = file{"stack", "cannot name what a stuck task waits for"}
	filePIDNS   = file{"ns/pid", "cannot tell which processes share the PID namespace"}
	fileFD      = file{"fd", "cannot tell whether a signalfd takes the blocked signals"}
	fileFDInfo  = file{"fdinfo", "cannot tell which signals a signalfd takes, nor who waits on it"}
	fileCgroup  = file{"cgroup", "cannot tell which processes belong to the container"}
	fileProcs   = file{"cgroup.procs", "cannot tell which processes belong to the container"}
	fileFreezer = file{"freezer.state", "cannot tell whether the container is frozen"}
	fileCmdline = file{"cmdline", "cannot name the program by its arguments"}
	fileMounts  = file{"mountinfo", "cannot tell the file and the mount that a task is stuck on"}
	fileMaps    = file{"maps", "cannot tell whether input or output is outstanding, for which its exit would wait"}
	fileSched   = file{"sched", "cannot tell for how long a task has slept"}
	fileMem     = file{"mem", "cannot tell the path that a task is stuck on"}
	fileOutput  = file{"fd", "cannot tell whether the engine waits for the output that it holds"}
	fileFUSE    = file{"fd", "cannot tell which process serves the FUSE mount that a task waits for"}
	fileMemory  = file{"memory.oom_control", "cannot tell whether the container is out of memory"}
	fileExe     = file{"exe", "cannot name the program by its file"}
)

// errParse marks contents that are not as the kernel's documents say.
var errParse = errors.New("unexpected contents")

// gapKind sorts a failed read. alive tells whether the process still exists,
// which separates a file that this kernel lacks from a process that ended.
func gapKind(err error, alive func() bool) string {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return evidence.GapDenied
	case errors.Is(err, unix.ESRCH):
		return evidence.GapGone
	case errors.Is(err, unix.ENOENT) && !alive():
		return evidence.GapGone
	}
	return evidence.GapAbsent
}

// miss notes that a file of a process could not be read.
func (r *reader) miss(f file, pid int, path string, err error) {
	alive := func() bool {
		var st unix.Stat_t
		return unix.Stat(r.p.pidPath(pid), &st) == nil
	}
	r.gaps = append(r.gaps, evidence.Gap{Path: path, Kind: gapKind(err, alive), Matters: f.matters})
}

// number reads a file that holds one decimal number.
func (r *reader) number(path string) (int, error) {
	data, err := r.read(path, 64)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %q", filepath.Base(path), errParse, data)
	}
	return n, nil
}
