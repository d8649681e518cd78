package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/render"
)

// The exit codes. Scripts rely on them: they never change their meaning.
const (
	exitClean    = 0 // every container stops; not running counts, unless it is stuck there
	exitTrouble  = 1 // at least one will not stop cleanly
	exitUsage    = 2 // called wrongly, or a named container does not exist
	exitUnknown  = 3 // cannot tell for at least one
	exitNoEngine = 4 // neither the engine nor its files can be read
	exitBug      = 5 // our own
)

// precedence orders the codes where several apply, the one to return first.
var precedence = [...]int{exitBug, exitNoEngine, exitTrouble, exitUsage, exitUnknown, exitClean}

// worse returns the code that goes before the other.
func worse(a, b int) int {
	if slices.Index(precedence[:], a) <= slices.Index(precedence[:], b) {
		return a
	}
	return b
}

// failure is an error that knows its exit code. A nil err means that all has
// been said: only the code is left to return.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit code %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// usagef is a failure of the caller's: exit code 2.
func usagef(format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...)}
}

// exitWith ends a command that has printed its answer; nil for 0.
func exitWith(code int) error {
	if code == exitClean {
		return nil
	}
	return &failure{code: code}
}

// codeOf is the one place where errors become exit codes.
func codeOf(err error) int {
	var f *failure
	var e *engine.Error
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &e) && e.ExitCode != 0:
		return e.ExitCode
	case errors.Is(err, render.ErrTemplate):
		return exitUsage
	}
	return exitUnknown // the answer could not be had or not be written
}

// finish says what is left to say about err, in one line, and gives the code.
func (a *app) finish(err error) int {
	code := codeOf(err)
	var f *failure
	if err == nil || errors.As(err, &f) && f.err == nil {
		return code
	}
	a.complain(err.Error())
	if a.unwritten != nil {
		// A CI system shall not take an old file for the answer.
		if err := a.writeReports(a.failed(err, code), a.unwritten); err != nil {
			a.complain(err.Error())
		}
	}
	if a.json && !a.wrote {
		// Who asked for JSON parses standard output whatever happened.
		if err := render.JSON(a.Out, a.failed(err, code), render.Options{}); err != nil {
			a.complain(err.Error())
		}
	}
	return code
}

// failed is the report of a run that came to nothing.
func (a *app) failed(err error, code int) diagnose.Report {
	return diagnose.Report{
		Schema: diagnose.ReportSchema, Version: a.version(), ObservedAt: a.Now().UTC(),
		Host:       diagnose.Host{Sources: []string{}, Findings: []diagnose.Finding{}},
		Errors:     []diagnose.TargetError{{Message: err.Error(), ExitCode: code}},
		Containers: []diagnose.Container{},
	}
}

// complain writes one line to standard error. What it quotes may come from a
// container or from a stranger's file.
func (a *app) complain(message string) {
	if !strings.HasPrefix(message, "usage: ") {
		message = "whystuck: " + message
	}
	fmt.Fprintln(a.Err, render.Escape(message))
}
