package cli

import (
	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const captureLong = `Writes the evidence of one or many containers as JSON, to be judged elsewhere
with "whystuck --from FILE". Environment values are not recorded, except the few
that inits read (TINI_..., S6_..., DUMB_INIT_SETSID).

--redact takes out argument lists, paths and trap texts as well; the verdict
stays the same, names of containers, images and processes stay.`

func newCapture(a *app) *cobra.Command {
	q := question{everything: true}
	redact := false
	cmd := &cobra.Command{
		Use:                   "capture CONTAINER... (or --all, --pid PID) > FILE",
		Short:                 "write the evidence as JSON, to be judged elsewhere",
		Long:                  captureLong,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     a.completeNames(&q),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.check(cmd, args); err != nil {
				return err
			}
			s := a.look(cmd.Context(), &q)
			if redact {
				evidence.Redact(s)
			}
			return a.hand(s)
		},
	}
	q.addTo(cmd.Flags())
	cmd.Flags().BoolVar(&redact, "redact", false, "take out argument lists, paths and trap texts")
	return cmd
}

// hand writes a snapshot as JSON and ends with the code of its errors.
func (a *app) hand(s *evidence.Snapshot) error {
	code := a.report(s.Errors)
	a.wrote = true
	if err := evidence.Write(a.Out, s); err != nil {
		return err
	}
	return exitWith(code)
}

// report says each error in a line and gives the code of all of them.
func (a *app) report(errors []evidence.TargetError) int {
	code := exitClean
	for _, e := range errors {
		a.complain(e.Message)
		code = worse(code, e.ExitCode)
	}
	return code
}
