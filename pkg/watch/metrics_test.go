package watch

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// exposed is what a scrape would read of m, with p as what is true now.
func exposed(t *testing.T, m *Metrics, p Present) string {
	t.Helper()
	m.registry.MustRegister(collector{func(context.Context) (Present, bool) { return p, true }})
	return gathered(t, m)
}

// gathered is one line for each series: name, labels and value.
func gathered(t *testing.T, m *Metrics) string {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, s := range f.Metric {
			fmt.Fprintf(&b, "%s %v\n", f.GetName(), s)
		}
	}
	return b.String()
}

func TestCounters(t *testing.T) {
	m := NewMetrics("1.2.3")
	m.count(lost())
	never := lost()
	never.Kind, never.Stage = KindOverrun, ptr(StageNever)
	m.count(never)
	atLast := lost()
	atLast.Outcome, atLast.Stage = ptr(OutcomeStuck), ptr(StageNever)
	m.count(atLast)                                       // it was counted as stuck when that was told
	text := strings.ReplaceAll(gathered(t, m), "  ", " ") // the protobuf library varies its spaces
	for _, want := range []string{
		`whystuck_stops_total label:{name:"command" value:"stop"} label:{name:"outcome" value:"killed"} counter:{value:1 `,
		`whystuck_stops_total label:{name:"command" value:"stop"} label:{name:"outcome" value:"stuck"} counter:{value:1 `,
		`whystuck_stops_total label:{name:"command" value:"stop"} label:{name:"outcome" value:"stops"} counter:{value:0 `,
		`whystuck_overruns_total label:{name:"stage" value:"never"} counter:{value:1 `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in:\n%s", want, text)
		}
	}
}

func TestHostileLabels(t *testing.T) {
	long := strings.Repeat("ü", 500)
	text := exposed(t, NewMetrics("x"), Present{Verdicts: []Verdict{
		{Named: Named{Name: "a", Image: "evil\"} 1\nfake{x=\"\xff\u202e\x1b[2J"}, Verdict: diagnose.Stuck, DTasks: 2},
		{Named: Named{Name: long, Image: long}, Verdict: diagnose.Stops},
		{Named: Named{Name: long + "2"}, Verdict: diagnose.Stops}, // the same once it is cut
	}, Stops: []Overrunning{{long, StageNever, 3}, {long + "2", StageNever, 2}}})
	if strings.ContainsAny(text, "\x1b\u202e") || !utf8.ValidString(text) || strings.Contains(text, long) {
		t.Errorf("hostile bytes:\n%s", text)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	var p Present
	for i := range maxSeries + 50 {
		p.Verdicts = append(p.Verdicts, Verdict{Named: Named{Name: fmt.Sprint("good", i)}, Verdict: diagnose.Stops})
	}
	p.Verdicts = append(p.Verdicts, Verdict{Named: Named{Name: "zzz"}, Verdict: diagnose.Stuck})
	text := exposed(t, NewMetrics("x"), p)
	if n := strings.Count(text, "whystuck_container_verdict "); n != maxSeries {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(text, "zzz") {
		t.Error("the worst was left out")
	}
	if !strings.Contains(text, "whystuck_containers_left_out gauge:{value:51}") {
		t.Errorf("the number of those left out is missing")
	}
}

// A loop that hangs makes the gauges disappear; it does not keep a scrape.
func TestLoopThatHangs(t *testing.T) {
	w := &Watcher{posted: make(chan func())}
	start := time.Now()
	if _, ok := w.Present(t.Context()); ok || time.Since(start) > 2*askWithin {
		t.Errorf("an answer out of nothing, or too late: %s", time.Since(start))
	}
}
