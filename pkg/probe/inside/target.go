package inside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/memory"
)

// Limits of what is read from one process.
const (
	maxMemory = 256 << 10 // bytes of memory
	maxPeeks  = 1024      // reads of memory
)

var (
	// errUnknown: the file or memory is not of a version or layout that a reader knows.
	errUnknown = errors.New("not of a known layout")
	// errGone: the process ended, or its number or program is another's by now.
	errGone = errors.New("process is gone")
	// errSkipped: reading could block.
	errSkipped = errors.New("not read because reading could block")
	// errOther: it is not the program that its name or masks made it look like,
	// so nothing is missing.
	errOther = errors.New("another program")
)

// fileError is an error of the program's file, not of its memory.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// target is one process whose memory is read. The open directory of /proc pins
// the process: its files fail with ESRCH once it is gone, whoever gets its PID.
type target struct {
	ctx    context.Context
	pid    int
	dir    int // descriptor of /proc/PID
	auxv   []byte
	budget int // bytes left
	peeks  int // reads left
	eperm  bool
}

// openTarget opens p's /proc directory and proves that it is still p.
func openTarget(ctx context.Context, proc string, p *evidence.Process) (*target, error) {
	// process_vm_readv takes a PID of our own namespace; a /proc of another one
	// would name other processes by the same numbers.
	self, err := os.Readlink(filepath.Join(proc, "self"))
	if err != nil || self != strconv.Itoa(os.Getpid()) {
		return nil, fmt.Errorf("%s is of another PID namespace: %w", proc, errSkipped)
	}
	dir, err := unix.Open(filepath.Join(proc, strconv.Itoa(p.PID)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", p.PID, err)
	}
	t := &target{ctx: ctx, pid: p.PID, dir: dir, budget: maxMemory, peeks: maxPeeks}
	if err := t.check(p.StartTicks); err != nil {
		t.close()
		return nil, err
	}
	if t.auxv, err = t.file("auxv", 4096); err != nil {
		t.close()
		return nil, fmt.Errorf("reading auxv of process %d: %w", p.PID, err)
	}
	return t, nil
}

func (t *target) close() { unix.Close(t.dir) }

// check proves that the number was not reused and that nothing changed state
// since the look.
func (t *target) check(startTicks uint64) error {
	data, err := t.file("stat", 4096)
	if err != nil {
		return fmt.Errorf("reading stat of process %d: %w", t.pid, err)
	}
	state, start, err := parseStat(data)
	if err != nil {
		return err
	}
	if startTicks != 0 && start != startTicks {
		return errGone
	}
	if state != 'S' && state != 'R' {
		return fmt.Errorf("process %d is in state %c by now: %w", t.pid, state, errSkipped)
	}
	return nil
}

// parseStat takes state and start time (fields 3 and 22) from /proc/PID/stat.
// The name in field 2 may hold spaces and parentheses.
func parseStat(data []byte) (state byte, start uint64, err error) {
	i := bytes.LastIndexByte(data, ')')
	fields := bytes.Fields(data[i+1:])
	if i < 0 || len(fields) < 20 || len(fields[0]) != 1 {
		return 0, 0, fmt.Errorf("stat %.80q: %w", data, errUnknown)
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("stat %.80q: %w", data, err)
	}
	return fields[0][0], start, nil
}

// stillSame proves after the reading that the process is there and runs the
// same program: exec(2) makes a new vector (AT_RANDOM is an address in the new
// stack), and what was read in between would be of both.
func (t *target) stillSame() error {
	now, err := t.file("auxv", 4096)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, t.auxv) {
		return errGone
	}
	return nil
}

// file reads a small file of /proc/PID.
func (t *target) file(name string, limit int) ([]byte, error) {
	fd, err := unix.Openat(t.dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, min(limit, 4096))
	for n := 0; ; {
		m, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return buf[:n], nil
		}
		if n += m; n == len(buf) {
			if n >= limit {
				return buf, nil
			}
			buf = append(buf, make([]byte, min(n, limit-n))...)
		}
	}
}

// peek reads n bytes at addr, all of them or none. It takes the target's mmap
// lock for reading (mm/process_vm_access.c), hence the deadline around it all.
func (t *target) peek(addr uint64, n int) ([]byte, error) {
	switch {
	case t.ctx.Err() != nil:
		return nil, t.ctx.Err()
	case n <= 0, n > t.budget, t.peeks <= 0, addr == 0, addr > 1<<63-1-uint64(n):
		return nil, fmt.Errorf("%d bytes of memory at %#x: %w", n, addr, errUnknown)
	}
	t.budget -= n
	t.peeks--
	buf := make([]byte, n)
	m, err := memory.Read(t.dir, t.pid, buf, addr)
	if err != nil {
		t.eperm = t.eperm || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
		return nil, err
	}
	if m != n {
		return nil, fmt.Errorf("%d of %d bytes of memory at %#x: %w", m, n, addr, errUnknown)
	}
	return buf, nil
}

// denied reports whether the kernel refused memory for want of rights.
func (t *target) denied() bool { return t.eperm }

// gapKind sorts an error into the kinds of a Gap.
func gapKind(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return evidence.GapDenied
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOENT), errors.Is(err, errGone):
		return evidence.GapGone
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return evidence.GapTimeout
	case errors.Is(err, errSkipped), errors.Is(err, memory.ErrUnsafe):
		return evidence.GapSkipped
	}
	return evidence.GapAbsent
}
