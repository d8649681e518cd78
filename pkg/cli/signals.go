package cli

import (
	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/render"
)

const signalsLong = `Prints for each process and each thread every signal that is not in its default
state: ignored, caught, blocked, waited for (sigwait, signalfd) or pending.`

// listing is `whystuck signals`.
type listing struct {
	*app
	question
	format
}

func newSignals(a *app) *cobra.Command {
	l := &listing{app: a, question: question{everything: true}}
	cmd := &cobra.Command{
		Use:                   "signals CONTAINER... (or --pid PID, --from FILE)",
		Short:                 "list what every process does with every signal",
		Long:                  signalsLong,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     a.completeNames(&l.question),
		RunE:                  l.run,
	}
	l.question.addTo(cmd.Flags())
	l.question.addFromTo(cmd.Flags())
	l.format.addLooksTo(cmd.Flags())
	cmd.Flags().BoolVar(&l.format.json, "json", false, "print the evidence as JSON, like capture")
	return cmd
}

func (l *listing) run(cmd *cobra.Command, args []string) error {
	if err := l.format.check(); err != nil {
		return err
	}
	if err := l.question.check(cmd, args); err != nil {
		return err
	}
	s, err := l.snapshot(cmd)
	if err != nil {
		return err
	}
	if l.format.json {
		return l.hand(s)
	}
	code := l.report(s.Errors)
	if len(s.Targets) > 0 {
		if err := render.Signals(l.Out, s, l.renderOptions(&l.format)); err != nil {
			return err
		}
	}
	return exitWith(code)
}

func (l *listing) snapshot(cmd *cobra.Command) (*evidence.Snapshot, error) {
	if l.from != "" {
		return l.readCapture(&l.question)
	}
	return l.look(cmd.Context(), &l.question), nil
}
