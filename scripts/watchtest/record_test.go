package watchtest

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

var record = flag.Bool("record", false, "write the engine's events of some stops to pkg/watch/testdata")

// TestRecord writes the event sequences that the tests of pkg/watch replay.
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("-record writes pkg/watch/testdata")
	}
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	type command = []string
	for _, r := range []struct {
		name     string
		run      []string
		commands []command
		settle   time.Duration
	}{
		{"stop-handled", []string{"lab", "exit"}, []command{{"stop", "web"}}, 0},
		{"stop-ignored", []string{"lab", "ign"}, []command{{"stop", "-t", "1", "web"}}, 0},
		{"stop-other-code", []string{"lab", "exit143"}, []command{{"stop", "web"}}, 0},
		{"kill", []string{"lab", "default"}, []command{{"kill", "web"}}, 0},
		{"kill-hup", []string{"lab", "default"}, []command{{"kill", "-s", "HUP", "web"}, {"stop", "-t", "1", "web"}}, 0},
		{"rm-force", []string{"lab", "default"}, []command{{"rm", "-f", "web"}}, 0},
		{"stop-auto-remove", []string{"--rm", "lab", "exit"}, []command{{"stop", "web"}}, 0},
		{"restart", []string{"lab", "exit"}, []command{{"restart", "web"}}, 0},
		{"stop-and-start", []string{"lab", "exit"}, []command{{"stop", "web"}, {"start", "web"}}, 0},
		{"came-back", []string{"--restart", "always", "--stop-signal", "QUIT", "lab", "exit"}, []command{{"kill", "-s", "TERM", "web"}}, time.Second},
		{"crash", []string{"--restart", "on-failure:1", "lab", "no-such-mode"}, nil, 2 * time.Second},
		{"stop-twice", []string{"lab", "slow"}, []command{{"stop", "-t", "9", "web"}, {"stop", "web"}}, 0},
		{"stop-paused", []string{"lab", "exit"}, []command{{"pause", "web"}, {"stop", "web"}}, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cmd := exec.CommandContext(ctx, "docker", "events", "--format", "{{json .}}", "--filter", "type=container")
			out, err := os.Create(filepath.Join("../../pkg/watch/testdata", r.name+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd.Env, cmd.Stdout = d.Env(), out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			run(t, d, "web", r.run...)
			time.Sleep(500 * time.Millisecond)
			for _, c := range r.commands {
				docker(t, d, c...)
			}
			time.Sleep(r.settle + 300*time.Millisecond)
			d.Docker(t.Context(), "rm", "-f", "web")
			time.Sleep(300 * time.Millisecond)
			cancel()
			_ = cmd.Wait()
		})
	}
}
