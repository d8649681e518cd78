package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/smoke"
)

// report puts the results into one.
func (t *trying) report(s *smoke.Smoker, results []smoke.Result) diagnose.Report {
	r := t.emptyReport()
	r.Host.Engine = s.Engine.Describe().Version
	for i := range results {
		t.add(&r, &results[i])
	}
	return r
}

func (t *trying) emptyReport() diagnose.Report {
	return diagnose.Report{Schema: diagnose.ReportSchema, Version: t.version(), ObservedAt: t.Now().UTC(),
		Host:   diagnose.Host{Sources: []string{}, Findings: []diagnose.Finding{}},
		Errors: []diagnose.TargetError{}, Containers: []diagnose.Container{}}
}

func (t *trying) add(r *diagnose.Report, one *smoke.Result) {
	image := one.Container.Target
	if one.Container.Disagreed() {
		diagnose.Disagree(&one.Container, t.saveDisagreement(image, one.Snapshot), issuesURL)
	}
	if s := one.Snapshot; s != nil {
		r.Host.Kernel = s.Host.Kernel
		for _, source := range s.Host.Sources {
			if !slices.Contains(r.Host.Sources, source) {
				r.Host.Sources = append(r.Host.Sources, source)
			}
		}
	}
	for _, f := range one.Host {
		if !slices.ContainsFunc(r.Host.Findings, func(g diagnose.Finding) bool { return g.Code == f.Code }) {
			r.Host.Findings = append(r.Host.Findings, f)
		}
	}
	if one.Err != nil {
		e := imageError(image, one.Err)
		if one.Left == "" && errors.Is(one.Err, context.Canceled) {
			e.Message += "; its container is removed"
		}
		r.Errors = append(r.Errors, e)
	}
	if one.Left != "" {
		left := &smoke.LeftError{Name: one.Left, Err: one.LeftWhy}
		r.Errors = append(r.Errors, diagnose.TargetError{Target: image, Message: image + ": " + left.Error(), ExitCode: exitNoEngine})
	}
	if one.Err == nil || one.Snapshot != nil || len(one.Container.Findings) > 0 {
		r.Containers = append(r.Containers, one.Container)
	}
}

// imageError is why an image was not tried, with its exit code.
func imageError(image string, err error) diagnose.TargetError {
	e := diagnose.TargetError{Target: image, Message: image + ": " + strings.ReplaceAll(err.Error(), "\n", " "), ExitCode: codeOf(err)}
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = image + ": interrupted"
	case errors.Is(err, engine.ErrNoSuchImage):
		e.ExitCode = exitUsage
	}
	return e
}

// codeOf: what was seen decides where nothing could be foretold, and an image that
// did not come up fails whatever else is true.
func (t *trying) codeOf(r diagnose.Report) int {
	code := exitClean
	for _, e := range r.Errors {
		code = worse(code, e.ExitCode)
	}
	for i := range r.Containers {
		code = worse(code, t.codeOfOne(r.Containers[i]))
	}
	return code
}

// codeOfOne is the exit code that one image makes.
func (t *trying) codeOfOne(c diagnose.Container) int {
	if c.Observed != nil && c.Observed.Outcome != string(diagnose.Unknown) {
		c.Verdict = diagnose.Verdict(c.Observed.Outcome)
	}
	code := t.policy.code(&c)
	if o := c.Observed; o != nil && (o.Cut == "deadline" || len(o.Survivors) > 0 && c.Verdict != diagnose.Unknown) {
		code = worse(code, exitTrouble)
	}
	for _, f := range c.Findings {
		switch f.Code {
		case "WS530", "WS531", "WS532", "WS533", "WS537":
			if f.Ignored == nil {
				code = worse(code, exitTrouble)
			}
		}
	}
	return code
}

// saveDisagreement writes what a wrong forecast rested on, for us to be sent, and
// gives its name: here, where a CI job keeps its files, or else where there is room.
func (t *trying) saveDisagreement(image string, s *evidence.Snapshot) string {
	if s == nil {
		return ""
	}
	evidence.Redact(s)
	var text strings.Builder
	if evidence.Write(&text, s) != nil {
		return ""
	}
	plain := func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' || r == '-') {
			return r
		}
		return '_'
	}
	pattern := "whystuck-" + strings.Map(plain, image[:min(len(image), 60)]) + "-*.json"
	for _, dir := range []string{".", t.TempDir} {
		f, err := os.CreateTemp(dir, pattern)
		if err != nil {
			continue
		}
		_, err = f.WriteString(text.String())
		if cerr := f.Close(); err == nil && cerr == nil {
			return f.Name()
		}
	}
	return ""
}
