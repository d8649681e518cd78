package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/look"
)

// The loop sleeps while the engine is silent: a scan that was due waits for it.
func TestNoScanWhileSilent(t *testing.T) {
	w := &Watcher{opt: Options{ScanEvery: time.Minute}, begin: time.Now(), machine: NewMachine()}
	if got := w.pause(); got != 0 {
		t.Errorf("a scan is due, and the loop would sleep for %s", got)
	}
	w.health.isSilent = true
	if got := w.pause(); got < time.Minute {
		t.Errorf("the engine is silent, and the loop would sleep for %s only", got)
	}
}

// A part of a scan that was not seen leaves the verdicts as they were, and the
// round does not count.
func TestScanThatMissed(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("start", "b")
	var told []*Report
	w := &Watcher{opt: Options{ScanEvery: time.Minute, Tell: func(r *Report) { told = append(told, r) }}, begin: time.Now(), machine: b.Machine}
	stuck := &diagnose.Container{ID: "a", Verdict: diagnose.Stuck}
	w.scannedPart([]string{"a", "b", "gone"}, map[string]*diagnose.Container{"a": stuck, "b": {ID: "b", Verdict: diagnose.Stops}}, b.now)
	if w.scan.ended.IsZero() || len(told) != 1 || w.scan.verdict["a"].Verdict != diagnose.Stuck {
		t.Errorf("ended %s, told %d, %+v", w.scan.ended, len(told), w.scan.verdict)
	}
	w.scan.ended = time.Time{}
	w.scannedPart([]string{"a", "b"}, nil, b.now)
	if !w.scan.ended.IsZero() || len(told) != 1 || w.scan.verdict["a"].Verdict != diagnose.Stuck || w.scan.nextAt != b.now.Mono+time.Minute {
		t.Errorf("ended %s, told %d, %+v", w.scan.ended, len(told), w.scan)
	}
}

// A look that was cut off takes what it did not get to for missing: a scan does
// not believe it.
func TestScanCutOff(t *testing.T) {
	for takes, want := range map[time.Duration]int{look.Deadline - time.Second: 1, look.Deadline: 0} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			b.running("a", nil, "")
			looker := &look.Looker{Proc: t.TempDir(), Sys: t.TempDir(), Getenv: func(string) string { return "" }, Now: time.Now,
				Seen: func(s *evidence.Snapshot) {
					s.Targets = append(s.Targets, evidence.Target{Asked: "a", Container: &evidence.Container{ID: "a", Status: "running"}})
					time.Sleep(takes)
				}}
			w := &Watcher{begin: time.Now(), machine: b.Machine, posted: make(chan func(), 1), opt: Options{
				ScanEvery: time.Minute, Looker: looker, Tell: func(*Report) {}, Complain: func(text string) { t.Error(text) },
				EngineOptions: engine.Options{Host: "unix:///nonexistent/sock", Getenv: looker.Getenv, HomeDir: "/nonexistent"}}}
			w.scanDue(t.Context(), w.now())
			(<-w.posted)()
			if len(w.scan.verdict) != want || w.scan.ended.IsZero() != (want == 0) {
				t.Errorf("a look of %s: %+v", takes, w.scan)
			}
		})
	}
}
