// Package dockerfile reads a Dockerfile as far as it says what a container of the
// image starts and how it is stopped: which line sets it, which base brings the
// rest, and which files of the build context land where.
//
// It is no builder: it runs nothing, reads no file, and expands only variables
// that stand in the file. BuildKit's own parser was measured (v0.34.2): with its
// instructions it adds 0.3 MB to the program, but 158 modules to the graph, and it
// raises the Go version that this module asks for. The grammar that is needed here
// is small: continued lines, comments, the escape directive, here-documents, lists
// in JSON. It was held against BuildKit's on 93 files that BuildKit takes, some odd.
package dockerfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Instruction is one instruction.
type Instruction struct {
	Name string // in capitals
	Line int    // where it begins
	Text string // what follows the name and its flags, lines joined
	// Flags are --name=value before the rest.
	Flags map[string]string
	// List is the text as a JSON list, nil where it is none.
	List []string
	// Heredocs by name, in the order of their texts.
	Heredocs []Heredoc
}

// Heredoc is a text that follows an instruction.
type Heredoc struct {
	Name, Text string
}

// Stage is one FROM and what follows it.
type Stage struct {
	Name         string // AS name, "" for none
	From         string // as written
	Line         int
	Instructions []Instruction
}

// File is a Dockerfile.
type File struct {
	// Args are ARG instructions before the first FROM.
	Args   []Instruction
	Stages []Stage
}

// maxText bounds a Dockerfile, in bytes.
const maxText = 1 << 20

// Parse reads a Dockerfile. Its errors carry the line.
func Parse(text string) (*File, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("longer than %d bytes", maxText)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	s := &scanner{lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), escape: '\\'}
	s.directives()
	f := &File{}
	for {
		in, ok, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case !ok && len(f.Stages) == 0:
			return nil, errors.New("no FROM in it")
		case !ok:
			return f, nil
		case in.Name == "FROM":
			stage, err := newStage(in)
			if err != nil {
				return nil, err
			}
			f.Stages = append(f.Stages, stage)
		case len(f.Stages) > 0:
			last := &f.Stages[len(f.Stages)-1]
			last.Instructions = append(last.Instructions, in)
		case in.Name == "ARG":
			f.Args = append(f.Args, in)
		default:
			return nil, fmt.Errorf("line %d: %s before the first FROM", in.Line, in.Name)
		}
	}
}

func newStage(in Instruction) (Stage, error) {
	words := strings.Fields(in.Text)
	if len(words) == 0 {
		return Stage{}, fmt.Errorf("line %d: FROM names no image", in.Line)
	}
	s := Stage{From: words[0], Line: in.Line}
	if len(words) == 3 && strings.EqualFold(words[1], "AS") {
		s.Name = words[2]
	} else if len(words) != 1 {
		return Stage{}, fmt.Errorf("line %d: want FROM IMAGE [AS NAME]", in.Line)
	}
	return s, nil
}

// scanner cuts the text into instructions.
type scanner struct {
	lines  []string
	at     int
	escape byte
}

var directive = regexp.MustCompile(`^#\s*([A-Za-z]+)\s*=\s*(\S+)\s*$`)

// directives are comments at the very top.
func (s *scanner) directives() {
	for _, line := range s.lines {
		m := directive.FindStringSubmatch(line)
		if m == nil {
			return
		}
		if strings.EqualFold(m[1], "escape") && (m[2] == "`" || m[2] == `\`) {
			s.escape = m[2][0]
		}
	}
}

// next gives the next instruction, false at the end.
func (s *scanner) next() (Instruction, bool, error) {
	for s.at < len(s.lines) && skipped(s.lines[s.at]) {
		s.at++
	}
	if s.at >= len(s.lines) {
		return Instruction{}, false, nil
	}
	in := Instruction{Line: s.at + 1, Flags: map[string]string{}}
	name, rest, _ := cutSpace(strings.TrimSpace(s.logical()))
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return in, false, fmt.Errorf("line %d: not an instruction: %.40q", in.Line, name)
	}
	in.Name = strings.ToUpper(name)
	in.Text = in.takeFlags(rest)
	if err := s.heredocs(&in); err != nil {
		return in, false, err
	}
	if strings.HasPrefix(in.Text, "[") && json.Unmarshal([]byte(in.Text), &in.List) != nil {
		in.List = nil // Docker says nothing, and takes it for a command
	}
	return in, true, nil
}

func skipped(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// logical joins continued lines. Comments and blank lines between them do not end
// it.
func (s *scanner) logical() string {
	var b strings.Builder
	for s.at < len(s.lines) {
		line := s.lines[s.at]
		s.at++
		if b.Len() > 0 && skipped(line) {
			continue
		}
		cut := strings.TrimRight(line, " \t")
		if cut == "" || cut[len(cut)-1] != s.escape {
			b.WriteString(line)
			break
		}
		b.WriteString(cut[:len(cut)-1])
		if b.Len() == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func cutSpace(s string) (word, rest string, found bool) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, "", false
	}
	return s[:i], strings.TrimLeft(s[i:], " \t"), true
}

// takeFlags takes --name=value off the front.
func (in *Instruction) takeFlags(text string) string {
	for strings.HasPrefix(text, "--") {
		word, rest, _ := cutSpace(text)
		name, value, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		in.Flags[name] = value
		text = rest
	}
	return text
}

// heredocMark is a word that announces a text: <<NAME, <<-NAME, 3<<"NAME".
var heredocMark = regexp.MustCompile(`^\d*<<(-?)["']?([^<"'\s]+)["']?$`)

// words splits a command at blanks outside of quotes.
func words(text string) []string {
	var quote rune
	return strings.FieldsFunc(text, func(r rune) bool {
		switch {
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case r == quote:
			quote = 0
		}
		return quote == 0 && (r == ' ' || r == '\t')
	})
}

// heredocs reads the texts that RUN, COPY and ADD announce by <<NAME.
func (s *scanner) heredocs(in *Instruction) error {
	if in.Name != "RUN" && in.Name != "COPY" && in.Name != "ADD" {
		return nil
	}
	for _, word := range words(in.Text) {
		m := heredocMark.FindStringSubmatch(word)
		if m == nil {
			continue
		}
		var b strings.Builder
		for {
			if s.at >= len(s.lines) {
				return fmt.Errorf("line %d: the text up to %s does not end", in.Line, m[2])
			}
			line := s.lines[s.at]
			s.at++
			if m[1] == "-" {
				line = strings.TrimLeft(line, "\t")
			}
			if line == m[2] {
				break
			}
			b.WriteString(line + "\n")
		}
		in.Heredocs = append(in.Heredocs, Heredoc{m[2], b.String()})
	}
	return nil
}
