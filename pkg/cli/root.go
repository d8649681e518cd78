package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

const rootLong = `whystuck says what "docker stop" will do to a container if it is typed now, why, and
what to do about it; the same for "docker kill" and "docker rm -f". It only looks:
it never sends a signal and never stops a process. Only "whystuck stop" does, and says so.

A container that is named like a command is reached by "whystuck -- stop" or
"whystuck /stop".

Exit codes: 0 every container stops · 1 at least one will not stop cleanly ·
2 called wrongly or no such container · 3 cannot tell · 4 no engine · 5 a bug.`

const rootExample = `  whystuck web                     why will "docker stop web" hang?
  whystuck --all                   every container, the worst first
  whystuck -t 30 -s QUIT web       what if it were stopped with SIGQUIT and 30 s?
  whystuck --kill HUP web          who would take a reload by SIGHUP?
  whystuck --pid 4121              the PID namespace of that process, without an engine
  whystuck stop web                stop it, see what happens, and that all is gone
  whystuck orphans                 what docker has forgotten, and still lives
  whystuck capture web > web.json  the evidence, to be judged elsewhere:
  whystuck --from web.json`

// asking is the root command: it judges what it is given.
type asking struct {
	*app
	question
	judgeFlags
	format
	failWords []string
	failOn    failOn
	watch     float64 // seconds between looks; 0: look once
}

func newRoot(a *app) *cobra.Command {
	r := &asking{app: a}
	cmd := &cobra.Command{
		Use:                   "whystuck CONTAINER... (or --all, --pid PID, --from FILE; --help says more)",
		Short:                 "says why docker stop will hang, without touching the container",
		Long:                  rootLong,
		Example:               rootExample,
		Args:                  cobra.ArbitraryArgs,
		Version:               a.version(),
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     a.completeNames(&r.question),
		RunE:                  r.run,
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usagef("%w; whystuck --help lists the flags", err)
	})
	cmd.SetVersionTemplate("whystuck {{.Version}}\n")
	r.addFlags(cmd)
	cmd.AddCommand(newStop(a), newCapture(a), newSignals(a), newImage(a), newExplain(a), newVersion(a), newCompletion(a))
	cmd.AddCommand(newOrphans(a), newWatch(a))
	return cmd
}

func (r *asking) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	r.question.addTo(f)
	r.question.addFromTo(f)
	r.judgeFlags.addTo(f)
	r.format.addTo(f)
	r.format.addReportTo(cmd)
	f.StringSliceVar(&r.failWords, "fail-on", []string{"abrupt"}, "from which verdict on the exit code is 1: abrupt, killed or stuck; also unknown, assumed")
	f.Float64Var(&r.watch, "watch", 0, "look again every so many `seconds` and print what changed (=2 if not given)")
	f.Lookup("watch").NoOptDefVal = "2"
	completeWords(cmd, "fail-on", "abrupt", "killed", "stuck", "unknown", "assumed")
	completeWords(cmd, "color", "auto", "always", "never")
	completeWords(cmd, "format", "json")
	completeWords(cmd, "signal", signalWords()...)
	completeWords(cmd, "kill", signalWords()...)
}

func signalWords() []string {
	var words []string
	for n := evidence.SIGHUP; n <= evidence.SIGSYS; n++ {
		words = append(words, evidence.SignalName(n))
	}
	return words
}

func (r *asking) run(cmd *cobra.Command, args []string) error {
	if err := r.check(cmd, args); err != nil {
		return err
	}
	if r.from != "" {
		return r.judgeCapture(cmd)
	}
	if r.watch > 0 {
		return r.runWatch(cmd.Context())
	}
	return exitWithAnswer(r.once(cmd.Context()))
}

// check reads the flags; everything that can be refused is refused before the
// first look.
func (r *asking) check(cmd *cobra.Command, args []string) error {
	r.app.json = r.format.json || r.format.template == "json"
	var err error
	if r.judge, err = r.judgeFlags.options(cmd.Flags(), r.version()); err != nil {
		return err
	}
	if r.failOn, err = parseFailOn(r.failWords); err != nil {
		return &failure{exitUsage, err}
	}
	r.failOn.kill = r.judge.Kill != 0
	if err := r.format.check(); err != nil {
		return err
	}
	r.app.unwritten, r.format.bad = &r.format, func(c *diagnose.Container) bool { return r.failOn.codeOfContainer(c) == exitTrouble }
	if r.watch > 0 && len(r.reportWords) > 0 {
		return usagef("--watch and --report: give one or the other")
	}
	if r.watch < 0 || r.watch > 0 && r.from != "" {
		return usagef("--watch looks again every so many seconds: it needs a number above 0 and no --from")
	}
	return r.question.check(cmd, args)
}

// once looks, judges and prints.
func (r *asking) once(ctx context.Context) (int, error) {
	report := r.judged(r.look(ctx, &r.question))
	return r.failOn.codeOfReport(report), r.answer(report, &r.format)
}

// judged gives the report, with the note that goes with -s on an old engine.
func (r *asking) judged(s *evidence.Snapshot) diagnose.Report {
	r.seen = s
	if e := s.Host.Engine; r.judge.Signal != 0 && e != nil {
		if note := signalNote(e.APIVersion); note != "" {
			r.complain(note)
		}
	}
	return diagnose.Judge(s, r.judge)
}

func exitWithAnswer(code int, err error) error {
	if err != nil {
		return err
	}
	return exitWith(code)
}
