package cli

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

const issuesURL = "https://github.com/whystuck/whystuck/issues"

// recoverBug turns a panic into exit code 5 and one line that names what to
// send. It must be deferred itself, or recover sees nothing.
func (a *app) recoverBug(code *int) {
	v := recover()
	if v == nil {
		return
	}
	b, ok := v.(*beside.Bug)
	if !ok {
		b = &beside.Bug{Value: v, Stack: debug.Stack()}
	}
	*code = exitBug
	a.complain(fmt.Sprintf("a bug of ours: %v. Please send %s to %s", b.Value, a.saveBug(b), issuesURL))
}

// saveBug writes the stack and, redacted, what had been seen, and names the
// files. They are the user's alone: even redacted evidence is not for others.
func (a *app) saveBug(b *beside.Bug) (names string) {
	defer func() {
		if recover() != nil { // the very evidence that broke us may break its writer
			names = "this line"
		}
	}()
	stem, err := os.MkdirTemp(a.TempDir, "whystuck-bug-")
	if err != nil {
		return "this line"
	}
	stack := fmt.Sprintf("whystuck %s\n%v\n\n%s", a.version(), b.Value, b.Stack)
	if err := os.WriteFile(stem+"/stack.txt", []byte(stack), 0o600); err != nil {
		return "this line"
	}
	if a.seen != nil {
		var text strings.Builder
		evidence.Redact(a.seen)
		if evidence.Write(&text, a.seen) == nil && os.WriteFile(stem+"/capture.json", []byte(text.String()), 0o600) == nil {
			return "the files in " + stem
		}
	}
	return stem + "/stack.txt"
}
