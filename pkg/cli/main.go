// Package cli is the command line of whystuck: cobra commands, one file each,
// as thin shells over the packages that look (engine, probe, kernel), judge
// (diagnose) and print (render).
//
// It owns what no other package may: streams, flags, the environment, the
// overall deadline and the exit code. It is not for judging or for formats: a
// command here only puts pieces together.
package cli

import (
	"context"
	"errors"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// app is one run of the program.
type app struct {
	System
	// json: the reader wants JSON, so failures are put on standard output too.
	json bool
	// unwritten has the files of --report that are still to be written, nil: none.
	unwritten *format
	// wrote: something went to standard output as the answer.
	wrote bool
	// seen is the latest look, for the report of a bug in what comes after it.
	seen *evidence.Snapshot
}

// Main runs one command line (without the program's name) and returns the exit
// code: see the table in exit.go.
func Main(ctx context.Context, args []string, sys System) (code int) {
	a := &app{System: sys}
	defer a.recoverBug(&code)
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	err := root.ExecuteContext(ctx)
	if bug := (*beside.Bug)(nil); errors.As(err, &bug) {
		panic(bug)
	}
	return a.finish(err)
}
