package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/render"
)

// reportFormats are what --report writes.
var reportFormats = map[string]printer{
	"text": render.Text, "json": render.JSON, "junit": render.JUnit, "sarif": render.SARIF, "github": render.GitHub, "markdown": render.Markdown,
}

const reportWords = "text, json, junit, sarif, github, markdown"

// reportFile is one --report: a format, and the file that it goes to.
type reportFile struct {
	format, path string
}

// addReportTo defines --report.
func (o *format) addReportTo(cmd *cobra.Command) {
	o.addReportFlag(cmd.Flags())
	_ = cmd.RegisterFlagCompletionFunc("report", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		if strings.Contains(typed, "=") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return strings.Split(reportWords, ", "), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}

func (o *format) addReportFlag(f *pflag.FlagSet) {
	f.StringArrayVar(&o.reportWords, "report", nil, "write the report to a file too: `FORMAT=FILE` with "+reportWords+"; several times; without a file in the place of the text")
}

// checkReports reads the words of --report. A file that cannot be written is
// refused before anything is done.
func (o *format) checkReports() error {
	o.reports, o.printed = nil, ""
	for _, word := range o.reportWords {
		name, path, hasPath := strings.Cut(word, "=")
		if reportFormats[name] == nil {
			return usagef("--report %q: want FORMAT=FILE with one of %s", word, reportWords)
		}
		switch {
		case !hasPath || path == "-":
			if o.printed != "" || o.json || o.template != "" {
				return usagef("--report %q: one report goes to standard output, give the others a file", word)
			}
			o.printed = name
			continue
		case path == "":
			return usagef("--report %q: the file has no name", word)
		}
		if st, err := os.Stat(filepath.Dir(path)); err != nil || !st.IsDir() {
			return usagef("--report %q: there is no directory %s", word, filepath.Dir(path))
		}
		for _, other := range o.reports {
			if filepath.Clean(other.path) == filepath.Clean(path) {
				return usagef("--report %q: %s is written twice", word, path)
			}
		}
		o.reports = append(o.reports, reportFile{name, path})
	}
	return nil
}

// reportPrinter prints one of the formats of --report.
func (o *format) reportPrinter(name string) printer {
	if name == "text" && o.text != nil {
		return o.text
	}
	return reportFormats[name]
}

// writeReports writes the files of --report.
func (a *app) writeReports(r diagnose.Report, o *format) error {
	var failed []error
	for _, f := range o.reports {
		err := writeFile(f.path, func(w io.Writer) error {
			return o.reportPrinter(f.format)(w, r, render.Options{NoTrunc: o.noTrunc, Failed: o.bad})
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("--report %s=%s: %w", f.format, f.path, err))
		}
	}
	return errors.Join(failed...)
}

// writeFile replaces a file in one step, so that nobody reads half of it and an
// old one stays if the new one fails. Links are followed; what is no regular file
// (/dev/stderr, a pipe) is written to.
func writeFile(path string, write func(io.Writer) error) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		return writeInto(path, write)
	}
	mode := fs.FileMode(0o644)
	if err == nil {
		mode = st.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".whystuck-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone after the renaming
	err = errors.Join(buffered(tmp, write), tmp.Chmod(mode), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func writeInto(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return errors.Join(buffered(f, write), f.Close())
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriter(w)
	return errors.Join(write(b), b.Flush())
}
