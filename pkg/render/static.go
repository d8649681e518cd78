package render

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Static writes what was read of images that were not run: for a single one a
// screen, for several a line each with the gravest first, a screen for those with
// something to say, and the counts.
func Static(w io.Writer, r diagnose.Report, o Options) error {
	if len(r.Containers) < 2 {
		return Text(w, r, o)
	}
	p := newPage(o)
	r = cleanReport(r)
	list := r.Containers
	sort.SliceStable(list, func(i, j int) bool { return gravest(list[i]) < gravest(list[j]) })
	names := 0
	for _, c := range list {
		names = max(names, min(textWidth(name(c)), p.width/3))
	}
	for _, c := range list {
		left := pad(p.fit(name(c), names), names) + "  "
		middle := pad(gravities[gravest(c)].one, len("nothing")) + "  "
		p.line(p.s.bold(left), middle, p.fit(c.Headline, p.width-textWidth(left+middle)))
	}
	for _, c := range list {
		if gravest(c) > 1 {
			continue
		}
		p.line()
		p.line(p.s.dim(strings.Repeat("─", p.width)))
		p.screen(r, c)
	}
	p.line()
	p.line(staticCounts(list))
	return p.to(w, "text")
}

// gravities are the kinds of answers, the gravest first.
var gravities = []struct{ severity, one, many string }{
	{diagnose.SeverityError, "error", "errors"}, {diagnose.SeverityWarning, "warning", "warnings"}, {"", "nothing", "nothing found"},
}

// gravest is the index of what is gravest among the findings that count.
func gravest(c diagnose.Container) int {
	out := len(gravities) - 1
	for _, f := range c.Findings {
		for i := range gravities[:out] {
			if f.Ignored == nil && f.Severity == gravities[i].severity {
				out = i
				break
			}
		}
	}
	return out
}

// staticCounts is the last line: "3 read: 1 with errors, 2 with nothing found".
func staticCounts(list []diagnose.Container) string {
	count := make([]int, len(gravities))
	for _, c := range list {
		count[gravest(c)]++
	}
	var parts []string
	for i, n := range count {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d with %s", n, gravities[i].many))
		}
	}
	return fmt.Sprintf("%d read, not run: %s", len(list), strings.Join(parts, ", "))
}
