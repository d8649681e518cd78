package inside

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// What is known of bash 4.4 to 5.3 on Linux (trap.c, builtins/wait.def,
// lib/sh/zread.c). Bash exports its globals for loadable builtins, so they are
// in .dynsym of every dynamic build.
const (
	bashSignals  = 65              // NSIG; trap_list[0] is EXIT
	bashTrapList = bashSignals + 3 // and DEBUG, ERR, RETURN behind
	// resetTrap is SUBSHELL_RESETTRAP (command.h): this subshell inherited its
	// parent's trap strings for `trap -p` alone; none is set here.
	resetTrap = 0x80

	maxTrap = 4096 // bytes of one trap's text
)

// peeker reads the memory of a process.
type peeker interface {
	peek(addr uint64, n int) ([]byte, error)
}

// readBash reads a bash's traps and what it is doing.
func readBash(img *image, m peeker, p *evidence.Process) (*evidence.BashInside, error) {
	syms, err := img.exported("trap_list", "initialize_traps", "subshell_environment", "running_trap",
		"this_shell_builtin", "wait_builtin", "wait_intr_flag", "executing_builtin", "interactive", "waiting_for_child")
	_, traps := syms["trap_list"]
	switch {
	case !traps && exeName(p) == "sh": // dash and others have that name too
		return nil, fmt.Errorf("sh is not bash: %w", errOther)
	case err != nil:
		return nil, fileError{err}
	}
	return bashFrom(syms, m, p)
}

func bashFrom(syms map[string]symbol, m peeker, p *evidence.Process) (*evidence.BashInside, error) {
	// The sentinel and wait_intr_flag (bash 4.4) are asked for even if unused:
	// without them it is another bash than those known.
	for _, name := range []string{"trap_list", "initialize_traps", "wait_builtin", "wait_intr_flag"} {
		if _, ok := syms[name]; !ok {
			return nil, fmt.Errorf("bash without %s: %w", name, errUnknown)
		}
	}
	if p.Signals == nil {
		return nil, fmt.Errorf("bash without signal masks: %w", errUnknown)
	}
	b := bashMemory{syms: syms, m: m}
	in := &evidence.BashInside{}
	env := b.int32("subshell_environment")
	running := b.int32("running_trap")
	if b.err != nil {
		return nil, b.err
	}
	in.Traps = b.traps(p.Signals, env&resetTrap != 0)
	if running >= 1 && running <= bashSignals {
		in.Running = trapName(int(running) - 1)
	}
	in.Waiting, in.Reading = b.doing(leaderCall(p))
	if b.err != nil {
		return nil, b.err
	}
	return in, nil
}

// doing tells the `wait` builtin from a foreground command, both in wait4, and
// the read builtin from a read that traps do not interrupt (zread). Readline,
// of an interactive shell, has rules of its own.
func (b *bashMemory) doing(call string) (waiting, reading *bool) {
	yes, no := true, false
	switch call {
	case "wait4", "waitid":
		if b.int32("wait_intr_flag") != 0 && b.pointer("this_shell_builtin") == b.syms["wait_builtin"].addr {
			return &yes, nil
		}
		return &no, nil
	case "read", "pselect6", "select":
		if b.int32("executing_builtin") != 0 {
			return nil, &yes
		}
		// Before 5.0 every read ran traps; 5.1 is the first that can be told.
		_, known := b.syms["waiting_for_child"]
		if known && call == "read" && b.int32("interactive") == 0 {
			return nil, &no
		}
	}
	return nil, nil
}

// leaderCall is the system call that a single-threaded process sleeps in.
func leaderCall(p *evidence.Process) string {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if t.TID == p.PID && t.State == "S" && t.Syscall != nil && !t.Syscall.Running {
			return t.Syscall.Name
		}
	}
	return ""
}

// bashMemory reads bash's variables by name and keeps the first error.
type bashMemory struct {
	syms map[string]symbol
	m    peeker
	err  error
}

func (b *bashMemory) variable(name string, size int) []byte {
	s, ok := b.syms[name]
	if b.err == nil && (!ok || s.size != uint64(size) || s.kind != sttObject) {
		b.err = fmt.Errorf("bash's %s is not of %d bytes: %w", name, size, errUnknown)
	}
	if b.err != nil {
		return make([]byte, size)
	}
	data, err := b.m.peek(s.addr, size)
	if err != nil {
		b.err = err
		return make([]byte, size)
	}
	return data
}

func (b *bashMemory) int32(name string) int32    { return int32(le32(b.variable(name, 4))) }
func (b *bashMemory) pointer(name string) uint64 { return le64(b.variable(name, 8)) }

// traps reads the traps that are set. trap_list alone does not say so: a
// subshell keeps its parent's strings, and sigmodes[], which would tell, is
// static. So a trap counts only where the kernel agrees: a text needs a
// handler, an ignored signal needs SIG_IGN.
func (b *bashMemory) traps(s *evidence.Signals, inherited bool) map[string]evidence.Trap {
	list := b.variable("trap_list", 8*bashTrapList)
	traps := map[string]evidence.Trap{}
	for n := 0; n < bashSignals && b.err == nil; n++ {
		switch at := le64(list[8*n:]); {
		case at == 0, at == b.syms["initialize_traps"].addr: // DEFAULT_SIG, IMPOSSIBLE_TRAP_HANDLER
		case at == 1: // IGNORE_SIG
			if n > 0 && s.Ignored.Has(n) || n == 0 && !inherited {
				traps[trapName(n)] = evidence.Trap{Ignored: true}
			}
		case !inherited && (n == 0 || s.Caught.Has(n)):
			var t evidence.Trap
			t.Text, t.Truncated = b.text(at)
			traps[trapName(n)] = t
		}
	}
	return traps
}

// text reads a string, page by page: what lies behind its end may not be mapped.
func (b *bashMemory) text(at uint64) (text string, truncated bool) {
	var all []byte
	for len(all) < maxTrap {
		const page = 4096
		n := min(page-int(at%page), 256, maxTrap-len(all))
		data, err := b.m.peek(at, n)
		if err != nil {
			b.err = err
			return "", true
		}
		if end := bytes.IndexByte(data, 0); end >= 0 {
			return strings.ToValidUTF8(string(append(all, data[:end]...)), "\uFFFD"), false
		}
		all = append(all, data...)
		at += uint64(n)
	}
	return strings.ToValidUTF8(string(all), "\uFFFD"), true
}

// trapName is a trap's name as evidence spells it.
func trapName(n int) string {
	if n == 0 {
		return "EXIT"
	}
	return evidence.SignalName(n)
}
