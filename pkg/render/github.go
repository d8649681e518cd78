package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// GitHub writes workflow commands that become annotations of a job: one for each
// finding and for each target that fails without one. The runner takes ten of a
// kind for a step, so the gravest come first.
func GitHub(w io.Writer, r diagnose.Report, o Options) error {
	r = cleanReport(r)
	lines := map[string][]string{}
	put := func(level, title, message string, at *diagnose.Location) {
		lines[level] = append(lines[level], annotation(level, title, message, at))
	}
	for _, e := range r.Errors {
		put("error", "whystuck", strings.TrimPrefix(e.Target+": "+e.Message, ": "), nil)
	}
	for i := range r.Containers {
		c := &r.Containers[i]
		if o.failed(c) && !explained(c) {
			put("error", targetName(c), verdictLine(c), nil)
		}
	}
	findingsOf(&r, func(c *diagnose.Container, f *diagnose.Finding) {
		if f.Ignored != nil {
			return
		}
		title := f.Code + " " + f.Title
		if c != nil {
			title = targetName(c) + ": " + title
		}
		put(level(f.Severity), title, plainFinding(f), f.Location)
	})
	for _, level := range []string{"error", "warning", "notice"} {
		for _, line := range lines[level] {
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				return fmt.Errorf("writing github annotations: %w", err)
			}
		}
	}
	return nil
}

// explained reports whether a finding says why the target fails.
func explained(c *diagnose.Container) bool {
	for _, f := range c.Findings {
		if f.Severity == diagnose.SeverityError && f.Ignored == nil {
			return true
		}
	}
	return false
}

func level(severity string) string {
	switch severity {
	case diagnose.SeverityError, diagnose.SeverityWarning:
		return severity
	}
	return "notice"
}

func annotation(level, title, message string, at *diagnose.Location) string {
	var props []string
	if at != nil {
		props = append(props, "file="+property(at.File), "line="+strconv.Itoa(at.Line))
	}
	props = append(props, "title="+property(title))
	return "::" + level + " " + strings.Join(props, ",") + "::" + data(message)
}

// data escapes a command's message, and property one of its properties, as
// actions/toolkit does (packages/core/src/command.ts): the runner undoes it.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
