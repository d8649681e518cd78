package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
)

// pulseEvery is the pause between signs of life that the engine is asked for.
const pulseEvery = 5 * time.Second

// pulseWhenSilent is the pause while it gives none.
const pulseWhenSilent = 500 * time.Millisecond

// health is what is known of the engine's answers.
type health struct {
	answered time.Duration // Moment.Mono of the latest
	asking   bool
	since    time.Duration // of the first question without an answer, where isSilent or failing
	failing  bool
	isSilent bool // and told
	retry    bool
}

// answered notes a sign of life.
func (w *Watcher) answered(now Moment) {
	h := &w.health
	if h.isSilent {
		r := Report{Schema: ReportSchema, At: now.Wall.UTC(), Kind: KindEngine, AfterSeconds: seconds(now.Mono - h.since)}
		r.Headline = fmt.Sprintf("the engine answers again, after %s", span(r.AfterSeconds))
		w.hold(r, now)
	}
	h.answered, h.failing, h.isSilent = now.Mono, false, false
}

// pulse asks for a sign of life.
func (w *Watcher) pulse(ctx context.Context) {
	h := &w.health
	if h.asking {
		return
	}
	h.asking = true
	asked := w.now().Mono
	var err error
	w.beside(ctx, func() { err = w.engine.Ping(ctx) }, func() {
		h.asking = false
		now := w.now()
		if err == nil {
			w.answered(now)
			return
		}
		w.unanswered(ctx, asked, now)
	})
}

// unanswered notes a question without an answer, and tells once it has been so
// for long.
func (w *Watcher) unanswered(ctx context.Context, asked time.Duration, now Moment) {
	h := &w.health
	if h.answered > asked {
		return // something else was answered meanwhile
	}
	if !h.failing {
		h.failing, h.since = true, asked
	}
	if !h.isSilent && now.Mono-h.since >= w.opt.SilentAfter {
		h.isSilent = true
		w.tellSilent(ctx)
	}
	if !h.retry {
		h.retry = true
		time.AfterFunc(pulseWhenSilent, func() {
			select {
			case w.posted <- func() { h.retry = false; w.pulse(ctx) }:
			case <-ctx.Done():
			}
		})
	}
}

// silence is for how long the engine has not answered; nil: it does.
func (w *Watcher) silence(now Moment) *float64 {
	if !w.health.failing {
		return nil
	}
	return seconds(now.Mono - w.health.since)
}

// tellSilent tells that the engine does not answer, with what its files and the
// host say about it.
func (w *Watcher) tellSilent(ctx context.Context) {
	var report diagnose.Report
	names := w.machine.Living(8)
	w.beside(ctx, func() {
		if len(names) == 0 {
			return
		}
		report = w.judge(ctx, w.quick, engine.Query{Names: names})
	}, func() {
		now := w.now()
		r := Report{Schema: ReportSchema, At: now.Wall.UTC(), Kind: KindEngine, Trouble: true, SilentSeconds: w.silence(now), HostFindings: report.Host.Findings}
		if r.SilentSeconds == nil {
			return // it answered meanwhile
		}
		r.Headline = fmt.Sprintf("the engine has not answered for %s: no stop is seen until it does", span(r.SilentSeconds))
		for _, f := range r.HostFindings {
			r.Headline += "; " + f.Title
		}
		if len(report.Errors) > 0 {
			r.DiagnosisNote = report.Errors[0].Message
		}
		w.hold(r, now)
		w.release(now)
	})
}
