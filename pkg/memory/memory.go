// Package memory reads the memory of other processes without waiting for the
// servers of their files.
//
// process_vm_readv(2) faults in what is not there. A page of a file on FUSE, NFS
// or the like is asked for at its server, by us: one that reads the request and
// does not answer holds our thread in state D, where no signal ends it
// (fs/fuse/dev.c request_wait_answer), and this process with it, for ever. A
// container can lay such a page where it likes. /proc/PID/cmdline and environ are
// safe from it (FOLL_ANON, since Linux 4.17), /proc/PID/mem is not.
//
// So a page is read only if it is in memory already, or is no page of a file, or
// of a file on a local file system. A container that changes its mappings in the
// microsecond between the question and the read is not defended against. The
// mmap lock is still taken: the caller needs a deadline around it.
package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrUnsafe says that the memory belongs to a file whose server might not answer.
var ErrUnsafe = errors.New("not read because reading could block")

// Bits of an entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
const (
	present = 1 << 63
	swapped = 1 << 62
)

// Read copies memory of process (or thread) pid at addr into buf, all of it or
// less. dir is an open directory /proc/PID of it.
func Read(dir, pid int, buf []byte, addr uint64) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	if err := safe(dir, addr, uint64(len(buf))); err != nil {
		return 0, err
	}
	local := []unix.Iovec{{Base: &buf[0]}}
	local[0].SetLen(len(buf))
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(buf)}}, 0)
	if err != nil {
		return 0, fmt.Errorf("reading memory of process %d: %w", pid, err)
	}
	return n, nil
}

// safe fails unless every page of a range can be read without asking a server.
func safe(dir int, addr, n uint64) error {
	page := uint64(os.Getpagesize())
	first, last := addr/page, (addr+n-1)/page
	entries, err := pagemap(dir, first, last-first+1)
	if err != nil {
		return err
	}
	var absent []uint64
	for i, e := range entries {
		if e&(present|swapped) == 0 {
			absent = append(absent, (first+uint64(i))*page)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return mapped(dir, absent)
}

// maxPages bounds what one read may touch.
const maxPages = 1 << 10

// pagemap reads the entries of n pages.
func pagemap(dir int, first, n uint64) ([]uint64, error) {
	if n > maxPages {
		return nil, fmt.Errorf("%d pages at once: %w", n, ErrUnsafe)
	}
	fd, err := unix.Openat(dir, "pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening pagemap: %w", err)
	}
	defer unix.Close(fd)
	buf := make([]byte, 8*n)
	m, err := unix.Pread(fd, buf, int64(8*first))
	if err != nil {
		return nil, fmt.Errorf("reading pagemap: %w", err)
	}
	entries := make([]uint64, n) // beyond the address space it ends: not present
	for i := range m / 8 {
		entries[i] = binary.NativeEndian.Uint64(buf[8*i:])
	}
	return entries, nil
}

// dirPath is a path to an open directory of /proc.
func dirPath(dir int, name string) string { return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name }
