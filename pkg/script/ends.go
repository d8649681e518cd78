package script

import (
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxDepth bounds how far branches and functions are followed, and maxEnds how
// many endings are kept: a script of branches within branches has many.
const (
	maxDepth = 12
	maxEnds  = 32
	maxSteps = 20_000
)

// reader is one reading of one script.
type reader struct {
	text      string
	functions map[string]*syntax.Stmt
	out       *Script
	// steps bounds the work: a function that calls itself twice doubles it with
	// every level.
	steps int
}

// ends finds how a list of commands ends: by its last command that is not done
// at once. A branch that may be passed over adds what stands before it.
func (r *reader) ends(list []*syntax.Stmt, depth int) []End {
	var out []End
	for i := len(list) - 1; i >= 0 && len(out) < maxEnds; i-- {
		found := r.end(list[i], depth)
		out = append(out, slices.DeleteFunc(slices.Clone(found), isNothing)...)
		if !slices.ContainsFunc(found, isNothing) {
			return out
		}
	}
	return append(out, End{Kind: Nothing})
}

func isNothing(e End) bool { return e.Kind == Nothing }

// nothing is a fresh list: callers cut their lists in place.
func nothing() []End { return []End{{Kind: Nothing}} }

// end finds how one command ends; Nothing where the next one would be reached at
// once, or where it may be passed over.
func (r *reader) end(s *syntax.Stmt, depth int) []End {
	if r.steps++; s == nil || s.Background || depth > maxDepth || r.steps > maxSteps {
		return nothing()
	}
	switch cmd := s.Cmd.(type) {
	case *syntax.CallExpr:
		return r.call(cmd, depth)
	case *syntax.Block:
		return r.ends(cmd.Stmts, depth+1)
	case *syntax.Subshell:
		return r.inSubshell(r.ends(cmd.Stmts, depth+1), s)
	case *syntax.IfClause:
		return r.branches(cmd, depth)
	case *syntax.CaseClause:
		return r.cases(cmd, depth)
	case *syntax.WhileClause, *syntax.ForClause:
		return r.loop(s, depth)
	case *syntax.BinaryCmd:
		return r.binary(cmd, depth)
	case *syntax.TimeClause:
		return r.inSubshell(r.end(cmd.Stmt, depth+1), s)
	}
	return nothing()
}

// call is a simple command: exec, wait, a function of the script, a builtin or a
// program.
func (r *reader) call(c *syntax.CallExpr, depth int) []End {
	words := r.words(c.Args)
	if len(words) == 0 {
		return nothing()
	}
	line := int(c.Pos().Line())
	for len(words) > 1 && (words[0] == "command" || words[0] == "builtin") && !strings.HasPrefix(words[1], "-") {
		words = words[1:]
	}
	switch name := words[0]; {
	case name == "exec":
		rest := afterExec(words[1:])
		if len(rest) == 0 {
			return nothing() // redirections alone
		}
		return []End{{Kind: Exec, Words: rest, Line: line}}
	case name == "wait":
		return []End{{Kind: Wait, Line: line}}
	case name == "." || name == "source" || name == "eval":
		return nothing()
	case r.functions[name] != nil:
		return r.end(r.functions[name], depth+1)
	case quick[name] && !sleepsLong(words) || strings.HasPrefix(name, "$("):
		return nothing()
	}
	return []End{{Kind: Foreground, Words: words, Line: line}}
}

// afterExec drops exec's own options: -a NAME, -c, -l.
func afterExec(words []string) []string {
	for len(words) > 0 {
		switch words[0] {
		case "-a":
			words = words[min(2, len(words)):]
		case "-c", "-l", "-cl", "-lc", "--":
			words = words[1:]
		default:
			return words
		}
	}
	return words
}

// inSubshell: what is exec'd in a subshell replaces the subshell, and the shell
// waits for it.
func (r *reader) inSubshell(ends []End, s *syntax.Stmt) []End {
	out := slices.Clone(ends)
	for i := range out {
		if out[i].Kind == Exec {
			out[i].Kind = Foreground
		}
	}
	return out
}

func (r *reader) branches(c *syntax.IfClause, depth int) []End {
	var out []End
	last := c
	for ; c != nil; c = c.Else {
		out = append(out, r.ends(c.Then, depth+1)...)
		last = c
	}
	if len(last.Cond) > 0 { // no else: it may be passed over
		out = append(out, nothing()...)
	}
	return bound(out)
}

func (r *reader) cases(c *syntax.CaseClause, depth int) []End {
	var out []End
	all := false
	for _, item := range c.Items {
		out = append(out, r.ends(item.Stmts, depth+1)...)
		for _, p := range item.Patterns {
			all = all || r.word(p) == "*"
		}
	}
	if !all {
		out = append(out, nothing()...)
	}
	return bound(out)
}

func bound(ends []End) []End { return ends[:min(len(ends), maxEnds)] }

// loop is endless where its condition is `true` or `:`; others end some time, and
// what follows counts. A loop that only sleeps and looks is no program either. An
// exec within is an ending of its own.
func (r *reader) loop(s *syntax.Stmt, depth int) []End {
	var do []*syntax.Stmt
	switch cmd := s.Cmd.(type) {
	case *syntax.WhileClause:
		do = cmd.Do
	case *syntax.ForClause:
		do = cmd.Do
	}
	inner := r.ends(do, depth+1)
	e := End{Kind: Nothing}
	if r.endless(s) {
		e = End{Kind: Loop, Line: int(s.Pos().Line())}
	}
	var out []End
	for _, in := range inner {
		switch {
		case in.Kind == Exec:
			out = append(out, in)
		case in.Kind == Foreground && e.Kind == Loop && !isSleep(in.Words):
			e.Words, e.Line = in.Words, in.Line
		}
	}
	return bound(append(out, e))
}

func (r *reader) endless(s *syntax.Stmt) bool {
	w, ok := s.Cmd.(*syntax.WhileClause)
	if !ok || len(w.Cond) != 1 {
		return false
	}
	call, ok := w.Cond[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	name := r.word(call.Args[0])
	return (name == "true" || isSleep([]string{name}) || name == ":" || name == "[" && len(call.Args) == 3) && !w.Until ||
		name == "false" && w.Until
}

// sleepsLong: `sleep infinity` and its like stand for a program.
func sleepsLong(words []string) bool {
	if !isSleep(words) || len(words) < 2 {
		return false
	}
	n, err := strconv.Atoi(words[1])
	return words[1] == "infinity" || words[1] == "inf" || err == nil && n >= 600 || strings.HasSuffix(words[1], "d") || strings.HasSuffix(words[1], "h")
}

func isSleep(words []string) bool {
	return len(words) > 0 && (words[0] == "sleep" || words[0] == "usleep")
}

// binary: `a && b` ends as b, or where a failed, at once; `a || b` and `a | b`.
func (r *reader) binary(c *syntax.BinaryCmd, depth int) []End {
	switch c.Op {
	case syntax.Pipe, syntax.PipeAll:
		first := c.X
		for {
			left, ok := first.Cmd.(*syntax.BinaryCmd)
			if !ok || left.Op != c.Op {
				break
			}
			first = left.X
		}
		ends := r.end(first, depth+1)
		if len(ends) == 0 || ends[0].Kind == Nothing {
			if ends = r.end(c.Y, depth+1); len(ends) == 0 || ends[0].Kind == Nothing {
				return nothing()
			}
		}
		return []End{{Kind: Pipeline, Words: ends[0].Words, Line: ends[0].Line}}
	case syntax.OrStmt:
		// `a || exit 1`, `test || exec b`: b comes only when a failed.
		return append(r.end(c.X, depth+1), slices.DeleteFunc(r.end(c.Y, depth+1), isNothing)...)
	}
	y := r.end(c.Y, depth+1)
	if y[0].Kind != Nothing {
		// a is over before b begins; where a failed, what follows is reached. That
		// is an accident for `cd /app && server`, which is how it is written.
		if x := r.end(c.X, depth+1); x[0].Kind != Nothing || !r.test(c.X) {
			return y
		}
		return append(slices.Clone(y), nothing()...)
	}
	return r.end(c.X, depth+1)
}

// test reports a command that is there to be asked: [ … ], test, [[ … ]].
func (r *reader) test(s *syntax.Stmt) bool {
	switch cmd := s.Cmd.(type) {
	case *syntax.TestClause:
		return true
	case *syntax.CallExpr:
		if len(cmd.Args) > 0 {
			w := r.word(cmd.Args[0])
			return w == "[" || w == "test"
		}
	}
	return false
}
