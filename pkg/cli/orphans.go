package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

const orphansLong = `Finds what lives on this host of containers that Docker has forgotten or takes for
ended: processes, shims, the runtime's state. Each with what keeps it, how old it
is, and how to remove it. It only prints; it removes nothing.

What belongs to another engine on this host is no orphan. Where the engine does
not answer, its files do. It needs root: only root sees whose a process is.

Exit codes: 0 none · 1 there are some · 4 neither the engine nor its files can be
read.`

// search is `whystuck orphans`.
type search struct {
	*app
	question
	format
}

func newOrphans(a *app) *cobra.Command {
	s := &search{app: a}
	cmd := &cobra.Command{
		Use:                   "orphans [--json]",
		Short:                 "find what Docker has forgotten, and still lives",
		Long:                  orphansLong,
		Args:                  atMost(0),
		DisableFlagsInUseLine: true,
		RunE:                  s.run,
	}
	cmd.Flags().SortFlags = false
	s.question.addEngineTo(cmd.Flags())
	s.format.addTo(cmd.Flags())
	return cmd
}

func (s *search) run(cmd *cobra.Command, _ []string) error {
	s.app.json = s.format.json || s.format.template == "json"
	if err := s.format.check(); err != nil {
		return err
	}
	q := s.lookQuestion(&s.question)
	q.Orphans = true
	seen := s.looker().Look(cmd.Context(), q)
	r := diagnose.Judge(seen, diagnose.Options{Version: s.version()})
	code := exitClean
	for _, e := range r.Errors {
		code = worse(code, e.ExitCode)
	}
	switch left := seen.Leftovers; {
	case len(r.Containers) > 0:
		code = worse(code, exitTrouble)
	case left != nil && !s.quiet && !s.format.json && s.template == "":
		fmt.Fprintf(s.Out, "no orphans: looked at %d processes and %d containers\n", left.Processes, left.Containers)
		if len(r.Host.Findings) == 0 {
			return exitWith(code)
		}
	}
	return exitWithAnswer(code, s.answer(r, &s.format))
}
