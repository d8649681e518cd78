package diagnose

import (
	"errors"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/script"
)

// readShell finds the text that a shell runs, and reads it.
func (w *walk) readShell(l *link) {
	sh := l.shell
	args := l.argv[1:]
	if l.program.ID == "ash" && len(args) > 0 && len(l.argv) > 1 && strings.HasSuffix(l.argv[0], "busybox") {
		args = args[1:] // busybox sh -c …
	}
	for len(args) > 0 {
		a := args[0]
		switch {
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "c") && len(args) > 1:
			sh.command, sh.text, sh.args = true, args[1], args[2:]
			w.parse(sh, sh.text, l.program.ID == "bash")
			return
		case len(a) > 1 && (a[0] == '-' || a[0] == '+') && a[1] != '-' && (a[len(a)-1] == 'o' || a == "-O"): // -o pipefail, -euxo pipefail
			args = args[min(2, len(args)):]
		case strings.HasPrefix(a, "-") && a != "-":
			args = args[1:]
		default:
			w.readScript(l, a, args[1:])
			return
		}
	}
	sh.none = true
}

// readScript reads a script file.
func (w *walk) readScript(l *link, name string, args []string) {
	sh := l.shell
	sh.file, sh.args = name, args
	if !strings.Contains(name, "/") {
		name = "./" + name
	}
	file, known := w.find(name)
	switch {
	case !known:
		return
	case file == nil || file.Unread:
		sh.trouble = "not read"
	case file.Absent:
		w.missing, w.refused, w.direct = sh.file, "there is no such file in the image", false
	case int64(len(file.Head)) < file.Size:
		sh.trouble = "longer than is read"
	default:
		sh.file, sh.source, sh.local = file.Path, "image:"+file.Path, file.Source
		if file.Source != "" {
			sh.source = file.Source
		}
		w.parse(sh, string(file.Head), l.program.ID == "bash")
	}
}

func (w *walk) parse(sh *shellLink, text string, bash bool) {
	got, err := script.Read(text, bash)
	switch {
	case errors.Is(err, script.ErrTooLong):
		sh.trouble = err.Error()
	case err != nil:
		sh.trouble = "not understood"
	default:
		sh.script = got
	}
}

// afterShell goes on to the program that a shell ends in.
func (w *walk) afterShell(l link) {
	if l.shell.script == nil {
		return
	}
	e, replaced := l.ending()
	if e == nil {
		return
	}
	next := l.shell.expand(e.Words)
	if len(next) == 0 {
		return
	}
	behind := l.behind
	if !replaced {
		behind = nil
	}
	w.follow(next, l.pid1 && replaced, behind)
}

// ending is how a shell's text ends, as far as one ending can stand for all: an
// exec of the arguments before other execs, those before what the shell waits
// for. replaced: the shell becomes it.
func (l *link) ending() (e *script.End, replaced bool) {
	ends := l.shell.script.Ends
	best := -1
	for i := range ends {
		if rankEnd(&ends[i]) > 0 && (best < 0 || rankEnd(&ends[i]) > rankEnd(&ends[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil, false
	}
	e = &ends[best]
	stays, _ := l.stays(e)
	return e, !stays
}

func rankEnd(e *script.End) int {
	switch {
	case e.Kind == script.Exec && slices.Contains(e.Words, "$@"):
		return 4
	case e.Kind == script.Exec:
		return 3
	case e.Kind == script.Nothing:
		return 0
	case e.Kind == script.Foreground:
		return 2
	}
	return 1
}

// stays reports whether the shell is still there while e runs, and how sure that
// is. Measured with Debian 12's shells (bash 5.2, dash 0.5.12, busybox 1.35, zsh,
// mksh, fish): bash and ash replace themselves by the last simple command of
// `-c`, bash not when it is redirected; dash never does.
func (l *link) stays(e *script.End) (bool, Confidence) {
	switch {
	case e.Kind == script.Exec:
		return false, Likely
	case e.Kind != script.Foreground || !l.shell.command || !e.Tail || len(l.shell.script.Traps) > 0:
		return true, Likely
	}
	switch l.program.ID {
	case "bash":
		if e.Redirected {
			return true, Assumed
		}
		return false, Likely
	case "ash", "zsh", "mksh":
		return false, Likely
	case "fish":
		return true, Likely
	}
	return true, Assumed // dash stays as measured, a later one may not; sh is any of them
}

// expand puts the script's own arguments in the place of "$@". A word that is
// not known stays as it was written.
func (sh *shellLink) expand(words []string) []string {
	args := sh.args
	if sh.command && len(args) > 0 {
		args = args[1:] // the first is $0
	}
	if sh.script.Sets != nil && (len(args) == 0 || strings.HasPrefix(args[0], "-")) {
		args = slices.Concat(sh.script.Sets, args)
	}
	var out []string
	for _, word := range words {
		switch word {
		case "$@", "$*", "${@}":
			out = append(out, args...)
		case "$0", "${BASH_SOURCE}", "${BASH_SOURCE[0]}":
			// A script that starts itself as another user comes back to its own end.
			continue
		case "$1":
			if len(args) > 0 {
				out = append(out, args[0])
			}
		default:
			out = append(out, word)
		}
	}
	return out
}
