package main

import (
	"fmt"
	"strings"
	"time"
)

// target is one line below the table: a number that has to stay under a limit.
type target struct {
	what  string
	value float64
	limit float64
	unit  string
}

func (t target) String() string {
	met := "met"
	if t.value > t.limit {
		met = "MISSED"
	}
	return fmt.Sprintf("%-58s %7.2f%-4s (at most %g%s) %s\n", t.what, t.value, t.unit, t.limit, t.unit, met)
}

// targets are what the program promises.
func targets(few, many map[string]result) []target {
	per := func(a, b result) float64 { return float64(a.median) / float64(b.median) }
	memory := max(few["whystuck NAME"].rss, few["whystuck --all"].rss, many["whystuck NAME"].rss, many["whystuck NAME (kernel)"].rss, many["whystuck --all"].rss)
	return []target{
		{"whystuck NAME / docker inspect, few", per(few["whystuck NAME"], few["docker inspect"]), 1.0, ""},
		{"whystuck NAME / docker inspect, many", per(many["whystuck NAME"], many["docker inspect"]), 1.0, ""},
		{"whystuck NAME with kernel evidence / docker inspect, few", per(few["whystuck NAME (kernel)"], few["docker inspect"]), 1.8, ""},
		{"whystuck NAME, many / few", per(many["whystuck NAME"], few["whystuck NAME"]), 1.2, ""},
		{"whystuck --all / ps, few", per(few["whystuck --all"], few["ps -eLo ..."]), 0.5, ""},
		{"whystuck --all / ps, many", per(many["whystuck --all"], many["ps -eLo ..."]), 0.5, ""},
		{"resident memory", float64(memory) / (1 << 20), 40, " MiB"},
		{"whystuck version", ms(few["whystuck version"].median), 15, " ms"},
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// table is the whole output.
func table(o options, few, many map[string]result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds beside %d and beside %d sleeping processes; wall and processor time in ms, memory in MiB\n\n", o.runs, o.few, o.many)
	fmt.Fprintf(&b, "%-24s %8s %8s %8s %8s   %8s %8s %8s %8s\n", "", "median", "least", "cpu", "memory", "median", "least", "cpu", "memory")
	for _, c := range commands("") {
		fmt.Fprintf(&b, "%-24s", c.name)
		for i, r := range []result{few[c.name], many[c.name]} {
			if i > 0 {
				b.WriteString("  ")
			}
			fmt.Fprintf(&b, " %8.1f %8.1f %8.1f %8.1f", ms(r.median), ms(r.least), ms(r.cpu), float64(r.rss)/(1<<20))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for _, t := range targets(few, many) {
		b.WriteString(t.String())
	}
	return b.String()
}
