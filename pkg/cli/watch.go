package cli

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/watch"
)

const watchLong = `Follows the engine's events and tells of every docker stop and docker kill:
how it ended, and while it still hangs, at its timeout, ten seconds later and when
the engine has given up, with the diagnosis taken at that moment. It also tells what
ended in SIGKILL, what came back by its restart policy, and, with --scan-every, which
containers would not stop cleanly before anybody tries.

It survives restarts of the engine: what happened meanwhile is told once, marked as
reconciled. It sends no signal to any container.

--exec runs a command for each report that is trouble, with the report as JSON on its
standard input and WHYSTUCK_KIND, WHYSTUCK_CONTAINER, WHYSTUCK_STAGE, WHYSTUCK_OUTCOME,
WHYSTUCK_HEADLINE and others in its environment. There is no shell unless you name one.`

const watchExample = `  whystuck watch                                every stop, as text
  whystuck watch --json web db                  of two containers, one JSON object a line
  whystuck watch --exec "/usr/local/bin/page"   tell somebody
  whystuck watch --scan-every 5m -q --metrics 127.0.0.1:9869
  whystuck watch -q --textfile /var/lib/node_exporter/textfile_collector/whystuck.prom`

// watching is the watch command.
type watching struct {
	*app
	question
	format
	exec        string
	execTimeout time.Duration
	scanEvery   time.Duration
	silentAfter time.Duration
	metrics     string
	textfile    string
}

func newWatch(a *app) *cobra.Command {
	w := &watching{app: a}
	cmd := &cobra.Command{
		Use:                   "watch [CONTAINER...]",
		Short:                 "follow the engine and tell of stops that hang",
		Long:                  watchLong,
		Example:               watchExample,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     a.completeNames(&w.question),
		RunE:                  w.run,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&w.format.json, "json", false, "print each report as one line of JSON")
	f.BoolVarP(&w.quiet, "quiet", "q", false, "print no reports")
	f.StringVar(&w.exec, "exec", "", "run this `command` for each report that is trouble")
	f.DurationVar(&w.execTimeout, "exec-timeout", 30*time.Second, "kill the command of --exec after this time")
	f.DurationVar(&w.scanEvery, "scan-every", 0, "judge all running containers every so often (default: never; with metrics 5m)")
	f.StringVar(&w.metrics, "metrics", "", "serve numbers for Prometheus at this `address` (127.0.0.1:9869)")
	f.StringVar(&w.textfile, "textfile", "", "write numbers for node exporter to this `file` (NAME.prom)")
	f.DurationVar(&w.silentAfter, "silent-after", 5*time.Second, "tell that the engine does not answer after this time")
	w.question.addEngineTo(f)
	w.format.addLooksTo(f)
	completeWords(cmd, "color", "auto", "always", "never")
	return cmd
}

func (w *watching) run(cmd *cobra.Command, names []string) error {
	if err := w.format.check(); err != nil {
		return err
	}
	var argv []string
	if cmd.Flags().Changed("exec") {
		var err error
		if argv, err = watch.SplitWords(w.exec); err != nil {
			return usagef("--exec %q: %w", w.exec, err)
		}
		if _, err := exec.LookPath(argv[0]); err != nil {
			return usagef("--exec: %w", err)
		}
	}
	if w.execTimeout <= 0 || w.scanEvery < 0 || w.silentAfter <= 0 {
		return usagef("--exec-timeout and --silent-after must be above 0, --scan-every 0 or more")
	}
	if w.textfile != "" {
		if err := watch.CheckTextfile(w.textfile); err != nil {
			return usagef("--textfile: %w", err)
		}
	}
	if (w.metrics != "" || w.textfile != "") && !cmd.Flags().Changed("scan-every") {
		w.scanEvery = scanForMetrics
	}
	return w.follow(cmd, names, argv)
}

// scanForMetrics is how often verdicts are renewed where metrics are asked for.
const scanForMetrics = 5 * time.Minute

// follow watches until SIGINT or SIGTERM, which is a clean end: exit code 0.
func (w *watching) follow(cmd *cobra.Command, names, argv []string) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := &outlets{watching: w, stop: stop}
	defer o.close()
	o.open(argv)
	looker := w.looker()
	looker.Seen = nil // looks are taken side by side
	opt := watch.Options{
		Version: w.version(), Names: names, EngineOptions: w.engineOptions(&w.question), Looker: looker,
		ScanEvery: w.scanEvery, SilentAfter: w.silentAfter, Tell: o.tell, Complain: o.complain,
	}
	if w.metrics != "" || w.textfile != "" {
		opt.Metrics = watch.NewMetrics(w.version())
	}
	watcher, err := watch.New(ctx, opt)
	if err != nil {
		return err
	}
	if err := o.expose(ctx, opt.Metrics, watcher); err != nil {
		return &failure{exitUsage, err}
	}
	watcher.Run(ctx)
	return o.failed()
}
