// Package render says a report in the reader's format: text for a terminal, JSON
// for programs, a Go template for scripts, and the signal table of a snapshot.
//
// It decides nothing: every verdict and every sentence about a container is
// diagnose's. It reads no file, no environment and no clock; the terminal's
// nature comes in as Options, so that the same report gives the same bytes.
//
// Text that came out of a container is hostile. Each function first makes an
// escaped copy of all that it was given (see clean), and works on nothing else.
package render

import "github.com/whystuck/whystuck/pkg/diagnose"

// Options are the reader's terminal.
type Options struct {
	Width   int  // columns; 0: 100
	Color   bool // whether to colour; the text reads the same without
	NoTrunc bool // nothing shortened, folded or left out
	// Failed says whether a target fails what was asked of it, for the formats
	// that have such a word; nil: it does not stop cleanly.
	Failed func(*diagnose.Container) bool
}

const (
	defaultWidth = 100
	// minWidth keeps the columns apart; on a narrower terminal lines overflow.
	minWidth = 40
)

// width is the number of columns to fill.
func (o Options) width() int {
	if o.Width == 0 {
		return defaultWidth
	}
	return max(o.Width, minWidth)
}
