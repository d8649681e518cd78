package render

import (
	"github.com/fatih/color"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// style colours text, or not. It never asks fatih/color's global NoColor, which
// is about the process's own standard output and not about this writer. Pad
// first and colour after: escape codes have no width.
type style struct{ on bool }

func (s style) paint(text string, attrs ...color.Attribute) string {
	if !s.on || text == "" {
		return text
	}
	c := color.New(attrs...)
	c.EnableColor()
	return c.Sprint(text)
}

func (s style) bold(text string) string  { return s.paint(text, color.Bold) }
func (s style) dim(text string) string   { return s.paint(text, color.Faint) }
func (s style) label(text string) string { return s.paint(text, color.FgCyan) }

// verdict colours a verdict's words by how bad it is.
func (s style) verdict(v diagnose.Verdict, text string) string {
	switch v {
	case diagnose.Stops:
		return s.paint(text, color.FgGreen, color.Bold)
	case diagnose.NotRunning:
		return s.dim(text)
	case diagnose.Abrupt, diagnose.Unknown:
		return s.paint(text, color.FgYellow, color.Bold)
	}
	return s.paint(text, color.FgRed, color.Bold)
}

// severity colours a finding's code.
func (s style) severity(severity, text string) string {
	switch severity {
	case diagnose.SeverityError:
		return s.paint(text, color.FgRed, color.Bold)
	case diagnose.SeverityWarning:
		return s.paint(text, color.FgYellow, color.Bold)
	}
	return s.bold(text)
}
