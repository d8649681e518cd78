package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/docs"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:                   "explain [CODE]",
		Short:                 "print the page of a finding (WS104), a runbook (slow-stop) or a guide (entrypoint, podman), or list them",
		DisableFlagsInUseLine: true,
		Args:                  atMost(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return docs.Codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listPages()
			}
			return a.printPage(args[0])
		},
	}
}

func (a *app) listPages() error {
	var b strings.Builder
	for _, code := range docs.Codes() {
		fmt.Fprintf(&b, "%-18s %s\n", code, docs.Title(code))
	}
	_, err := fmt.Fprint(a.Out, b.String())
	return err
}

func (a *app) printPage(asked string) error {
	for _, code := range []string{asked, strings.ToUpper(asked), strings.ToLower(asked)} {
		if page, ok := docs.Page(code); ok {
			_, err := fmt.Fprintln(a.Out, strings.TrimRight(page, "\n"))
			return err
		}
	}
	return usagef("there is no page %.40q; whystuck explain lists them", asked)
}

// atMost is cobra.MaximumNArgs with our exit code.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("usage: %s", cmd.UseLine())
		}
		return nil
	}
}
