package watchtest

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// soon is within which an overrun is told of, after its time, and what a busy
// machine adds to it.
const soon = time.Second + 500*time.Millisecond

// TestOverruns has one container that ignores its stop signal and one that hangs
// in FUSE, both stopped at the same time.
func TestOverruns(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	bed.Require(t, "fuse")
	d := l.engine(t, bed.Options{})
	m, err := silent.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Release()
		d.Docker(t.Context(), "rm", "-f", "fuse")
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	f := l.follow(t, d)
	run(t, d, "deaf", "--stop-timeout", "3", "lab", "ign")
	run(t, d, "fuse", "--stop-timeout", "2", "-v", m.Dir+":/mnt", "lab", "-f", "/mnt/hang", "stat")
	run(t, d, "good", "lab", "exit")
	ready(t, d, "deaf")
	ready(t, d, "good")
	time.Sleep(300 * time.Millisecond)

	start := time.Now()
	for _, name := range []string{"deaf", "fuse", "good"} {
		go d.Docker(t.Context(), "stop", name)
	}
	at := func(r told, after time.Duration) {
		t.Helper()
		if late := r.read.Sub(start) - after; late < -200*time.Millisecond || late > soon {
			t.Errorf("%s %s was told at %s, its time is %s", name(r), *r.Stage, r.read.Sub(start), after)
		}
		t.Logf("%6.3f s  %s: %s", r.read.Sub(start).Seconds(), name(r), r.Headline)
	}

	good := f.wait(t, 3*time.Second, "good", watch.KindEnded, "")
	if *good.Outcome != watch.OutcomeStops || good.ExitCode == nil || *good.ExitCode != 0 || good.Trouble {
		t.Errorf("good: %+v", good.Report)
	}

	r := f.wait(t, 6*time.Second, "deaf", watch.KindOverrun, watch.StageTimeout)
	at(r, 3*time.Second)
	if r.Diagnosis == nil || r.Diagnosis.Verdict != diagnose.Killed || *r.TimeoutSource != "observed" {
		t.Errorf("deaf: %+v", r.Report)
	}
	ended := f.wait(t, 2*time.Second, "deaf", watch.KindEnded, "")
	if *ended.Outcome != watch.OutcomeKilled || *ended.ExitCode != 137 || !ended.Trouble || *ended.AfterSeconds < 2.9 || *ended.AfterSeconds > 5 {
		t.Errorf("deaf: %+v", ended.Report)
	}

	for _, step := range []struct {
		stage string
		after time.Duration
	}{{watch.StageTimeout, 2 * time.Second}, {watch.StageTimeout10, 12 * time.Second}, {watch.StageNever, 17 * time.Second}} {
		r := f.wait(t, 15*time.Second, "fuse", watch.KindOverrun, step.stage)
		at(r, step.after)
		if r.Diagnosis == nil || r.Diagnosis.Verdict != diagnose.Stuck || !r.Trouble {
			t.Errorf("fuse at %s: %+v, note %q", step.stage, r.Diagnosis, r.DiagnosisNote)
		}
	}
	m.Release()
	ended = f.wait(t, 5*time.Second, "fuse", watch.KindEnded, "")
	if *ended.Outcome != watch.OutcomeStuck || *ended.ExitCode != 137 {
		t.Errorf("fuse: %+v", ended.Report)
	}
	for _, name := range []string{"good", "deaf", "fuse"} {
		f.once(t, name, watch.KindEnded)
	}
	if len(f.bad) > 0 {
		t.Errorf("lines that are no reports: %q", f.bad)
	}
}
