package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/look"
	"github.com/whystuck/whystuck/pkg/render"
	"github.com/whystuck/whystuck/pkg/smoke"
)

const imageLong = `Starts a throw-away container of each image, waits until it is ready, says how it
will stop and why, stops it, and holds what happened against what was said.

The options of docker run mean here what they mean there, short ones too. The
container gets no network unless asked, and is removed whatever happens.`

const imageExample = `  whystuck image shop:1.2                       how does it stop?
  whystuck image -e DB=test shop:1.2 -- serve    with a variable and a command
  whystuck image --ready-port 8080 shop:1.2      ready when it listens
  whystuck image --repeat 5 shop:1.2 api:2.0     several, each five times
  whystuck image --static --dockerfile Dockerfile
                                                 what the file alone tells, without an engine
  whystuck image --clean                         what interrupted runs have left`

// trying is `whystuck image`.
type trying struct {
	*app
	question
	runFlags
	readyFlags
	static staticFlags
	format
	policy         policyFlags
	repeat, atOnce int
	load, loadExec string
	clean, quietly bool
	options        smoke.Options
}

func newImage(a *app) *cobra.Command {
	t := &trying{app: a}
	cmd := &cobra.Command{
		Use:                   "image IMAGE... [-- COMMAND ARG...]",
		Short:                 "run an image once to see how it stops",
		Long:                  imageLong,
		Example:               imageExample,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		RunE:                  t.run,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usagef("%w; whystuck image --help lists the flags", err)
	})
	t.addFlags(cmd)
	return cmd
}

func (t *trying) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.Bool("help", false, "help for image") // -h is docker run's --hostname
	t.runFlags.addTo(f)
	t.readyFlags.addTo(f)
	t.static.addTo(f)
	f.IntVar(&t.repeat, "repeat", 1, "run each image so many `times`")
	f.StringVar(&t.load, "load", "", "a `command` to run here during the stop (WHYSTUCK_CONTAINER and WHYSTUCK_PID are set)")
	f.StringVar(&t.loadExec, "load-exec", "", "a `command` to run in the container during the stop")
	f.IntVar(&t.atOnce, "parallel", 0, "how many images at once (default: two for each processor, four at most)")
	f.BoolVar(&t.clean, "clean", false, "remove what interrupted runs have left, and do nothing else")
	f.BoolVarP(&t.quietly, "quiet", "q", false, "no progress")
	t.policy.addTo(cmd)
	f.BoolVar(&t.format.json, "json", false, "print the report as JSON")
	f.StringVar(&t.format.template, "format", "", "json, or a Go `template` that is applied to each image")
	t.format.addLooksTo(f)
	t.format.addReportTo(cmd)
	t.question.addAddressTo(f, "")
	completeWords(cmd, "pull", "always", "missing", "never")
	completeWords(cmd, "color", "auto", "always", "never")
	completeWords(cmd, "format", "json")
	completeWords(cmd, "stop-signal", signalWords()...)
}

func (t *trying) run(cmd *cobra.Command, args []string) error {
	images, err := t.check(cmd, args)
	if err != nil {
		return err
	}
	if t.static.alone() {
		return exitWithAnswer(t.readAll(cmd.Context(), nil, nil))
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	e, err := engine.Open(ctx, t.engineOptions(&t.question))
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	s := &smoke.Smoker{Engine: e, Look: t.looker(), Options: t.options, Output: t.Err, Now: t.Now}
	s.Look.Seen = nil // several looks at once
	if t.clean {
		return t.cleanUp(ctx, s)
	}
	if err := t.nameStrays(ctx, s); err != nil {
		return err
	}
	if t.static.only {
		return exitWithAnswer(t.readAll(ctx, e, images))
	}
	return exitWithAnswer(t.tryAll(ctx, s, images))
}

// check reads the flags and gives the images.
func (t *trying) check(cmd *cobra.Command, args []string) ([]string, error) {
	t.app.json = t.format.json || t.format.template == "json"
	var err error
	o := &t.options
	if o.Spec, err = t.runFlags.options(t.Getenv); err != nil {
		return nil, err
	}
	if o.Ready, err = t.readyFlags.options(); err != nil {
		return nil, err
	}
	o.Pull, o.Repeat, o.Load, o.LoadExec = t.pull, t.repeat, t.load, t.loadExec
	if err := t.policy.check(cmd.Flags()); err != nil {
		return nil, err
	}
	if err := t.format.check(); err != nil {
		return nil, err
	}
	if t.format.text = render.Image; t.static.only {
		t.format.text = render.Text
	}
	t.app.unwritten, t.format.bad = &t.format, func(c *diagnose.Container) bool { return t.codeOfOne(*c) == exitTrouble }
	images := args
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		images, o.Spec.Command = args[:dash], args[dash:]
	}
	o.Trace = t.Getenv("WHYSTUCK_SOURCES") != "proc"
	if images, err = t.static.check(images); err != nil {
		return nil, err
	}
	switch {
	case t.clean && len(args) > 0:
		return nil, usagef("--clean takes no images")
	case !t.clean && len(images) == 0 && !t.static.alone():
		return nil, usagef("usage: whystuck %s; --help says more", cmd.Use)
	case t.repeat < 1:
		return nil, usagef("--repeat %d: want a number above 0", t.repeat)
	}
	return images, nil
}

// tryAll runs the images side by side and prints the report.
func (t *trying) tryAll(ctx context.Context, s *smoke.Smoker, images []string) (int, error) {
	p := t.newProgress(len(images))
	s.Progress = p.doing
	results := make([]smoke.Result, len(images))
	g := look.NewGroup(t.width(images))
	for i, image := range images {
		g.Go(func() {
			results[i] = s.Check(ctx, image)
			t.explain(ctx, s, image, &results[i])
			p.done(image)
		})
	}
	g.Wait()
	p.end()
	report := t.report(s, results)
	t.policy.mark(&report)
	code := t.codeOf(report)
	return code, t.answer(report, &t.format)
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

// width is how many run at once. A port or a device of the host can be had once.
func (t *trying) width(images []string) int {
	s := &t.options.Spec
	if len(s.Publish) > 0 || s.Network == "host" || len(s.Devices) > 0 {
		return 1
	}
	if t.atOnce > 0 {
		return t.atOnce
	}
	return min(len(images), 2*runtime.GOMAXPROCS(0), 4)
}

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
	for _, f := range c.Findings {
		switch f.Code {
		case "WS530", "WS531", "WS532", "WS533":
			if f.Ignored == nil {
				code = worse(code, exitTrouble)
			}
		}
	}
	return code
}

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
	if !t.app.json {
		for _, c := range removed {
			fmt.Fprintf(t.Out, "removed %s (%s)\n", c.Name, c.Image)
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
