// Truth holds what whystuck says against what `docker stop` really does, over
// some hundred containers of the programs that people run: `make truth`.
//
// Each container is started in a private engine, looked at three times (as root
// with all evidence, with /proc alone, and as a user of the docker group), and
// then really stopped. It prints where prediction and fact differ, writes
// truth.json, and fails when a verdict that was called certain or likely is
// wrong.
//
// It is no part of the program, and no test of its parts: those are beside
// them. It needs root, an installed Docker, debootstrap and a Debian mirror.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// options are the command line.
type options struct {
	run      *regexp.Regexp
	group    string
	list     bool
	heavy    bool
	predict  bool
	parallel int
	out      string
	record   string
	binary   string
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("truth", flag.ContinueOnError)
	pattern := f.String("run", "", "only the cases whose name matches this `regexp`")
	f.StringVar(&o.group, "group", "", "only the cases of these `groups`, comma-separated")
	f.BoolVar(&o.list, "list", false, "print the cases and end")
	f.BoolVar(&o.heavy, "heavy", false, "also the cases that need large runtimes")
	f.BoolVar(&o.predict, "predict", true, "ask whystuck; otherwise only measure")
	f.IntVar(&o.parallel, "parallel", 12, "`cases` at a time")
	f.StringVar(&o.out, "out", "build/truth", "`directory` for truth.json and the reports of the misses")
	f.StringVar(&o.record, "record", "", "also write each look as a capture into this `directory`")
	f.StringVar(&o.binary, "whystuck", "", "the `program` to ask (default: built from ./cmd/whystuck)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	var err error
	o.run, err = regexp.Compile(*pattern)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected arguments %q", f.Args())
	}
	return o, err
}

// chosen are the cases that the options ask for.
func (o options) chosen(all []cases.Case) []cases.Case {
	var some []cases.Case
	for _, c := range all {
		if o.run.MatchString(c.Name) && (o.heavy || !c.Heavy) &&
			(o.group == "" || strings.Contains(","+o.group+",", ","+c.Group+",")) {
			some = append(some, c)
		}
	}
	return some
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	wrong, err := truth(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(2)
	}
	if wrong {
		os.Exit(1)
	}
}

// truth does it all; wrong says that a sure verdict was wrong or a case failed.
func truth(ctx context.Context, o options) (wrong bool, err error) {
	all := cases.All()
	guide, err := guideCases("docs/guides/entrypoints.md")
	if err != nil {
		return false, err
	}
	all = append(all, guide...)
	if err := cases.Check(all); err != nil {
		return false, err
	}
	chosen := o.chosen(all)
	if o.list {
		for _, c := range chosen {
			fmt.Printf("%-12s %-36s %s\n", c.Group, c.Name, oneLine(c))
		}
		fmt.Println(len(chosen), "cases")
		return false, nil
	}
	if o.record != "" {
		if err := os.MkdirAll(o.record, 0o755); err != nil {
			return false, fmt.Errorf("making the directory for the captures: %w", err)
		}
	}
	started := time.Now()
	b, err := prepare(ctx, o, all)
	if err != nil {
		return false, err
	}
	defer b.close()
	ready := time.Now()
	results := b.runAll(ctx, chosen)
	if err := ctx.Err(); err != nil {
		return false, err
	}
	t := Truth{
		Engine:         b.engine.Version(ctx),
		PrepareSeconds: seconds(ready.Sub(started)),
		RunSeconds:     seconds(time.Since(ready)),
		Results:        results,
	}
	t.summarize()
	if err := t.write(o.out); err != nil {
		return false, err
	}
	t.print(os.Stdout)
	return t.Summary.Failed, nil
}

// oneLine is how a case would be typed after docker run.
func oneLine(c cases.Case) string {
	s := strings.Join(c.Command, " ")
	if len(c.Options) > 0 {
		s = strings.Join(c.Options, " ") + " :: " + s
	}
	return strings.ReplaceAll(s, "\n", " ")
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
