package cli

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/render"
)

// format says how the answer is printed.
type format struct {
	json, quiet, noTrunc bool
	template             string // --format: "json" or a Go template
	color                string // auto, always, never

	reportWords []string     // --report as typed
	reports     []reportFile // those that go to a file
	printed     string       // the format of the one that is printed; "": text, json or template
	// text is the command's own text form; nil: render.Text.
	text printer
	// bad says whether a target fails, for the formats that have such a word;
	// nil: render's own rule.
	bad func(*diagnose.Container) bool
}

func (o *format) addTo(f *pflag.FlagSet) {
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	f.StringVar(&o.template, "format", "", "json, or a Go `template` that is applied to each container")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing: the exit code is the answer")
	o.addLooksTo(f)
}

// addLooksTo defines the flags of every command that prints text.
func (o *format) addLooksTo(f *pflag.FlagSet) {
	f.BoolVar(&o.noTrunc, "no-trunc", false, "do not shorten anything")
	f.StringVar(&o.color, "color", "auto", "auto, always or never")
}

// check refuses unknown words before anything is looked at.
func (o *format) check() error {
	switch o.color {
	case "auto", "always", "never":
	default:
		return usagef("--color %q: want auto, always or never", o.color)
	}
	if o.json && o.template != "" && o.template != "json" {
		return usagef("--json and --format: give one or the other")
	}
	if o.template == "json" {
		o.json, o.template = true, ""
	}
	if o.template != "" {
		if err := render.CheckTemplate(o.template); err != nil {
			return &failure{exitUsage, err}
		}
	}
	return o.checkReports()
}

// printer is one way of printing a report.
type printer func(io.Writer, diagnose.Report, render.Options) error

func (o *format) printer() printer {
	switch {
	case o.printed != "":
		return o.reportPrinter(o.printed)
	case o.json:
		return render.JSON
	case o.template != "":
		return render.Template(o.template)
	}
	return o.reportPrinter("text")
}

// renderOptions asks the terminal and the environment what the reader sees.
func (a *app) renderOptions(o *format) render.Options {
	width, terminal := a.Terminal()
	return render.Options{Width: width, Color: a.color(o.color, terminal), NoTrunc: o.noTrunc, Failed: o.bad}
}

// color follows no-color.org and bixense.com/clicolors.
func (a *app) color(asked string, terminal bool) bool {
	switch {
	case asked != "auto":
		return asked == "always"
	case a.Getenv("NO_COLOR") != "":
		return false
	case !strings.Contains("0", a.Getenv("CLICOLOR_FORCE")): // neither unset nor 0
		return true
	}
	return terminal && a.Getenv("TERM") != "dumb"
}

// answer prints a report and its errors, and writes the files of --report.
func (a *app) answer(r diagnose.Report, o *format) error {
	for _, e := range r.Errors {
		a.complain(e.Message)
	}
	written := a.writeReports(r, o)
	a.unwritten = nil // also when that failed: there is no second try
	if o.quiet {
		return written
	}
	return errors.Join(a.printAnswer(r, o), written)
}

func (a *app) printAnswer(r diagnose.Report, o *format) error {
	if len(r.Containers) == 0 && !o.json && o.printed == "" {
		switch {
		case len(r.Errors) > 0: // the line above is the answer
			return nil
		case len(r.Host.Findings) == 0:
			a.complain("there is no container to look at")
			return nil
		}
	}
	a.wrote = true
	return o.printer()(a.Out, r, a.renderOptions(o))
}

// completeWords offers a flag's words.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}
