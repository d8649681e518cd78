package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Text writes the report for a person: one screen for a single container; for
// several, one line each with the worst first, then a screen for those that do
// not stop cleanly, then the counts. Report.Errors are not in it: they belong to
// standard error.
func Text(w io.Writer, r diagnose.Report, o Options) error {
	p := newPage(o)
	p.report(cleanReport(r))
	return p.to(w, "text")
}

// page collects what is to be printed.
type page struct {
	b     strings.Builder
	o     Options
	s     style
	width int
}

func newPage(o Options) *page { return &page{o: o, s: style{o.Color}, width: o.width()} }

func (p *page) to(w io.Writer, what string) error {
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("writing the report as %s: %w", what, err)
	}
	return nil
}

// line writes its parts and ends the line.
func (p *page) line(parts ...string) {
	text := strings.Join(parts, "")
	p.b.WriteString(strings.TrimRight(text, " "))
	p.b.WriteByte('\n')
}

// prose writes a sentence, wrapped, with an indent.
func (p *page) prose(indent int, text string) {
	for _, l := range wrap(text, p.width-indent) {
		p.line(spaces(indent), l)
	}
}

// hang writes head (head columns wide, perhaps coloured) and then text, wrapped
// in a column of its own.
func (p *page) hang(head string, columns int, text string) {
	for i, l := range wrap(text, max(p.width-columns, 20)) {
		if i > 0 {
			head = spaces(columns)
		}
		p.line(head, l)
	}
}

// fit shortens a value to n columns unless the reader wants all of it.
func (p *page) fit(s string, n int) string {
	if p.o.NoTrunc {
		return s
	}
	return cut(s, n)
}

func (p *page) report(r diagnose.Report) {
	switch len(r.Containers) {
	case 0:
	case 1:
		p.screen(r, r.Containers[0])
	default:
		p.several(r)
	}
	p.hostNotes(r.Host.Findings)
	if len(r.Containers) > 1 {
		p.line()
		p.line(counts(r.Containers))
	}
}

// hostNotes are what is to be said of the engine and the host as a whole.
func (p *page) hostNotes(notes []diagnose.Finding) {
	switch {
	case len(notes) == 0:
	case p.aside(notes):
		p.separate()
		for _, f := range notes {
			p.hang("  "+p.s.severity(f.Severity, f.Code)+"  ", titleAt, sentence(f.Title)+" whystuck explain "+f.Code)
		}
	default:
		p.separate()
		p.line(p.s.bold("The engine and the host"))
		p.findings(notes, diagnose.Container{})
	}
}

// aside reports whether what is to be said of the host is only a note: a line each.
func (p *page) aside(notes []diagnose.Finding) bool {
	return !p.o.NoTrunc && !slices.ContainsFunc(notes, func(f diagnose.Finding) bool { return f.Severity != diagnose.SeverityInfo })
}

// separate writes an empty line, but none at the beginning.
func (p *page) separate() {
	if p.b.Len() > 0 {
		p.line()
	}
}

// screen is one container: the answer first, then what will happen, to whom,
// why, and what to do.
func (p *page) screen(r diagnose.Report, c diagnose.Container) {
	p.title(c)
	p.history(r, c)
	if c.Headline != "" {
		p.prose(0, sentence(c.Headline))
	}
	p.timeline(c)
	p.signal(c)
	p.tree(c)
	p.findings(shown(c, p.o), c)
	p.gaps(c)
}

func (p *page) title(c diagnose.Container) { p.answerLine(c, phrase(c), c.Verdict) }

// answerLine is the first line: who it is, and at its right end the answer.
func (p *page) answerLine(c diagnose.Container, right string, colour diagnose.Verdict) {
	parts := headParts(name(c), c.Image, c.PID)
	bold := p.fit(parts[0], p.width)
	plain := p.fit(spaces(2)+strings.Join(parts[1:], "  "), p.width-textWidth(bold))
	head := p.s.bold(bold) + plain
	gap := p.width - textWidth(bold) - textWidth(strings.TrimRight(plain, " ")) - textWidth(right)
	if gap < 2 {
		p.line(head)
		p.line(spaces(p.width-textWidth(right)), p.s.verdict(colour, right))
		return
	}
	p.line(strings.TrimRight(head, " "), spaces(gap), p.s.verdict(colour, right))
}

// headParts are the words of a title, "" left out. What was asked for by its PID
// has no other name.
func headParts(name, image string, pid int) []string {
	number := fmt.Sprintf("PID %d", pid)
	if pid > 0 && (name == "" || "PID "+name == number) {
		return []string{number}
	}
	parts := []string{name}
	if image != "" && image != name { // an image that is tried is named for itself
		parts = append(parts, image)
	}
	if pid > 0 {
		parts = append(parts, number)
	}
	return parts
}

// name is what a container is called on the screen.
func name(c diagnose.Container) string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Target != "":
		return c.Target
	case len(c.ID) > 12:
		return c.ID[:12]
	}
	return c.ID
}

// sentence ends a headline.
func sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// stopsCleanly reports whether nothing about the container needs a person.
func stopsCleanly(c diagnose.Container) bool {
	return c.Verdict == diagnose.Stops || c.Verdict == diagnose.NotRunning && !hasError(c.Findings)
}

func hasError(list []diagnose.Finding) bool {
	for _, f := range list {
		if f.Severity == diagnose.SeverityError {
			return true
		}
	}
	return false
}
