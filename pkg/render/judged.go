package render

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Pieces that the formats for CI systems share. They work on a cleaned report.

// failed reports whether a target fails what was asked of it.
func (o Options) failed(c *diagnose.Container) bool {
	if o.Failed != nil {
		return o.Failed(c)
	}
	return !stopsCleanly(*c)
}

// targetName is what a target is called; it never is empty.
func targetName(c *diagnose.Container) string {
	for _, s := range []string{c.Name, c.Target, c.ID} {
		if s != "" {
			return s
		}
	}
	return "?"
}

// verdictLine is a target's answer in one line: "KILLED after 10 s, certain:
// PID 1 (sh) drops SIGTERM". What was observed comes first.
func verdictLine(c *diagnose.Container) string {
	text := phrase(*c)
	if c.Observed != nil {
		text = "seen: " + c.Observed.Outcome + after(c.Observed.AfterSeconds) + "; foretold: " + text
	}
	if c.Headline == "" {
		return text
	}
	return text + ": " + c.Headline
}

// plainFinding is a finding as lines of text: what was found, what was read, and
// the ways out.
func plainFinding(f *diagnose.Finding) string {
	var b strings.Builder
	b.WriteString(orElse(f.Summary, f.Title))
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "\n  read: %s", strings.TrimSpace(e.Source+" "+read(e)))
		if e.Says != "" {
			b.WriteString(" (" + e.Says + ")")
		}
	}
	for _, fix := range f.Fixes {
		b.WriteString("\n  " + pad(fix.When, labelAt) + fixLine(&fix))
	}
	b.WriteString("\n  more   whystuck explain " + f.Code)
	return b.String()
}

// fixLine is a way out in one line, or with its patch below.
func fixLine(f *diagnose.Fix) string {
	body := orElse(f.Command, f.Patch)
	text := f.Text
	if f.Risk != nil && *f.Risk != "" {
		text += "; risk: " + *f.Risk
	}
	switch {
	case body == "":
		return text
	case text == "":
		return body
	}
	return body + "   (" + text + ")"
}

// findingsOf are the findings of the engine as a whole and of each target, with
// the target they are about (nil: the engine).
func findingsOf(r *diagnose.Report, each func(c *diagnose.Container, f *diagnose.Finding)) {
	for i := range r.Host.Findings {
		each(nil, &r.Host.Findings[i])
	}
	for i := range r.Containers {
		for j := range r.Containers[i].Findings {
			each(&r.Containers[i], &r.Containers[i].Findings[j])
		}
	}
}
