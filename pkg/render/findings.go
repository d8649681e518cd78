package render

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// shown are the findings worth a line: a container that stops needs no notes.
func shown(c diagnose.Container, o Options) []diagnose.Finding {
	if o.NoTrunc || !stopsCleanly(c) {
		return c.Findings
	}
	var out []diagnose.Finding
	for _, f := range c.Findings {
		if f.Severity != diagnose.SeverityInfo {
			out = append(out, f)
		}
	}
	return out
}

// Columns of a finding: its evidence stands under the title, its fixes' labels
// under the code.
const (
	titleAt = 9
	fixAt   = 4
	labelAt = 7 // width of "image  "
	bodyAt  = fixAt + labelAt
	bodyMin = 38 // a fix's explanation begins after this
)

// findings writes each finding with its evidence and the ways out. The summary
// is left out where the screen has said it already.
func (p *page) findings(list []diagnose.Finding, c diagnose.Container) {
	for _, f := range list {
		p.line()
		p.hang("  "+p.s.severity(f.Severity, f.Code)+spaces(titleAt-2-textWidth(f.Code)), titleAt, f.Title+ignored(f))
		if !said(f, c) {
			p.prose(titleAt, f.Summary)
		}
		p.evidence(f.Evidence)
		before := ""
		for _, fix := range f.Fixes {
			p.fix(fix, before)
			before = risk(fix)
		}
		p.line(spaces(fixAt), p.s.label(pad("more", labelAt)), "whystuck explain ", f.Code)
	}
}

// ignored is the policy's word on a finding, "" when it counts.
func ignored(f diagnose.Finding) string {
	switch {
	case f.Ignored == nil:
		return ""
	case *f.Ignored == "":
		return " (ignored)"
	}
	return " (ignored: " + *f.Ignored + ")"
}

// said reports whether the headline, the finding's own title or the process's
// note in the tree has the words of the summary.
func said(f diagnose.Finding, c diagnose.Container) bool {
	if f.Summary == "" || same(f.Summary, c.Headline) || same(f.Summary, f.Title) {
		return true
	}
	for i := range c.Processes {
		if q := &c.Processes[i]; q.PID == f.PID && q.Note != "" && strings.HasSuffix(f.Summary, ": "+q.Note) {
			return true
		}
	}
	return false
}

func same(a, b string) bool {
	return strings.TrimRight(a, ". ") == strings.TrimRight(b, ". ")
}

func (p *page) evidence(rows []diagnose.Evidence) {
	room := p.width - titleAt
	source, value := 0, 0
	for _, e := range rows {
		source = max(source, min(textWidth(e.Source), room/2))
		value = max(value, min(textWidth(read(e)), room/2))
	}
	for _, e := range rows {
		head := pad(p.fit(e.Source, source), source) + "  " + pad(p.fit(read(e), value), value)
		columns := titleAt + textWidth(head) + 3
		if e.Says == "" || columns+min(textWidth(e.Says), 20) <= p.width {
			p.hang(spaces(titleAt)+p.s.dim(head)+"   ", columns, e.Says)
			continue
		}
		p.line(spaces(titleAt), p.s.dim(head))
		p.prose(titleAt+2, e.Says)
	}
}

// read is what stood in the source: "SigCgt 0000000000010002".
func read(e diagnose.Evidence) string { return strings.TrimSpace(e.Field + " " + e.Value) }

// risk is whom a fix hits, "" for nobody.
func risk(f diagnose.Fix) string {
	if f.Risk == nil {
		return ""
	}
	return *f.Risk
}

// fix writes one way out. before is the risk of the one above, which is not said
// twice. Commands and patches are never shortened or wrapped:
// they are there to be pasted.
func (p *page) fix(f diagnose.Fix, before string) {
	label := spaces(fixAt) + p.s.label(pad(f.When, labelAt))
	body := f.Command
	if body == "" {
		body = f.Patch
	}
	lines := strings.Split(body, "\n")
	note := "(" + f.Text + ")"
	switch {
	case body == "":
		p.hang(label, bodyAt, f.Text)
	case f.Text == "":
		p.block(label, lines)
	case len(lines) > 1:
		p.hang(label, bodyAt, f.Text)
		p.block(spaces(bodyAt), lines)
	case bodyAt+max(textWidth(body), bodyMin)+2+textWidth(note) <= p.width:
		p.line(label, pad(body, bodyMin), "  ", note)
	default:
		p.line(label, body)
		p.prose(bodyAt, note)
	}
	if f.Command != "" && f.Patch != "" {
		p.block(spaces(bodyAt), strings.Split(f.Patch, "\n"))
	}
	switch text := risk(f); {
	case text == "":
	case before != "" && text == before:
		p.prose(bodyAt, "risk: the same")
	case before != "" && strings.HasPrefix(text, before+"; "):
		p.prose(bodyAt, "risk: the same, and "+text[len(before)+2:])
	default:
		p.prose(bodyAt, "risk: "+text)
	}
}

func (p *page) block(label string, lines []string) {
	for i, l := range lines {
		if i > 0 {
			label = spaces(bodyAt)
		}
		p.line(label, l)
	}
}

// maxGaps bounds the block at the end; a host full of denied files has thousands.
const maxGaps = 5

// gaps says what could not be read, like with like.
func (p *page) gaps(c diagnose.Container) {
	settled := stopsCleanly(c) && c.Confidence != diagnose.Assumed
	if len(c.Gaps) == 0 || settled && !p.o.NoTrunc {
		return
	}
	p.line()
	p.gapLines(c.Gaps)
}

func (p *page) gapLines(gaps []diagnose.Gap) {
	type kind struct{ kind, matters string }
	var order []kind
	paths := map[kind][]string{}
	for _, g := range gaps {
		k := kind{g.Kind, g.Matters}
		if paths[k] == nil {
			order = append(order, k)
		}
		paths[k] = append(paths[k], g.Path)
	}
	const label = "  not read: "
	head := label
	for i, k := range order {
		if i == maxGaps && !p.o.NoTrunc {
			p.line(spaces(len(label)), fmt.Sprintf("… %d more", len(order)-i))
			return
		}
		text := p.pathList(paths[k]) + " (" + k.kind + ")"
		if k.matters != "" {
			text += ": " + k.matters
		}
		p.hang(head, len(label), text)
		head = spaces(len(label))
	}
}

func (p *page) pathList(paths []string) string {
	if p.o.NoTrunc || len(paths) == 1 {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%s and %d more", p.fit(paths[0], p.width/2), len(paths)-1)
}
