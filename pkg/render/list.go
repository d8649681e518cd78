package render

import (
	"fmt"
	"sort"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// several writes many containers: a line each, and a screen for those that do
// not stop cleanly.
func (p *page) several(r diagnose.Report) {
	list := r.Containers // a copy: see cleanReport
	sort.SliceStable(list, func(i, j int) bool {
		if a, b := diagnose.Rank(list[i].Verdict), diagnose.Rank(list[j].Verdict); a != b {
			return a < b
		}
		if list[i].Name != list[j].Name {
			return list[i].Name < list[j].Name
		}
		return list[i].Target < list[j].Target
	})
	p.lines(list)
	for _, c := range list {
		if !stopsCleanly(c) {
			p.line()
			p.line(p.s.dim(strings.Repeat("─", p.width)))
			p.screen(r, c)
		}
	}
}

func (p *page) lines(list []diagnose.Container) {
	names, verdicts := 0, 0
	for _, c := range list {
		names = max(names, min(textWidth(name(c)), p.width/4))
		verdicts = max(verdicts, textWidth(phrase(c)))
	}
	for _, c := range list {
		left := pad(p.fit(name(c), names), names) + "  "
		middle := pad(phrase(c), verdicts) + "  "
		room := p.width - textWidth(left) - textWidth(middle)
		rest := c.Headline
		if c.Signal != nil && stopsCleanly(c) {
			rest = signalWords(c)
		}
		if room < 16 && !p.o.NoTrunc {
			rest = "" // it stands on the screen below, or is not needed
		}
		p.line(p.s.bold(left), p.s.verdict(c.Verdict, middle), p.fit(rest, room))
	}
}

// counts is the last line: "5 containers: 1 stuck, 2 killed, 2 stop cleanly".
func counts(list []diagnose.Container) string {
	count := map[diagnose.Verdict]int{}
	what := "containers"
	for _, c := range list {
		count[c.Verdict]++
		if c.Kind != "" && c.Kind != "container" {
			what = "targets"
		}
	}
	var parts []string
	for _, v := range diagnose.WorstFirst() {
		if n := count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, countWord(v, n)))
		}
	}
	return fmt.Sprintf("%d %s: %s", len(list), what, strings.Join(parts, ", "))
}

func countWord(v diagnose.Verdict, n int) string {
	switch {
	case v == diagnose.Stops && n == 1:
		return "stops cleanly"
	case v == diagnose.Stops:
		return "stop cleanly"
	case v == diagnose.NotRunning:
		return "not running"
	}
	return string(v)
}
