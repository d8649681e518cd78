package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// quick are commands that are done at once, so that the one before them decides
// how the script ends.
var quick = words(`echo printf : true false exit return test [ [[ cd export unset set shift trap local readonly declare typeset
	umask ulimit alias hash type command rm mkdir touch chmod chown ln cp mv cat grep egrep sed awk cut tr head sort uniq wc
	basename dirname date id whoami hostname env which kill pkill killall let break continue read getopts pwd ls find install
	mktemp tee sync sleep usermod groupmod useradd addgroup adduser envsubst logger popd pushd shopt ldconfig update-ca-certificates`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}

// gather walks the whole script once for what may stand anywhere: functions,
// traps, background commands, `set --`.
func (r *reader) gather(file *syntax.File) {
	var inner []bool // of the nodes that we are in
	syntax.Walk(file, func(n syntax.Node) bool {
		if n == nil {
			inner = inner[:len(inner)-1]
			return true
		}
		within := len(inner) > 0 && inner[len(inner)-1] || apart(n)
		inner = append(inner, within)
		switch n := n.(type) {
		case *syntax.FuncDecl:
			if n.Name != nil {
				r.functions[n.Name.Value] = n.Body
			}
		case *syntax.Stmt:
			if n.Background {
				r.background(n)
			}
		case *syntax.CallExpr:
			r.noteCall(n, within)
		}
		return true
	})
	for i := range r.out.Traps {
		t := &r.out.Traps[i]
		t.Kills = strings.Contains(t.Text, "kill") || r.functionKills(t.Text)
	}
}

// apart reports a part of the script that may not be run, or not in its own shell.
func apart(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.FuncDecl, *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
		return true
	case *syntax.Stmt:
		return n.Background
	}
	return false
}

func (r *reader) background(s *syntax.Stmt) {
	if call, ok := s.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 {
		r.out.Background = append(r.out.Background, End{Kind: Foreground, Words: r.words(call.Args), Line: int(s.Pos().Line())})
		return
	}
	r.out.Background = append(r.out.Background, End{Kind: Loop, Line: int(s.Pos().Line())})
}

func (r *reader) noteCall(c *syntax.CallExpr, inner bool) {
	w := r.words(c.Args)
	switch {
	case len(w) == 0:
	case w[0] == "trap":
		r.trap(w[1:], int(c.Pos().Line()), inner)
	case w[0] == "." || w[0] == "source" || w[0] == "eval":
		r.out.Sourced = true
	case w[0] == "set" && len(w) > 3 && w[1] == "--" && w[len(w)-1] == "$@":
		r.out.Sets = w[2 : len(w)-1]
	}
}

// trap reads `trap TEXT SIGNAL...`. Without a text it is a listing or a reset.
func (r *reader) trap(w []string, line int, inner bool) {
	if len(w) > 0 && w[0] == "--" {
		w = w[1:]
	}
	if len(w) > 1 && w[0] == "-" {
		for _, s := range w[1:] {
			r.out.Resets = append(r.out.Resets, signalWord(s))
		}
		return
	}
	if len(w) < 2 || w[0] == "-p" || w[0] == "-l" {
		return
	}
	t := Trap{Text: w[0], Line: line, Inner: inner}
	for _, s := range w[1:] {
		t.Signals = append(t.Signals, signalWord(s))
	}
	r.out.Traps = append(r.out.Traps, t)
}

// numbers are the signals that scripts name by number; they are the same on
// every machine (POSIX trap).
var numbers = map[string]string{"0": "EXIT", "1": "HUP", "2": "INT", "3": "QUIT", "6": "ABRT", "9": "KILL", "14": "ALRM", "15": "TERM"}

func signalWord(s string) string {
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if name, ok := numbers[s]; ok {
		return name
	}
	return s
}

// functionKills reports whether a function that the text calls has a kill in it.
func (r *reader) functionKills(text string) bool {
	for _, w := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ';' || c == '&' || c == '\n' || c == '"' }) {
		body := r.functions[w]
		if body == nil {
			continue
		}
		if strings.Contains(r.source(body), "kill") {
			return true
		}
	}
	return false
}

// source is the text of a node.
func (r *reader) source(n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from < 0 || to > len(r.text) || from > to {
		return ""
	}
	return r.text[from:to]
}

func (r *reader) words(list []*syntax.Word) []string {
	out := make([]string, 0, len(list))
	for _, w := range list {
		out = append(out, r.word(w))
	}
	return out
}

// word is a word's text where it is plain, else as it was written without the
// quotes around it.
func (r *reader) word(w *syntax.Word) string {
	var b strings.Builder
	for _, part := range w.Parts {
		if !plainPart(&b, part) {
			return strings.Trim(r.source(w), `"`)
		}
	}
	return b.String()
}

func plainPart(b *strings.Builder, part syntax.WordPart) bool {
	switch p := part.(type) {
	case *syntax.Lit:
		b.WriteString(strings.ReplaceAll(p.Value, `\`, ""))
	case *syntax.SglQuoted:
		b.WriteString(p.Value)
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			if !plainPart(b, inner) {
				return false
			}
		}
	default:
		return false
	}
	return true
}
