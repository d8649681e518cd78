package enginetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// innocent holds that nothing is said against the engine.
func (a answer) innocent(t *testing.T) {
	t.Helper()
	for _, f := range append(a.report.Host.Findings, a.Findings...) {
		if f.Code >= "WS300" && f.Code < "WS500" {
			t.Errorf("a healthy engine is accused: %s %s", f.Code, f.Summary)
		}
	}
}

// A healthy engine is not accused of anything.
func (l *lab) healthy(t *testing.T) {
	l.run(t, l.own, "healthy", "lab", "exit")
	a := l.ask(t, l.own, "healthy")
	a.wants(t, diagnose.Stops, nil)
	a.innocent(t)
	stop := l.later(l.own, "stop", "healthy")
	stop.returns(t, 20*time.Second)
	l.row(t, a, stop.sums())
}

// Nor is one that starts and removes containers all the time, and those that are
// just being started.
func (l *lab) busy(t *testing.T) {
	l.run(t, l.own, "busy", "lab", "exit")
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for n := range 4 {
				name := fmt.Sprintf("busy-%d-%d", i, n)
				l.later(l.own, "run", "-d", "--rm", "--label", "whystuck.test=1", "--network", "none", "--name", name, "lab", "exit").done()
				l.later(l.own, "rm", "-f", name).done()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	asked := 0
	for busy := true; busy; asked++ {
		select {
		case <-done:
			busy = false
		default:
		}
		a := l.askAll(t, l.own, "--all")
		for _, c := range a.report.Containers {
			(answer{Container: c, report: a.report}).innocent(t)
		}
	}
	a := l.ask(t, l.own, "busy")
	a.wants(t, diagnose.Stops, nil)
	l.row(t, a, fmt.Sprintf("asked %d times for all", asked))
}
