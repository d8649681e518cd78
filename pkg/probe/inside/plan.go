package inside

import (
	"path"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// The programs that have a reader.
const (
	programBash = "bash"
	programNode = "node"
	programPHP  = "php"
	programGo   = "go"
)

// What a reader would have settled, for the gap where it could not.
const mattersWaits = "cannot tell which signals a thread waits for"

var matters = map[string]string{
	programBash: "cannot tell the text of bash's traps, nor whether a trap is held back by a foreground child",
	programNode: "cannot tell whether JavaScript code listens for the signal or only Node's own handler does",
	programPHP:  "cannot tell whether PHP code has a handler for the signal",
	programGo:   "cannot tell which signals the Go program asked for",
}

// plan is what is worth trying for one process.
type plan struct {
	waits   bool   // read the sets that threads wait with
	program string // the reader to try, "" for none
}

func (p plan) nothing() bool { return !p.waits && p.program == "" }

func (p plan) matters() string {
	if p.program != "" {
		return matters[p.program]
	}
	return mattersWaits
}

// planFor decides from what is known already. The name of a program is only a
// hint for what to try: the symbols of its ELF file decide.
func planFor(p *evidence.Process) plan {
	return plan{waits: hasWaits(p), program: programHint(p)}
}

// programHint names the reader to try. Go programs have any name, but the Go
// runtime installs handlers for nearly every signal, which little else does.
func programHint(p *evidence.Process) string {
	name := exeName(p)
	switch {
	case name == "bash", name == "sh", name == "rbash", strings.HasPrefix(name, "bash-"), strings.HasPrefix(name, "bash5"):
		return programBash
	case name == "node", name == "nodejs", strings.HasPrefix(name, "node-"), strings.HasPrefix(name, "node1"), strings.HasPrefix(name, "node2"):
		return programNode
	case strings.HasPrefix(name, "php") && !strings.Contains(name, "fpm"):
		return programPHP
	case catchesLikeGo(p):
		return programGo
	}
	return ""
}

// catchesLikeGo: runtime/sigtab_linux_generic.go has all of these as _SigPanic
// or _SigNotify, and os/signal cannot give them back to the default action.
// Two million other processes on a host are spared an open of their file.
func catchesLikeGo(p *evidence.Process) bool {
	want := evidence.SetOf(evidence.SIGBUS, evidence.SIGFPE, evidence.SIGSEGV, evidence.SIGURG, evidence.SIGPROF, evidence.SIGPIPE)
	return p.Signals != nil && p.Signals.Caught&want == want
}

// exeName is the base name of the program file, of argv[0] where the file is
// not known.
func exeName(p *evidence.Process) string {
	if p.Exe != "" {
		return path.Base(strings.TrimSuffix(p.Exe, " (deleted)"))
	}
	if len(p.Argv) > 0 {
		return path.Base(strings.TrimPrefix(p.Argv[0], "-"))
	}
	return ""
}
