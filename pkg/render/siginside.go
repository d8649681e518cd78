package render

import (
	"fmt"
	"maps"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// inside writes what a program's own bookkeeping adds to the masks: a runtime
// catches signals for itself, and only its memory says which of them the user
// asked for.
func (p *page) inside(in *evidence.Inside) {
	if in == nil {
		return
	}
	if in.Bash != nil {
		for _, name := range slices.Sorted(maps.Keys(in.Bash.Traps)) {
			p.row("trap", name+": "+trapWords(in.Bash.Traps[name]))
		}
	}
	if in.Node != nil {
		p.row("of these", "JavaScript listens for "+listWords(in.Node.UserHandlers))
	}
	if in.PHP != nil {
		p.row("of these", "the script handles "+listWords(in.PHP.UserHandlers))
	}
	if in.Go != nil && in.Go.Wanted != nil {
		p.row("of these", "signal.Notify asked for "+firstOf(setWords(*in.Go.Wanted), "none"))
	}
}

func trapWords(t evidence.Trap) string {
	switch {
	case t.Ignored:
		return "ignore"
	case t.Text != "":
		return t.Text
	case t.Exits:
		return "(text not recorded; it ends the shell)"
	}
	return "(text not recorded)"
}

// listWords names signal numbers; nil means that they could not be read.
func listWords(signals []int) string {
	if signals == nil {
		return "signals that could not be read"
	}
	set, odd := evidence.SetOf(signals...), 0
	for _, n := range signals {
		if n < 1 || n > evidence.SIGRTMAX {
			odd++
		}
	}
	words := firstOf(setWords(set), "none")
	if odd > 0 {
		words += fmt.Sprintf(" and %d that are no signals", odd)
	}
	return words
}
