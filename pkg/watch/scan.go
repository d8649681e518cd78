package watch

import (
	"context"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
)

// scan looks at all that live, a part at a time: one look over thousands would
// take the machine, and the looks of its stops would wait.
type scan struct {
	nextAt  time.Duration
	left    []string // ids still to be looked at in this round
	busy    bool
	verdict map[string]Verdict // by id
	ended   time.Time          // of the latest round
}

// Verdict is what the latest scan has said of one container.
type Verdict struct {
	Named
	Verdict diagnose.Verdict
	DTasks  int
}

const (
	scanBatch = 16
	// scanPause keeps a scan in the background.
	scanPause = 200 * time.Millisecond
)

func (w *Watcher) nextScan() (time.Duration, bool) {
	if w.opt.ScanEvery <= 0 || w.scan.busy || w.machine.Learning {
		return 0, false
	}
	return w.scan.nextAt, true
}

// scanDue takes the next part of a scan.
func (w *Watcher) scanDue(ctx context.Context, now Moment) {
	at, ok := w.nextScan()
	if !ok || now.Mono < at || w.health.isSilent {
		return
	}
	s := &w.scan
	if len(s.left) == 0 {
		s.left = w.machine.Living(maxKnown)
		s.forget(w.machine)
		if len(s.left) == 0 {
			s.nextAt, s.ended = now.Mono+w.opt.ScanEvery, now.Wall
			return
		}
	}
	n := min(scanBatch, len(s.left))
	ids := s.left[:n]
	s.left, s.busy = s.left[n:], true
	var report diagnose.Report
	w.beside(ctx, func() { report = w.judge(ctx, w.engine, engine.Query{Names: ids}) }, func() {
		s.busy = false
		now := w.now()
		s.nextAt = now.Mono + scanPause
		if len(s.left) == 0 {
			s.nextAt, s.ended = now.Mono+w.opt.ScanEvery, now.Wall
		}
		for i := range report.Containers {
			w.scanned(&report.Containers[i], now)
		}
	})
}

// forget drops the verdicts of what lives no more.
func (s *scan) forget(m *Machine) {
	for id := range s.verdict {
		if !m.Lives(id) {
			delete(s.verdict, id)
		}
	}
}

// scanned takes one verdict and tells when it turned bad, or good again. A stop
// under way is told by itself.
func (w *Watcher) scanned(c *diagnose.Container, now Moment) {
	if !w.machine.Lives(c.ID) || w.machine.Stopping(c.ID) {
		return
	}
	before, known := w.scan.verdict[c.ID]
	named := Named{ID: c.ID, Name: c.Name, Image: c.Image}
	if w.scan.verdict == nil {
		w.scan.verdict = map[string]Verdict{}
	}
	w.scan.verdict[c.ID] = Verdict{Named: named, Verdict: c.Verdict, DTasks: tasksIn(c, "D")}
	was, is := known && bad(before.Verdict), bad(c.Verdict)
	if was == is && (!is || before.Verdict == c.Verdict) {
		return
	}
	r := Report{Schema: ReportSchema, At: now.Wall.UTC(), Kind: KindVerdict, Trouble: is, Container: &named,
		Outcome: ptr(string(c.Verdict)), Headline: "docker stop: " + string(c.Verdict) + ", " + string(c.Confidence) + ": " + c.Headline}
	if is {
		r.Diagnosis = c
	}
	w.hold(r, now)
	w.release(now)
}

// bad: a stop would not end it cleanly.
func bad(v diagnose.Verdict) bool {
	switch v {
	case diagnose.Stuck, diagnose.Refused, diagnose.Ghost, diagnose.Killed, diagnose.Abrupt:
		return true
	}
	return false
}

func tasksIn(c *diagnose.Container, state string) int {
	n := 0
	for _, p := range c.Processes {
		for _, t := range p.Tasks {
			if t.State == state {
				n++
			}
		}
	}
	return n
}
