package cli

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
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
	s := &smoke.Smoker{Engine: e, Look: t.looker(), Options: t.options, Output: t.Err, Complain: t.complain, Now: t.Now}
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
	// First, so that the files of --report tell of a mistake in the others too.
	if err := t.format.check(); err != nil {
		return nil, err
	}
	if t.format.text = render.Image; t.static.only {
		t.format.text = render.Static
	}
	t.app.unwritten, t.format.bad = &t.format, func(c *diagnose.Container) bool { return t.codeOfOne(*c) == exitTrouble }
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
