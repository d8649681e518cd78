package stoptest

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkAdded is what whystuck adds to a stop that works: its whole time without
// the engine's own, from the request to its answer. To be run alone on the machine:
//
//	WHYSTUCK_STOP=1 go test -run xxx -bench Added -benchtime 20x
func BenchmarkAdded(b *testing.B) {
	l := newLab(b)
	l.start(b, "web", "lab", "exit")
	var added []time.Duration
	for b.Loop() {
		b.StopTimer()
		if _, errOut, code := l.Docker(b.Context(), "start", "web"); code != 0 {
			b.Fatal(errOut)
		}
		time.Sleep(200 * time.Millisecond)
		b.StartTimer()
		a := l.stop(b, "web")
		c := a.one(b)
		if a.code != 0 || c.Observed.Command == nil {
			b.Fatalf("exit code %d\n%s", a.code, timeline(c))
		}
		added = append(added, a.took-time.Duration(*c.Observed.Command.AfterSeconds*float64(time.Second)))
	}
	slices.Sort(added)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(added[0]), "min-added-ms")
	b.ReportMetric(ms(added[len(added)/2]), "median-added-ms")
	b.ReportMetric(ms(added[len(added)-1]), "max-added-ms")
}
