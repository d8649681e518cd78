package enginetest

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// scenes in the order in which they are played. Those that are parallel have
// containers of their own and leave the engines alone.
var scenes = []struct {
	name     string
	play     func(*lab, *testing.T)
	parallel bool
}{
	{"dockerd-stopped", (*lab).dockerdStopped, false},
	{"orphans", (*lab).orphans, false},
	{"orphans-crowded", (*lab).crowded, false},
	{"orphans-stray", (*lab).stray, false},
	{"healthy", (*lab).healthy, true},
}

// A healthy engine is not accused of anything.
func (l *lab) healthy(t *testing.T) {
	l.run(t, l.own, "healthy", "lab", "exit")
	a := l.ask(t, l.own, "healthy")
	a.wants(t, diagnose.Stops, nil)
	for _, f := range append(a.report.Host.Findings, a.Findings...) {
		if f.Code >= "WS300" && f.Code < "WS500" {
			t.Errorf("a healthy engine is accused: %s %s", f.Code, f.Summary)
		}
	}
	stop := l.later(l.own, "stop", "healthy")
	stop.returns(t, 20*time.Second)
	l.row(t, a, stop.sums())
}

func (l *lab) dockerdStopped(t *testing.T) {
	l.run(t, l.own, "web", "lab", "exit")
	heal := hold(t, l.own.PID())
	stop := l.later(l.own, "stop", "web")
	a := l.ask(t, l.own, "web")
	a.wants(t, diagnose.Stuck, []string{"WS304"})
	a.never(t)
	time.Sleep(2 * time.Second)
	stop.waits(t)
	heal()
	stop.returns(t, 20*time.Second)
	l.row(t, a, stop.sums())
}
