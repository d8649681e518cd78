package kernel

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/beside"
)

// place is where an address of a process lies.
type place struct {
	file   string // as the process names it, "" when not in a file
	offset uint64 // in that file
	symbol string // "" when the file names nothing there
}

// locateWithin is locate, left behind when ctx ends first. The file belongs to a
// container: one that breaks its reader is an error like any other.
func (s *Session) locateWithin(ctx context.Context, pid int, startTicks, addr uint64) (place, error) {
	type answer struct {
		at  place
		err error
	}
	a, err := beside.Within(ctx, func() (a answer) {
		if bug := beside.Catch(func() { a.at, a.err = s.locate(ctx, pid, startTicks, addr) }); bug != nil {
			a.err = bug
		}
		return a
	})
	return a.at, cmp.Or(a.err, err)
}

// locate finds the place of an address of a process that started at startTicks
// (0: not known). All reads go through one descriptor of /proc/PID, so that they
// are of one process even if the PID is reused meanwhile.
func (s *Session) locate(ctx context.Context, pid int, startTicks, addr uint64) (place, error) {
	dir, err := unix.Open(fmt.Sprintf("/proc/%d", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return place{}, err
	}
	defer unix.Close(dir)
	if err := startedAt(dir, startTicks); err != nil {
		return place{}, err
	}
	m, err := findMapping(dir, addr)
	if err != nil || m.file == "" {
		return place{}, err
	}
	at := place{file: m.file, offset: addr - m.start + m.offset}
	f, err := openMapped(dir, m)
	if err != nil {
		return at, err
	}
	defer f.Close()
	at.symbol, err = s.symbols.lookup(ctx, f, at.offset)
	return at, err
}

// startedAt fails when the process behind dir is not the one that was seen.
func startedAt(dir int, ticks uint64) error {
	stat, err := readAt(dir, "stat", 4096)
	if err != nil || ticks == 0 {
		return err
	}
	// comm, in parentheses, may hold anything; starttime is field 22, the 20th
	// after it (proc_pid_stat(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || string(fields[19]) != strconv.FormatUint(ticks, 10) {
		return unix.ESRCH
	}
	return nil
}

func openAt(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

func readAt(dir int, name string, limit int64) ([]byte, error) {
	f, err := openAt(dir, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// mapping is one line of /proc/PID/maps.
type mapping struct {
	start, end, offset uint64
	file               string // "" when anonymous
}

// maxMaps bounds what is read of maps: 65530 mappings (vm.max_map_count) of
// ordinary length. The path in a line may be 4096 bytes of the container's choice.
const maxMaps = 8 << 20

// findMapping finds the mapping that holds addr. One that is not of a file
// (generated code, the vdso) has no name.
func findMapping(dir int, addr uint64) (mapping, error) {
	f, err := openAt(dir, "maps")
	if err != nil {
		return mapping{}, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxMaps))
	for lines.Scan() {
		m, ok := parseMapping(lines.Bytes())
		if ok && m.start <= addr && addr < m.end {
			return m, nil
		}
	}
	return mapping{}, lines.Err()
}

// parseMapping reads "start-end perms offset dev inode  path" (proc_pid_maps(5)).
// Only an absolute path is a file; [vdso] and anon_inode:x are not.
func parseMapping(line []byte) (mapping, bool) {
	fields := bytes.SplitN(line, []byte{' '}, 6)
	if len(fields) < 5 {
		return mapping{}, false
	}
	from, to, ok := bytes.Cut(fields[0], []byte{'-'})
	var m mapping
	var err [3]error
	m.start, err[0] = strconv.ParseUint(string(from), 16, 64)
	m.end, err[1] = strconv.ParseUint(string(to), 16, 64)
	m.offset, err[2] = strconv.ParseUint(string(fields[2]), 16, 64)
	if !ok || errors.Join(err[:]...) != nil {
		return mapping{}, false
	}
	if len(fields) == 6 {
		if path := bytes.TrimLeft(fields[5], " "); len(path) > 0 && path[0] == '/' {
			m.file = string(path)
		}
	}
	return m, true
}
