package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Markdown writes a summary for a job's page: a table of all targets, and the
// findings of those that fail, folded.
func Markdown(w io.Writer, r diagnose.Report, o Options) error {
	r = cleanReport(r)
	var b strings.Builder
	bad := 0
	for i := range r.Containers {
		if o.failed(&r.Containers[i]) {
			bad++
		}
	}
	fmt.Fprintf(&b, "### whystuck: %s, %d not as wanted\n\n", plural(len(r.Containers), "target", "targets"), bad)
	if len(r.Containers) > 0 {
		b.WriteString("| | target | docker stop | why |\n| --- | --- | --- | --- |\n")
	}
	for i := range r.Containers {
		c := &r.Containers[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", mark(o.failed(c)), cell(targetName(c)), cell(answerWords(c)), cell(c.Headline))
	}
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "\n**not judged**: %s\n", cell(e.Message))
	}
	for i := range r.Containers {
		details(&b, &r.Containers[i], o)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report as markdown: %w", err)
	}
	return nil
}

func mark(failed bool) string {
	if failed {
		return "❌"
	}
	return "✅"
}

// answerWords is the answer for a cell: seen, where it was seen.
func answerWords(c *diagnose.Container) string {
	if c.Observed == nil {
		return phrase(*c)
	}
	text := c.Observed.Outcome + after(c.Observed.AfterSeconds)
	if c.Observed.ExitCode != nil {
		text += fmt.Sprintf(", exit code %d", *c.Observed.ExitCode)
	}
	if c.Agreed != nil && !*c.Agreed {
		text += " (foretold otherwise)"
	}
	return text
}

func details(b *strings.Builder, c *diagnose.Container, o Options) {
	if len(c.Findings) == 0 || !o.failed(c) {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>%s: %s</summary>\n", cell(targetName(c)), plural(len(c.Findings), "finding", "findings"))
	for i := range c.Findings {
		f := &c.Findings[i]
		where := ""
		if f.Location != nil {
			where = fmt.Sprintf(" (%s line %d)", cell(f.Location.File), f.Location.Line)
		}
		if f.Ignored != nil {
			where += " ignored: " + cell(*f.Ignored)
		}
		fmt.Fprintf(b, "\n**[%s](%s)** %s%s\n\n", cell(f.Code), helpURI(f.Code), cell(f.Title), where)
		fenced(b, plainFinding(f))
	}
	b.WriteString("\n</details>\n")
}

// cell makes text harmless inside a table and outside of code: no markup, no
// HTML, no mention that would notify somebody, no line break.
func cell(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteByte(' ')
		case r == '@', r == '#':
			// No escape by backslash stops a mention or a reference.
			fmt.Fprintf(&b, "&#%d;", r)
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_{}[]()+!|~$:", r):
			// As entities: bare addresses become links without any markup.
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// fenced writes a block of code whose fence is longer than any run of backticks
// in it.
func fenced(b *strings.Builder, text string) {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	fmt.Fprintf(b, "%stext\n%s\n%s\n", fence, text, fence)
}
