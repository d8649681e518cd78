package probe

import (
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Limits of a command line as recorded.
const (
	maxCmdline = 32 << 10
	maxArgs    = 256
)

// words are what names a program, read last.
type words struct {
	stdio []string
	exe   string
	argv  []string
}

// readWords reads the links of descriptors 0 to 2 where asked, exe, and cmdline, which
// takes the mmap lock and may wait for as long as anybody holds it.
func (r *reader) readWords(pid int, stdio bool) words {
	var w words
	if stdio {
		w.stdio = r.stdio(pid)
	}
	path := r.p.pidPath(pid, "exe")
	text, err := readLink(path)
	if err != nil {
		r.miss(fileExe, pid, path, err)
	}
	w.exe = text
	path = r.p.pidPath(pid, "cmdline")
	data, err := r.read(path, maxCmdline)
	if err != nil {
		r.miss(fileCmdline, pid, path, err)
		return w
	}
	w.argv = parseCmdline(data)
	return w
}

// stdio are the link texts of descriptors 0, 1 and 2; "" for one that is closed,
// nil when none can be read.
func (r *reader) stdio(pid int) []string {
	out := make([]string, 3)
	any := false
	for i := range out {
		text, err := readLink(r.p.pidPath(pid, "fd", strconv.Itoa(i)))
		if err == nil {
			out[i], any = text, true
		}
	}
	if !any {
		return nil
	}
	return out
}

// parseCmdline splits /proc/PID/cmdline at its NULs. A program that rewrote its
// title (nginx, postgres) has padding behind it. The result is empty, not nil,
// for a kernel thread and for a process without memory.
func parseCmdline(data []byte) []string {
	text := strings.TrimRight(string(data), "\x00")
	if text == "" {
		return []string{}
	}
	argv := strings.SplitN(text, "\x00", maxArgs+1)
	if len(argv) > maxArgs {
		argv = argv[:maxArgs]
	}
	return argv
}

// mayTouch reports whether a process's memory may be touched, see the package
// comment: not while a thread is in D, and not once it is dying.
func mayTouch(p *evidence.Process) bool { return !dying(p) && !uninterruptible(p) }
