package watch

import (
	"context"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// scan looks at all that live, a part at a time: one look over thousands would
// take the machine, and the looks of its stops would wait.
type scan struct {
	nextAt  time.Duration
	left    []string // ids still to be looked at in this round
	busy    bool
	verdict map[string]Verdict // by id
	missed  bool               // some that live could not be looked at in this round
	ended   time.Time          // of the latest round that missed none
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

// nextScan is when the next part is due. While the engine is silent none is, and
// its next answer wakes the loop.
func (w *Watcher) nextScan() (time.Duration, bool) {
	if w.opt.ScanEvery <= 0 || w.scan.busy || w.machine.Learning || w.health.isSilent {
		return 0, false
	}
	return w.scan.nextAt, true
}

// scanDue takes the next part of a scan.
func (w *Watcher) scanDue(ctx context.Context, now Moment) {
	at, ok := w.nextScan()
	if !ok || now.Mono < at {
		return
	}
	s := &w.scan
	if len(s.left) == 0 {
		s.left, s.missed = w.machine.Living(maxKnown), false
		s.forget(w.machine)
		if len(s.left) == 0 {
			s.nextAt, s.ended = now.Mono+w.opt.ScanEvery, now.Wall
			return
		}
	}
	n := min(scanBatch, len(s.left))
	ids := s.left[:n]
	s.left, s.busy = s.left[n:], true
	w.lookAt(ctx, ids, func(seen map[string]*diagnose.Container, _ string, _ Moment) { w.scannedPart(ids, seen, w.now()) })
}

// scannedPart takes what one part of a scan has shown. Where a look came to
// nothing, the round does not count as a scan.
func (w *Watcher) scannedPart(ids []string, seen map[string]*diagnose.Container, now Moment) {
	s := &w.scan
	s.busy = false
	for _, id := range ids {
		if c := seen[id]; c != nil {
			w.scanned(c, now)
		} else if w.machine.Lives(id) {
			s.missed = true
		}
	}
	s.nextAt = now.Mono + scanPause
	if len(s.left) == 0 {
		s.nextAt = now.Mono + w.opt.ScanEvery
		if !s.missed {
			s.ended = now.Wall
		}
	}
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
