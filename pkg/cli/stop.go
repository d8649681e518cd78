package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/render"
	"github.com/whystuck/whystuck/pkg/stop"
)

const stopLong = `A docker stop that explains itself: says what it expects, sends the stop through
the engine, shows what happens, and proves that all is gone or lists what lives on
and why. It ends at its deadline even if the engine never answers.

With root the kernel itself says what becomes of each signal (tracefs).

Exit codes: 0 it stopped cleanly, or did not run · 1 it did not (SIGKILL, somebody
cut off, something lives on, the deadline) · 2 called wrongly, or the engine cannot
send that signal with a stop · 3 its end was not seen · 4 no engine.`

// stopping is `whystuck stop`.
type stopping struct {
	*app
	question
	format
	signal, chain       string
	timeout             int
	deadline, killAfter float64
	emulate, dryRun     bool
	failWords           []string
	failOn              failOn
	line                statusLine
	// holds is how many connections this run is only there to keep open.
	holds int
	opt   stop.Options
}

func newStop(a *app) *cobra.Command {
	s := &stopping{app: a}
	cmd := &cobra.Command{
		Use:                   "stop CONTAINER...",
		Short:                 "docker stop with its reasons: forecast, timeline, proof",
		Long:                  stopLong,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     a.completeNames(&s.question),
		RunE:                  s.run,
	}
	f := cmd.Flags()
	f.SortFlags = false
	s.question.addEngineTo(f)
	f.StringVarP(&s.signal, "signal", "s", "", "the `signal` to send (needs API 1.42, or --emulate)")
	f.IntVarP(&s.timeout, "timeout", "t", 0, "`seconds` before SIGKILL (-1: never)")
	f.Float64Var(&s.deadline, "deadline", 0, "`seconds` after which this command ends (default: the timeout and 20 s; 60 s with no timeout)")
	f.Float64Var(&s.killAfter, "kill-after", 0, "`seconds` after which SIGKILL is sent, whatever the engine does")
	f.StringVar(&s.chain, "signal-chain", "", "send these `signals` instead of a stop: INT:10,TERM:5,KILL")
	f.BoolVar(&s.emulate, "emulate", false, "with -s on an engine below API 1.42: kill -s, wait, SIGKILL")
	f.BoolVar(&s.dryRun, "dry-run", false, "only say what is expected")
	f.StringSliceVar(&s.failWords, "fail-on", []string{"abrupt"}, "from which outcome on the exit code is 1: abrupt, killed or stuck; also unknown")
	f.BoolVar(&s.format.json, "json", false, "print the report as JSON")
	f.BoolVarP(&s.format.quiet, "quiet", "q", false, "print nothing: the exit code is the answer")
	s.format.addLooksTo(f)
	f.SetNormalizeFunc(timeIsTimeout)
	f.IntVar(&s.holds, holdFlag, 0, "")
	_ = f.MarkHidden(holdFlag)
	completeWords(cmd, "signal", signalWords()...)
	return cmd
}

func (s *stopping) run(cmd *cobra.Command, args []string) error {
	if s.holds > 0 {
		hold(s.holds)
		return nil
	}
	if err := s.check(cmd, args); err != nil {
		return err
	}
	ctx, release := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	context.AfterFunc(ctx, release) // a second Ctrl-C ends it at once
	e, err := engine.Open(ctx, s.engineOptions(&s.question))
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	stopper := &stop.Stopper{Looker: s.looker(), Engine: e}
	p, err := stopper.Prepare(ctx, s.query, s.opt)
	if errors.Is(err, engine.ErrNoStopSignal) {
		return usagef("%s: API %s; nothing was sent. --emulate does it with kill -s, wait, SIGKILL", err, e.Describe().APIVersion)
	}
	if err != nil {
		return err
	}
	if s.dryRun {
		p.Close()
		return exitWithAnswer(s.failOn.codeOfReport(p.Report), s.answer(p.Report, &s.format))
	}
	return s.carryOut(ctx, p)
}

// carryOut runs the stop and prints as it goes.
func (s *stopping) carryOut(ctx context.Context, p *stop.Prepared) error {
	for _, e := range p.Report.Errors {
		s.complain(e.Message)
	}
	if err := s.print(render.StopExpected, p.Report); err != nil {
		return err
	}
	end := s.waiting(p.Report)
	out := p.Run(ctx)
	end()
	if err := keepOpen(out.Hold); err != nil {
		s.complain(err.Error())
	}
	code := s.failOn.codeOfStop(out.Report)
	if s.format.json && !s.format.quiet {
		s.wrote = true
		return exitWithAnswer(code, render.JSON(s.Out, out.Report, render.Options{}))
	}
	return exitWithAnswer(code, s.print(render.StopEnded, out.Report))
}

// print writes a part of the text, where text is wanted.
func (s *stopping) print(part printer, r diagnose.Report) error {
	if s.format.json || s.format.quiet || len(r.Containers) == 0 {
		return nil
	}
	s.wrote = true
	return part(s.Out, r, s.renderOptions(&s.format))
}

// check reads the flags into s.opt.
func (s *stopping) check(cmd *cobra.Command, args []string) error {
	s.app.json = s.format.json
	if err := s.format.check(); err != nil {
		return err
	}
	if err := s.question.check(cmd, args); err != nil {
		return err
	}
	var err error
	if s.failOn, err = parseFailOn(s.failWords); err != nil {
		return &failure{exitUsage, err}
	}
	s.opt = stop.Options{Emulate: s.emulate, Trace: s.Getenv("WHYSTUCK_SOURCES") != "proc"}
	if s.signal != "" {
		if s.opt.Signal, err = parseSignal("signal", s.signal); err != nil {
			return &failure{exitUsage, err}
		}
	}
	if cmd.Flags().Changed("timeout") {
		seconds := max(s.timeout, -1)
		s.opt.Timeout = &seconds
	}
	if err := s.checkTimes(cmd); err != nil {
		return err
	}
	if !s.format.json && !s.format.quiet {
		s.opt.Progress = func(c *diagnose.Container, e diagnose.ObservedEvent) {
			s.line.above(func() {
				_ = render.StopEvent(s.Out, *c, e, len(args) > 1, s.renderOptions(&s.format)) // the end reports a broken pipe
			})
		}
	}
	return nil
}

// maxSeconds bounds what is counted in nanoseconds: more of them, or what is no
// number, would be a moment long past.
const maxSeconds = 1e9

// checkTimes reads the flags that count seconds, and the chain.
func (s *stopping) checkTimes(cmd *cobra.Command) error {
	if cmd.Flags().Changed("deadline") && !(s.deadline > 0 && s.deadline < maxSeconds) {
		return usagef("--deadline %g: want a number of seconds above 0", s.deadline)
	}
	s.opt.Deadline = time.Duration(s.deadline * float64(time.Second))
	if cmd.Flags().Changed("kill-after") {
		if !(s.killAfter >= 0 && s.killAfter < maxSeconds) {
			return usagef("--kill-after %g: want a number of seconds", s.killAfter)
		}
		d := time.Duration(s.killAfter * float64(time.Second))
		s.opt.KillAfter = &d
	}
	if s.chain == "" {
		return nil
	}
	if s.signal != "" || s.opt.Timeout != nil {
		return usagef("--signal-chain has its own signals and waits: -s and -t have no meaning with it")
	}
	var err error
	if s.opt.Chain, err = parseChain(s.chain); err != nil {
		return &failure{exitUsage, err}
	}
	return nil
}

// parseChain reads "INT:10,TERM:5,KILL".
func parseChain(text string) ([]stop.Link, error) {
	var chain []stop.Link
	total := 0.0
	parts := strings.Split(text, ",")
	for i, part := range parts {
		word, wait, timed := strings.Cut(strings.TrimSpace(part), ":")
		n, err := parseSignal("signal-chain", word)
		if err != nil {
			return nil, err
		}
		l := stop.Link{Signal: n}
		if timed {
			d, err := time.ParseDuration(wait + "s")
			if total += d.Seconds(); err != nil || d < 0 || total >= maxSeconds {
				return nil, usagef("--signal-chain %.40q: %.20q is no number of seconds", text, wait)
			}
			l.Wait = d
		} else if i < len(parts)-1 {
			return nil, usagef("--signal-chain %.40q: %s needs the seconds to wait before the next (%s:10)", text, word, word)
		}
		chain = append(chain, l)
	}
	return chain, nil
}
