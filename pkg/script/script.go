// Package script reads a shell script as far as one question goes: which process
// is PID 1 when the script has done its work, and what becomes of a stop signal
// there. It finds how the script ends (exec, a program in the foreground, wait),
// its traps, and what it starts in the background.
//
// It runs nothing, expands nothing and follows no file. Parsing is mvdan.cc/sh's;
// what that refuses, or what a bound cut off, is an error and never a guess. The
// text comes out of an image and is hostile: it is bounded by MaxText, and depth
// by maxDepth.
package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// MaxText is how much of a script is read, in bytes. The entrypoints of the
// official images have 2 to 20 KiB.
const MaxText = 64 << 10

// Kind says how a script, or one branch of it, ends.
type Kind string

// The kinds of endings.
const (
	Exec       Kind = "exec"       // the shell replaces itself by Words
	Foreground Kind = "foreground" // the shell waits for Words
	Pipeline   Kind = "pipeline"   // the shell waits for the parts of a pipeline; Words is the first
	Loop       Kind = "loop"       // a loop that does not end by itself
	Wait       Kind = "wait"       // the wait builtin
	Nothing    Kind = "nothing"    // only commands that are done at once
)

// End is one way in which the script ends.
type End struct {
	Kind Kind
	// Words of the command. A word that is not plain text stands as it was
	// written: "$@", "${CMD}".
	Words []string
	Line  int
	// Single: it is all that the script does, a simple command. Tail: it is the
	// last thing, and simple. Most shells replace themselves by the one or the
	// other where the text came with -c.
	Single, Tail bool
	// Redirected: its output or input goes elsewhere.
	Redirected bool
}

// Trap is a `trap` command.
type Trap struct {
	Signals []string // as written, without SIG, in capitals
	Text    string   // "" ignores the signals
	Line    int
	// Kills: its text, or the function that it calls, has a kill in it.
	Kills bool
	// Inner: it stands in a function, a subshell or the background. Whether it is
	// reached, and whose it is then, is not known.
	Inner bool
}

// Script is what was found.
type Script struct {
	Ends       []End // at least one
	Traps      []Trap
	Background []End // commands started with &, in their order
	// Sets are the words of `set -- WORD "$@"`, nil when there is none: images put
	// the program's name before options that way.
	Sets []string
	// Sourced: it runs a text that is not seen here (., source, eval), which may hold
	// traps and functions, or an exec.
	Sourced bool
	// Resets are the signals that `trap -` gives back, in any place.
	Resets []string
}

// ErrTooLong says that the text is longer than MaxText.
var ErrTooLong = errors.New("longer than is read")

// Read reads a script's text. bash says that the interpreter is bash; else the
// text is taken for POSIX, with a second try as bash, since much that is called
// sh uses bash's words.
func Read(text string, bash bool) (*Script, error) {
	if len(text) > MaxText {
		return nil, ErrTooLong
	}
	variants := []syntax.LangVariant{syntax.LangPOSIX, syntax.LangBash}
	if bash {
		variants = variants[1:]
	}
	var file *syntax.File
	var err error
	for _, v := range variants {
		if file, err = syntax.NewParser(syntax.Variant(v)).Parse(strings.NewReader(text), ""); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("parsing the script: %w", err)
	}
	r := &reader{text: text, functions: map[string]*syntax.Stmt{}, out: &Script{}}
	r.gather(file)
	r.out.Ends = r.ends(file.Stmts, 0)
	if r.out.Ends[0].Kind == Foreground && !slices.ContainsFunc(r.out.Ends[1:], func(e End) bool { return e.Kind != Nothing }) {
		r.tail(file.Stmts)
	}
	return r.out, nil
}

// tail looks whether the ending is the very last command, and a simple one.
func (r *reader) tail(list []*syntax.Stmt) {
	last := list[len(list)-1]
	alone := len(list) == 1
	if b, ok := last.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.AndStmt {
		last, alone = b.Y, false
	}
	call, ok := last.Cmd.(*syntax.CallExpr)
	if !ok || last.Background || last.Negated || len(call.Args) == 0 {
		return
	}
	e := &r.out.Ends[0]
	if got := r.call(call, 0); len(got) == 1 && got[0].Kind == Foreground && got[0].Line == e.Line && len(got[0].Words) == len(e.Words) {
		e.Single, e.Tail, e.Redirected = alone, true, len(last.Redirs) > 0
	}
}

// TrapFor is the last trap on a signal ("TERM"), nil when there is none. An empty
// one in a function or a subshell does not count where there is one with a text: a
// handler silences the signal that it handles.
func (s *Script) TrapFor(signal string) *Trap {
	var last *Trap
	for i := len(s.Traps) - 1; i >= 0; i-- {
		t := &s.Traps[i]
		switch {
		case !slices.Contains(t.Signals, signal):
		case t.Text != "" || !t.Inner:
			return t
		case last == nil:
			last = t
		}
	}
	return last
}

// Changes reports whether the script sets a signal more than once, or gives it back.
func (s *Script) Changes(signal string) bool {
	n := 0
	for _, t := range s.Traps {
		if slices.Contains(t.Signals, signal) {
			n++
		}
	}
	return n > 1 || slices.Contains(s.Resets, signal)
}
