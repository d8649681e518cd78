package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

// The container runs while whystuck is asked, and nothing stays: not when all
// went well, not when whystuck failed, not on Ctrl-C in the middle.
func TestDocker(t *testing.T) {
	engine := bed.StartDaemon(t)
	t.Setenv("DOCKER_HOST", engine.Host())
	elf, err := program(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		name, script string
		ok           bool
	}{
		{"diagnosed", "docker inspect -f '{{.State.Running}}' $1 | grep -q true && exit 1; exit 9", true},
		{"whystuck fails", "exit 4", false},
		{"interrupted", "exec sleep 60", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			d := demo{whystuck: filepath.Join(dir, "whystuck"), dir: dir, elf: elf}
			if err := os.WriteFile(d.whystuck, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.name == "interrupted" {
				time.AfterFunc(6*time.Second, cancel)
			}
			err := d.docker(ctx)
			if (err == nil) != c.ok {
				t.Errorf("the demo ended with %v", err)
			}
			if c.name == "interrupted" && !errors.Is(err, context.Canceled) {
				t.Errorf("not told as interrupted: %v", err)
			}
			for _, list := range [][]string{{"ps", "-aq"}, {"images", "-q"}} {
				if out, _, code := engine.Docker(t.Context(), list...); out != "" || code != 0 {
					t.Errorf("docker %v: %q is left", list, out)
				}
			}
		})
	}
}
