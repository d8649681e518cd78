package imagetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestElsewhere: an engine behind tcp whose processes are not ours to look at, as
// docker-in-docker and Docker Desktop are: in a PID namespace of its own, so that
// its PIDs are others here. It is read, run, stopped and observed by the API alone.
func TestElsewhere(t *testing.T) {
	bed.Require(t, "root", "docker", "gcc", "unshare")
	address := engineElsewhere(t)
	l := newLab(t)
	l.env = append(l.env, "DOCKER_HOST="+address)
	l.image(t, "good", `ENTRYPOINT ["/siglab", "exit"]`)
	l.image(t, "bad", `ENTRYPOINT ["/siglab", "default"]`)
	l.image(t, "gone", `ENTRYPOINT ["/sick.sh"]`)
	l.image(t, "mark", `ENTRYPOINT ["/mark.sh"]`)
	for _, c := range []struct {
		image   string
		args    []string
		outcome diagnose.Verdict // observed
		exit    int
		code    int
	}{
		{"good", nil, diagnose.Stops, 0, 0},
		{"bad", []string{"--stop-timeout", "2"}, diagnose.Killed, 137, 1},
		{"gone", nil, "", 3, 1},
		{"mark", []string{"--ready-cmd", "test -e /tmp/up"}, diagnose.Stops, 0, 0},
		{"good", []string{"--ready-log", "READY"}, diagnose.Stops, 0, 0},
		{"good", []string{"--ready-port", "80"}, diagnose.Stops, 0, 1}, // cannot be looked at
	} {
		t.Run(c.image+strings.Join(c.args, ""), func(t *testing.T) {
			got, a := l.one(t, append(c.args, c.image)...)
			if a.code != c.code {
				t.Errorf("exit code %d, want %d: %s, %v\n%s", a.code, c.code, got.Headline, codes(got), a.stderr)
			}
			if c.outcome == "" {
				if got.Startup == nil || got.Startup.Ready || !slices.Contains(codes(got), "WS530") || got.ExitCode == nil || *got.ExitCode != c.exit {
					t.Errorf("%+v, %v", got.Startup, codes(got))
				}
				return
			}
			if got.Verdict != diagnose.Unknown || got.Agreed != nil {
				t.Errorf("foretold %s (%s), agreed %v: want unknown", got.Verdict, got.Confidence, got.Agreed)
			}
			if !slices.Contains(codes(got), "WS305") {
				t.Errorf("no WS305 says why: %v", codes(got))
			}
			if o := got.Observed; o == nil || o.Outcome != string(c.outcome) || o.ExitCode == nil || *o.ExitCode != c.exit || o.AfterSeconds == nil {
				t.Errorf("observed %+v, want %s with %d", o, c.outcome, c.exit)
			}
		})
	}
	l.nothingLeft(t)
}

// engineElsewhere has the next private engine run in a PID namespace of its own and
// listen on tcp too, by a dockerd in front of the real one. It gives the address.
func engineElsewhere(t *testing.T) string {
	t.Helper()
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + free.Addr().String()
	_ = free.Close()
	dir := t.TempDir()
	// unshare itself takes no SIGTERM; its child, the engine, is told by the shell.
	script := fmt.Sprintf(`#!/bin/sh
unshare --pid --fork --kill-child --mount-proc %s -H %s --tls=false "$@" &
unshare=$!
trap 'kill $(cat /proc/$unshare/task/$unshare/children)' TERM
wait $unshare
wait $unshare
`, dockerd, address)
	if err := os.WriteFile(filepath.Join(dir, "dockerd"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return address
}
