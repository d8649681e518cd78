// Command demo shows in a few seconds what whystuck does: it starts a program
// that `docker stop` cannot end, and has whystuck say why.
//
// With a reachable Docker engine that program is a container, from an image made
// here (no registry). Without one, or with WHYSTUCK_DEMO=pidns, it is PID 1 of a
// new PID namespace, which is all that a container is to a signal. Whatever
// happens, also on Ctrl-C, nothing of it stays.
//
// It needs nothing but Go: the program is written as machine code (elf.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	// The namespace's program ends with the thread that started it (pidns.go).
	runtime.LockOSThread()
	bin := flag.String("whystuck", os.Getenv("WHYSTUCK_BIN"), "the `program` to show; built when empty")
	flag.Parse()
	// Ctrl-C ends what runs now; the context stays caught until all is cleared away.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *bin, os.Getenv("WHYSTUCK_DEMO")); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run shows one of the two forms. mode is "" (Docker if there is one), "docker"
// or "pidns".
func run(ctx context.Context, bin, mode string) error {
	dir, err := os.MkdirTemp("", "whystuck-demo")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	d := demo{whystuck: bin, dir: dir}
	if bin == "" {
		if err := d.build(ctx); err != nil {
			return err
		}
	}
	if d.elf, err = program(runtime.GOARCH); err != nil {
		return err
	}
	switch mode {
	case "pidns":
		return d.pidns(ctx)
	case "docker":
		return d.docker(ctx)
	case "":
	default:
		return fmt.Errorf("WHYSTUCK_DEMO=%s: want docker or pidns", mode)
	}
	err = d.docker(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	step("not with Docker (%v): the same in a PID namespace", err)
	return d.pidns(ctx)
}

// demo is what both forms need.
type demo struct {
	whystuck string // the program's path
	dir      string // for files; removed at the end
	elf      []byte // the program that does not stop
}

// programName is what the program is called wherever it shows up.
const programName = "never-stops"

func (d *demo) build(ctx context.Context) error {
	d.whystuck = filepath.Join(d.dir, "whystuck")
	step("go build ./cmd/whystuck")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", d.whystuck, "github.com/whystuck/whystuck/cmd/whystuck")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building whystuck: %w", err)
	}
	return nil
}

// diagnose runs whystuck for the reader. 1 is the answer that the demo is about:
// it will not stop cleanly.
func (d *demo) diagnose(ctx context.Context, args ...string) error {
	// A program that has just started may not have set up its signals yet, and
	// whystuck would rightly be less sure.
	select {
	case <-time.After(1500 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	step("whystuck %s", strings.Join(args, " "))
	fmt.Println()
	cmd := exec.CommandContext(ctx, d.whystuck, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	fmt.Println()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil
	}
	return fmt.Errorf("whystuck ended with %v, want exit status 1: will not stop cleanly", err)
}

// step tells the reader what is done now.
func step(format string, args ...any) {
	fmt.Printf("» "+format+"\n", args...)
}
