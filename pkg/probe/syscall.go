package probe

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// parseSyscall reads /proc/PID/syscall (fs/proc/base.c proc_pid_syscall):
// "running", or the number, six arguments, stack pointer and program counter,
// or "-1 SP PC" for a task that is blocked outside a system call. arch is the
// GOARCH whose numbers apply.
func parseSyscall(data []byte, arch string) (*evidence.Syscall, error) {
	text := strings.TrimSpace(string(data))
	if text == "running" {
		return &evidence.Syscall{Running: true}, nil
	}
	parts := strings.Fields(text)
	if len(parts) != 3 && len(parts) != 9 {
		return nil, fmt.Errorf("syscall %.80q: %w", text, errParse)
	}
	nr, err := strconv.Atoi(parts[0])
	if err != nil {
		return nil, fmt.Errorf("syscall %.80q: %w", text, err)
	}
	s := &evidence.Syscall{NR: nr}
	regs, err := hexes(parts[1:])
	if err != nil {
		return nil, fmt.Errorf("syscall %.80q: %w", text, err)
	}
	if len(regs) == 8 {
		s.Args = regs[:6]
		if !compat(regs[6]) {
			s.Name = syscallName(arch, nr)
		}
	}
	return s, nil
}

func hexes(parts []string) ([]uint64, error) {
	out := make([]uint64, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(strings.TrimPrefix(part, "0x"), 16, 64)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// compat tells a 32-bit program by its stack pointer. Its numbers are of
// another table (11 is execve, not munmap), so they stay without a name.
func compat(sp uint64) bool { return sp>>32 == 0 }

// syscallName names a system call by number, "" where it is not known.
func syscallName(arch string, nr int) string {
	var names []string
	switch arch {
	case "amd64":
		names = namesAMD64[:]
	case "arm64":
		names = namesARM64[:]
	}
	if nr < 0 || nr >= len(names) {
		return ""
	}
	return names[nr]
}

// readSyscall is the system call of one task; the reason why not is noted.
func (r *reader) readSyscall(pid, tid int) (*evidence.Syscall, error) {
	path := r.p.taskPath(pid, tid, "syscall")
	data, err := r.read(path, firstRead)
	if err != nil {
		r.miss(fileSyscall, pid, path, err)
		return nil, err
	}
	s, err := parseSyscall(data, runtime.GOARCH)
	if err != nil {
		r.miss(fileSyscall, pid, path, err)
	}
	return s, err
}
