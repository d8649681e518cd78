package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/render"
	"github.com/whystuck/whystuck/pkg/smoke"
)

// nameStrays says when interrupted runs have left something, and is the first
// word with the engine.
func (t *trying) nameStrays(ctx context.Context, s *smoke.Smoker) error {
	strays, _, err := s.Strays(ctx)
	if err != nil {
		return err
	}
	if n := len(strays); n > 0 {
		t.complain(fmt.Sprintf("interrupted runs have left %s; whystuck image --clean removes them", count(n, "container")))
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cleanUp is --clean.
func (t *trying) cleanUp(ctx context.Context, s *smoke.Smoker) error {
	strays, live, err := s.Strays(ctx)
	if err != nil {
		return err
	}
	removed, err := s.Clean(ctx, strays)
	if err == nil {
		r := t.emptyReport()
		for _, c := range removed {
			r.Containers = append(r.Containers, diagnose.Container{Target: c.Name, Kind: evidence.KindContainer, Name: c.Name, ID: c.ID, Image: c.Image,
				Status: "removed", Verdict: diagnose.NotRunning, Confidence: diagnose.Certain, Layer: diagnose.LayerEngine, Headline: "left by an interrupted run; it is removed now"})
		}
		if t.app.json || t.format.template != "" || t.format.printed != "" {
			return t.answer(r, &t.format)
		}
		t.app.unwritten = nil
		if err := t.writeReports(r, &t.format); err != nil {
			return err
		}
	}
	if !t.app.json {
		for _, c := range removed {
			fmt.Fprintf(t.Out, "removed %s (%s)\n", render.Escape(c.Name), render.Escape(c.Image))
		}
		if len(removed) == 0 && err == nil {
			fmt.Fprintln(t.Out, "nothing is left of interrupted runs")
		}
		if live > 0 {
			fmt.Fprintf(t.Out, "%s left alone: in use by a run\n", count(live, "container"))
		}
	}
	if err != nil {
		return &failure{exitNoEngine, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	return nil
}
