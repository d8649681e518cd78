package kernel

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrForeignPIDs is why signals cannot be traced from within a PID namespace: the
// tracepoints count PIDs as the host does.
var ErrForeignPIDs = errors.New("tracefs counts PIDs of the host, and this program runs in a PID namespace of its own (run it with --pid=host)")

// initPIDNS is the inode of the host's PID namespace (include/linux/proc_ns.h
// PROC_PID_INIT_INO).
const initPIDNS = "pid:[4026531836]"

// openTracefs gives a directory handle on tracefs: of the usual mount, or of a mount
// of our own that is attached nowhere. Nobody else sees that one, and it ends with
// its handle.
func openTracefs() (*os.File, error) {
	const usual = "/sys/kernel/tracing"
	var st unix.Statfs_t
	if unix.Statfs(usual, &st) == nil && st.Type == unix.TRACEFS_MAGIC {
		return os.Open(usual)
	}
	fd, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("opening tracefs, which is not mounted: %w", err)
	}
	defer unix.Close(fd)
	if err := fsconfigCreate(fd); err != nil {
		return nil, fmt.Errorf("opening tracefs, which is not mounted: %w", err)
	}
	mount, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening tracefs, which is not mounted: %w", err)
	}
	defer unix.Close(mount) // the directory holds it
	dir, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening tracefs, which is not mounted: %w", err)
	}
	return os.NewFile(uintptr(dir), "tracefs"), nil
}

// fsconfigCreate is fsconfig(FSCONFIG_CMD_CREATE), which the library does not wrap.
func fsconfigCreate(fd int) error {
	_, _, errno := unix.Syscall6(unix.SYS_FSCONFIG, uintptr(fd), unix.FSCONFIG_CMD_CREATE, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// instancePrefix begins the name of each of our instances: whystuck-PID-START-N,
// where PID and START (its start in clock ticks) say whose it is.
const instancePrefix = "whystuck-"

var instances atomic.Int64 // tells the instances of one process apart

// makeInstance makes a tracing instance of our own: buffers and switches that
// nobody else's tracing shares.
func makeInstance(tracefs *os.File) (name string, err error) {
	start, ok := startTicks(os.Getpid())
	if !ok {
		return "", errors.New("making a tracing instance: /proc does not tell our own start")
	}
	name = fmt.Sprintf("instances/%s%d-%d-%d", instancePrefix, os.Getpid(), start, instances.Add(1))
	if err := unix.Mkdirat(int(tracefs.Fd()), name, 0o700); err != nil {
		return "", fmt.Errorf("making a tracing instance: %w", err)
	}
	return name, nil
}

// sweep removes instances whose whystuck is gone, as after SIGKILL.
func sweep(tracefs *os.File) {
	fd, err := unix.Openat(int(tracefs.Fd()), "instances", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	dir := os.NewFile(uintptr(fd), "instances")
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, n := range names {
		if abandoned(n) {
			_ = unix.Unlinkat(fd, n, unix.AT_REMOVEDIR) // EBUSY: somebody reads it
		}
	}
}

// abandoned reports whether an instance's name is one of ours and its owner gone.
func abandoned(name string) bool {
	rest, ours := strings.CutPrefix(name, instancePrefix)
	parts := strings.Split(rest, "-")
	if !ours || len(parts) != 3 {
		return false
	}
	pid, errPID := strconv.Atoi(parts[0])
	start, errStart := strconv.ParseUint(parts[1], 10, 64)
	if errPID != nil || errStart != nil {
		return false
	}
	now, alive := startTicks(pid)
	return !alive || now != start
}

// startTicks is field 22 of /proc/PID/stat.
func startTicks(pid int) (uint64, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
	return n, err == nil
}

// writeAt writes a file below a directory handle in one system call, as the files
// of tracefs want it.
func writeAt(dir *os.File, name, text string) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening tracefs %s: %w", name, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return fmt.Errorf("writing tracefs %s: %w", name, err)
	}
	return nil
}
