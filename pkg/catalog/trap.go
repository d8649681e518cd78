package catalog

import (
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// annotateTraps says of each shell trap whether its text surely ends the shell.
func annotateTraps(p *evidence.Process) {
	if p.Inside == nil || p.Inside.Bash == nil {
		return
	}
	for name, t := range p.Inside.Bash.Traps {
		if t.Text == "" {
			continue
		}
		t.Exits, t.Code, t.Forwards, t.Waits = ReadTrap(t.Text)
		t.Plain = plain(t.Text) && !t.Waits
		p.Inside.Bash.Traps[name] = t
	}
}

// quick are commands that a trap may run before `exit` without our having to
// guess whether they return: they neither wait nor loop.
var quick = map[string]bool{
	"echo": true, "printf": true, ":": true, "true": true, "rm": true, "touch": true, "kill": true,
	"trap": true, "set": true, "unset": true, "export": true, "logger": true, "date": true, "pkill": true, "killall": true,
}

// ReadTrap reads a trap's text as far as simple commands go. exits: the text
// surely ends the shell; code: with this status, nil where it is not plain;
// forwards: it sends signals to others; waits: it waits for its children first.
// Anything it does not understand (functions, conditions, loops, substitutions
// in command position) makes exits false: not known, not no.
func ReadTrap(text string) (exits bool, code *int, forwards, waits bool) {
	stmts, simple := statements(text)
	if !simple {
		return false, nil, strings.Contains(text, "kill"), false
	}
	for _, words := range stmts {
		switch cmd := words[0]; {
		case cmd == "exit":
			return true, exitCode(words), forwards, waits
		case cmd == "kill" || cmd == "pkill" || cmd == "killall":
			forwards = true
		case cmd == "wait":
			waits = true
		case assignment(cmd) && len(words) == 1:
		case !quick[cmd]:
			return false, nil, forwards || strings.Contains(text, "kill"), waits
		}
	}
	return false, nil, forwards, waits
}

// statements splits a trap's text into simple commands of words, none empty;
// false where it holds more than those (conditions, substitutions, grouping).
func statements(text string) ([][]string, bool) {
	if strings.ContainsAny(text, "`\\<(){}|") || strings.Contains(text, "&&") {
		return nil, false
	}
	var out [][]string
	for _, stmt := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' || r == '&' }) {
		if words := strings.Fields(stmt); len(words) > 0 {
			out = append(out, words)
		}
	}
	return out, true
}

// exitCode is the status of `exit N`, nil for `exit` and `exit $?`.
func exitCode(words []string) *int {
	if len(words) < 2 {
		return nil
	}
	n, err := strconv.Atoi(words[1])
	if err != nil || n < 0 || n > 255 {
		return nil
	}
	return &n
}

// assignment reports whether a word is NAME=value.
func assignment(word string) bool {
	i := strings.IndexByte(word, '=')
	if i < 1 {
		return false
	}
	for _, r := range word[:i] {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return true
}

// plain reports whether ReadTrap understood a trap's text to its end, whatever
// it does.
func plain(text string) bool {
	stmts, simple := statements(text)
	if !simple {
		return false
	}
	for _, words := range stmts {
		if words[0] != "exit" && !quick[words[0]] && !(assignment(words[0]) && len(words) == 1) {
			return false
		}
	}
	return true
}
