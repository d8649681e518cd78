// Package smoke runs an image once to see how it stops: it starts a throw-away
// container, waits until it is ready, judges it as for any other container, stops
// it, and holds what happened against what was foretold.
//
// It owns the container from its creation to its removal, and what is said of
// both. It is not for talking to engines (engine), for looking (look), for
// judging (diagnose) or for the stop itself (stop).
package smoke

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/look"
	"github.com/whystuck/whystuck/pkg/probe"
)

// Options say how an image is run and tried.
type Options struct {
	// Spec is the container; Image and Labels are filled in for each image.
	Spec  engine.Spec
	Pull  string // always, missing, never
	Ready Ready
	// Repeat runs each image so many times; below 1: once.
	Repeat int
	// Load is a shell command on this host, LoadExec one in the container; each
	// runs while the container is being stopped.
	Load, LoadExec string
	// Trace may follow the stop's signals in the kernel; it needs root.
	Trace bool
}

// Smoker runs images on one engine. It is safe for use by several goroutines.
type Smoker struct {
	Engine *engine.Engine
	Look   *look.Looker
	Options
	// Progress is told what is being done with an image; nil: nobody is.
	Progress func(image, doing string)
	// Output is where the output of Load goes.
	Output io.Writer
	// Complain says what went wrong on the way; nil: nobody hears it.
	Complain func(text string)
	Now      func() time.Time
}

// Result is one image, run.
type Result struct {
	Container diagnose.Container
	// Snapshot is what the judgement rests on; nil where it did not come to one.
	Snapshot *evidence.Snapshot
	// Host is what there is to say of the engine and the host as a whole.
	Host []diagnose.Finding
	// Err is why the image could not be tried at all, or was not tried to the end.
	Err error
	// Left names a container that could not be removed, "" for none.
	Left string
	// LeftWhy is the error of its removal.
	LeftWhy error
}

// Check runs one image as often as was asked for.
func (s *Smoker) Check(ctx context.Context, image string) Result {
	if err := s.pull(ctx, image); err != nil {
		return Result{Container: named(image), Err: err}
	}
	n := max(s.Repeat, 1)
	all := make([]Result, 0, n)
	for range n {
		r := s.once(ctx, image)
		all = append(all, r)
		if r.Err != nil || r.Left != "" || ctx.Err() != nil {
			break
		}
	}
	return together(all)
}

// once is one run: whatever happens in between, the container is removed.
func (s *Smoker) once(ctx context.Context, image string) (result Result) {
	r := &run{Smoker: s, image: image, name: newName(), runner: s.Engine.Runner(), prober: probe.New(probe.Config{Proc: s.Look.Proc, Sys: s.Look.Sys})}
	r.out.Container = named(image)
	defer func() {
		r.say("removing")
		r.remove(ctx)
		result = r.out
	}()
	r.play(ctx)
	return r.out
}

// named is what is known of an image before it has run.
func named(image string) diagnose.Container {
	return diagnose.Container{
		Target: image, Kind: evidence.KindContainer, Name: image, Image: image,
		Verdict: diagnose.NotRunning, Confidence: diagnose.Certain, Layer: diagnose.LayerImage,
		History: []diagnose.Event{}, Findings: []diagnose.Finding{}, Processes: []diagnose.Process{}, Gaps: []diagnose.Gap{},
	}
}

// pull fetches the image where that was asked for or it is not there.
func (s *Smoker) pull(ctx context.Context, image string) error {
	runner := s.Engine.Runner()
	if s.Pull != "always" {
		has, err := runner.HasImage(ctx, image)
		if has || err != nil || s.Pull == "never" {
			return err // where it is missing and never pulled, Create says so
		}
	}
	s.say(image, "pulling")
	if err := runner.Pull(ctx, image, s.Spec.Platform); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w here, and it cannot be pulled: %s", engine.ErrNoSuchImage, plain(err))
	}
	return nil
}

func (s *Smoker) say(image, doing string) {
	if s.Progress != nil {
		s.Progress(image, doing)
	}
}
