package render

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// treeRow is one line of the tree before its columns are known.
type treeRow struct {
	branch string // "├─ "
	below  string // the same on the lines after: "│  "
	text   string // "7 node server.js"
	times  string // " × 12"
	middle string // "SIGTERM caught"
	note   string
}

const columnGap = 3

// maxDepth bounds the indent; deeper processes stand at the same column.
const maxDepth = 12

// tree writes the processes with what they have arranged for the stop signal and
// what it will do to them.
func (p *page) tree(c diagnose.Container) {
	roots := forest(c)
	if len(roots) == 0 {
		return
	}
	hidden := 0
	if !p.o.NoTrunc {
		roots, _ = fold(roots, map[string]int{})
		roots, hidden = prune(roots)
	}
	signal := ""
	if c.Stop != nil {
		signal = c.Stop.Signal
	}
	var rows []treeRow
	for _, n := range roots {
		rows = appendRows(rows, n, signal, "", "", "")
	}
	p.line()
	p.treeRows(rows)
	if hidden > 0 {
		p.line(p.s.dim(fmt.Sprintf("  … %d more", hidden)))
	}
}

// appendRows adds a node and what is below it. indent stands before the branches
// of its children.
func appendRows(rows []treeRow, n *node, signal, branch, below, indent string) []treeRow {
	row := treeRow{branch: branch, below: below, text: fmt.Sprintf("%d %s", shownPID(n.p), command(n.p)), middle: middle(n.p, signal), note: noteOf(n.p)}
	if n.times > 1 {
		row.times = fmt.Sprintf(" × %d", n.times)
	}
	if len(n.kids) > 0 {
		row.below += "│"
	}
	rows = append(rows, row)
	for i, k := range n.kids {
		own, rest := "├─ ", "│  "
		if i == len(n.kids)-1 {
			own, rest = "└─ ", "   "
		}
		if n.depth >= maxDepth {
			rows = appendRows(rows, k, signal, indent+own, indent, indent)
			continue
		}
		rows = appendRows(rows, k, signal, indent+own, indent+rest, indent+rest)
	}
	return rows
}

// middle is the disposition: "SIGTERM caught", with the state of a process that
// is held: "SIGTERM caught, D".
func middle(p *diagnose.Process, signal string) string {
	text := p.Signal
	if signal != "" && text != "" {
		text = signal + " " + text
	}
	if h := held(p); h != "" {
		if text != "" {
			text += ", "
		}
		text += h
	}
	return text
}

// effects are the words for an effect that comes without a note.
var effects = map[string]string{
	"handler-runs": "its handler runs", "never-sent": "is never sent it", "cannot-die": "cannot die",
	"forwards": "passes it on", "unknown": "not known",
}

func noteOf(p *diagnose.Process) string {
	if p.Note != "" {
		return p.Note
	}
	if words := effects[p.Effect]; words != "" {
		return words
	}
	return p.Effect
}

// treeRows lays the rows out in three columns: the left gives way first, then
// the note wraps.
func (p *page) treeRows(rows []treeRow) {
	left, mid, note := 0, 0, 0
	for _, r := range rows {
		left = max(left, textWidth(r.branch)+textWidth(r.text)+textWidth(r.times))
		mid = max(mid, textWidth(r.middle))
		note = max(note, textWidth(r.note))
	}
	room := p.width - 2 - mid - 2*columnGap // indent and the gaps between columns
	left = min(left, max(room-min(note, max(room*2/5, 16)), 16))
	for _, r := range rows {
		cell := p.fit(r.text, left-textWidth(r.branch)-textWidth(r.times)) + r.times
		head := "  " + p.s.dim(r.branch) + pad(cell, left-textWidth(r.branch)) + spaces(columnGap) + pad(r.middle, mid) + spaces(columnGap)
		columns := 2 + max(left, textWidth(r.branch)+textWidth(cell)) + mid + 2*columnGap
		for i, l := range wrap(r.note, max(p.width-columns, 16)) {
			if i > 0 {
				head = "  " + p.s.dim(pad(r.below, columns-2))
			}
			p.line(head, l)
		}
	}
}
