package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/engine"
)

const completionLong = `Prints the completion script of a shell:

  bash   source <(whystuck completion bash)
  zsh    whystuck completion zsh > "${fpath[1]}/_whystuck"
  fish   whystuck completion fish | source

Names of running containers are completed. One that is named like a command is
offered as /NAME.`

func newCompletion(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:                   "completion bash|zsh|fish",
		Short:                 "print the completion script of a shell",
		Long:                  completionLong,
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return usagef("usage: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "zsh":
				return root.GenZshCompletion(a.Out)
			case "fish":
				return root.GenFishCompletion(a.Out, true)
			default:
				return root.GenBashCompletionV2(a.Out, true)
			}
		},
	}
}

// completionDeadline is what a person waits for after pressing TAB.
const completionDeadline = time.Second

// completeNames offers the running containers that are not named yet.
func (a *app) completeNames(q *question) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionDeadline)
		defer cancel()
		e, err := engine.Open(ctx, a.engineOptions(q))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer func() { _ = e.Close() }()
		names, err := e.Names(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offered(cmd, names, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// offered leaves out what stands on the line and writes a name that would be
// taken for a command with its slash.
func offered(cmd *cobra.Command, names, args []string) []string {
	var out []string
	for _, name := range names {
		if slices.Contains(args, name) || slices.Contains(args, "/"+name) {
			continue
		}
		if isCommand(cmd, name) {
			name = "/" + name
		}
		out = append(out, name)
	}
	return out
}

// isCommand: as the first word after the program's name it means something else.
func isCommand(cmd *cobra.Command, name string) bool {
	if cmd != cmd.Root() {
		return false
	}
	for _, sub := range cmd.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return true
		}
	}
	return name == "help"
}
