// Command bench holds whystuck's time and memory against those of the commands
// that a person would type instead: docker inspect, docker top and ps, each a
// whole process, side by side in one run, on a host with few and with many
// sleeping processes.
//
// The processes live in a few containers of a private engine that is gone
// afterwards. It is not for the speed of single functions.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

// crowds is in how many containers the sleeping processes live.
const crowds = 4

type options struct {
	whystuck  string
	runs      int
	few, many int
}

func main() {
	var o options
	flag.StringVar(&o.whystuck, "whystuck", "./whystuck", "the program to measure")
	flag.IntVar(&o.runs, "n", 21, "rounds; each runs every command once")
	flag.IntVar(&o.few, "few", 200, "sleeping processes in the first half")
	flag.IntVar(&o.many, "many", 5000, "sleeping processes in the second half")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	for _, what := range []string{"root", "docker"} {
		if err := bed.Missing(what); err != nil {
			return fmt.Errorf("needs %s: %w", what, err)
		}
	}
	program, err := filepath.Abs(o.whystuck)
	if err != nil {
		return err
	}
	dir, err := bed.TempDir()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	started, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	d, err := bed.NewDaemon(started, dir)
	if err != nil {
		return err
	}
	defer d.Stop()
	if err := furnish(ctx, d); err != nil {
		return err
	}
	few, err := half(ctx, d, program, o.few/crowds, o.runs)
	if err != nil {
		return err
	}
	many, err := half(ctx, d, program, (o.many-o.few)/crowds, o.runs)
	if err != nil {
		return err
	}
	fmt.Print(table(o, few, many))
	return nil
}

// Names of the containers that are asked about one at a time.
const (
	plain   = "bench-plain"   // /proc alone settles it: the default action at PID 1
	handler = "bench-handler" // an unknown program's handler: the kernel is asked too
)

// furnish makes the image and the containers that both halves look at.
func furnish(ctx context.Context, d *bed.Daemon) error {
	siglab, err := bed.BuildStatic(ctx)
	if err != nil {
		return err
	}
	if err := d.Import(ctx, "bench", map[string]string{"/siglab": siglab}); err != nil {
		return err
	}
	for name, mode := range map[string]string{plain: "default", handler: "exit"} {
		if _, err := d.Run(ctx, "--name", name, "bench", "/siglab", mode); err != nil {
			return err
		}
	}
	return nil
}

// half adds a crowd of crowds*each processes and measures everything beside it.
func half(ctx context.Context, d *bed.Daemon, program string, each, runs int) (map[string]result, error) {
	for range crowds {
		if _, err := d.Run(ctx, "bench", "/siglab", "-n", fmt.Sprint(each), "sleepers"); err != nil {
			return nil, err
		}
	}
	time.Sleep(2 * time.Second) // until the crowd has gone to sleep
	return measure(ctx, commands(program), d.Env(), runs)
}
