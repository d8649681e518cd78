// Package stop is a supervised `docker stop`: it looks and judges, sends the stop
// through the engine's API, follows what happens, looks whether all is gone, and
// holds what was forecast against what was seen.
//
// It is the one part of the program that acts, beside starting an image. It never
// outlives its deadline, whatever the engine does, and sends no other signal than
// it was asked to. It is not for printing (render).
package stop

import (
	"context"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
	"github.com/whystuck/whystuck/pkg/look"
	"github.com/whystuck/whystuck/pkg/probe"
)

// Options say how to stop.
type Options struct {
	Signal  int  // 0: the container's own stop signal
	Timeout *int // seconds, -1 for ever; nil: the container's own
	// Deadline bounds the whole run from Prepare on; 0: the timeout and 20 s, 60 s
	// where the timeout is for ever.
	Deadline time.Duration
	// KillAfter sends SIGKILL so long after the stop, whatever the engine's own
	// timeout; nil: does not.
	KillAfter *time.Duration
	// Chain sends these signals one after the other instead of a stop.
	Chain []Link
	// Emulate does a stop with a signal by kill, wait and kill where the engine's
	// stop takes no signal.
	Emulate bool
	// Trace may follow the signals in the kernel; it needs root.
	Trace bool
	// Progress, if not nil, is told of each event as it is seen, one at a time.
	Progress func(c *diagnose.Container, e diagnose.ObservedEvent)
}

// Link is one step of Options.Chain.
type Link struct {
	Signal int
	Wait   time.Duration // before the next link
}

// Stopper stops containers of one engine.
type Stopper struct {
	Looker *look.Looker
	Engine *engine.Engine
}

// Prepared is a stop that has been judged and not yet been sent.
type Prepared struct {
	// Report is the forecast; Run fills Observed and Agreed of its containers.
	Report diagnose.Report

	opt      Options
	s        *Stopper
	prober   *probe.Prober
	began    time.Time
	snapshot *evidence.Snapshot
	trace    *tracing
	helpers  beside.Group // what nobody waits for; a bug in it is told at the end
}

// Stop looks, judges, stops and compares: Prepare and Run in one. The error is of
// Prepare; everything that goes wrong later is in the report.
func (s *Stopper) Stop(ctx context.Context, q engine.Query, opt Options) (*Result, error) {
	p, err := s.Prepare(ctx, q, opt)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx), nil
}

// Prepare looks at the containers and forecasts the stop. Nothing is sent. The
// error is an *engine.Error, or engine.ErrNoStopSignal where a signal was asked for
// that this engine's stop does not take.
func (s *Stopper) Prepare(ctx context.Context, q engine.Query, opt Options) (*Prepared, error) {
	p := &Prepared{opt: opt, s: s, began: time.Now(), prober: probe.New(probe.Config{Proc: s.Looker.Proc, Sys: s.Looker.Sys})}
	judge := opt.judged()
	judge.Version = s.Looker.Version
	p.trace = startTrace(opt.Trace, kernel.TraceSignals)
	looking, cancel := ctx, context.CancelFunc(func() {})
	if opt.Deadline > 0 {
		looking, cancel = context.WithTimeout(ctx, opt.Deadline/2)
	}
	defer cancel()
	p.snapshot = s.Looker.Look(looking, &look.Question{Query: q, Engine: s.Engine, Judge: judge, Everything: len(opt.Chain) > 1})
	p.Report = diagnose.Judge(p.snapshot, judge)
	if err := p.refuse(ctx); err != nil {
		p.Close()
		return nil, err
	}
	for i := range p.Report.Containers {
		opt.forecastOwn(p.snapshot, &p.Report.Containers[i], i)
	}
	return p, nil
}

// Snapshot is the evidence that the forecast rests on.
func (p *Prepared) Snapshot() *evidence.Snapshot { return p.snapshot }

// Close gives up what Prepare holds, for a stop that is not run after all.
func (p *Prepared) Close() { p.trace.shut() }

// refuse says no where the engine would send another signal than the one asked
// for. An engine that does not answer yet is asked again before the stop is sent.
func (p *Prepared) refuse(ctx context.Context) error {
	if p.opt.Signal == 0 || p.opt.Emulate || len(p.opt.Chain) > 0 {
		return nil
	}
	others := slices.ContainsFunc(p.snapshot.Targets, func(t evidence.Target) bool { return ownSignal(&t) != p.opt.Signal })
	if !others {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if takes, err := p.s.Engine.TakesStopSignal(ctx); err == nil && !takes {
		return engine.ErrNoStopSignal
	}
	return nil
}

// ownSignal is the stop signal of a container without anybody's wish.
func ownSignal(t *evidence.Target) int { return diagnose.Asked(t, diagnose.Options{})[0] }

// judged are the options of the forecast: those of the first step.
func (o *Options) judged() diagnose.Options {
	if len(o.Chain) > 0 {
		return diagnose.Options{Signal: o.Chain[0].Signal, Timeout: o.waitOf(0)}
	}
	return diagnose.Options{Signal: o.Signal, Timeout: o.Timeout}
}
