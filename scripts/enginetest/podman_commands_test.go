package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestPodmanCommands has the commands besides the judgement at Podman's socket.
func TestPodmanCommands(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "podman", "conmon", "setpriv")
	l := &lab{binary: bed.Whystuck(t)}
	d := podmanEngine(t, bed.Options{Wrap: dropKill}) // some may not be signalled
	told := l.podmanWatch(t, d)
	l.podmanStops(t, d)
	l.podmanCapture(t, d)
	l.podmanImage(t, d)
	told()
}

// whystuck runs any command and gives its exit code and output.
func (l *lab) whystuck(t *testing.T, d *bed.Daemon, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Env, cmd.WaitDelay = d.Env(), time.Second
	b, _ := cmd.Output()
	if ctx.Err() != nil {
		t.Fatalf("whystuck %v does not come back", args)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// podmanStops: whystuck stop sees what it has foreseen, also without a stop signal
// and where each is denied.
func (l *lab) podmanStops(t *testing.T, d *bed.Daemon) {
	drop := []string{"--cap-drop", "KILL"}
	for _, c := range []struct {
		name    string
		run     []string
		flags   []string
		outcome diagnose.Verdict
	}{
		{"ends", append(drop, podmanImage, "exit"), []string{"-t", "5"}, diagnose.Stops},
		{"at-once", append(drop, podmanImage, "exit"), nil, diagnose.Abrupt},
		{"killed", append(drop, podmanImage, "ign"), []string{"-t", "3"}, diagnose.Killed},
		{"denied", append(drop, "--user", "1000", podmanImage, "exit"), []string{"-t", "1"}, diagnose.Refused},
		{"denied-at-once", append(drop, "--user", "1000", podmanImage, "exit"), []string{"-t", "0"}, diagnose.Refused},
	} {
		pid := l.run(t, d, c.name, c.run...)
		_, out := l.whystuck(t, d, append(append([]string{"stop", "--json"}, c.flags...), c.name)...)
		var r diagnose.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Containers) != 1 || r.Containers[0].Observed == nil {
			t.Errorf("%s: %v: %s", c.name, err, out)
			continue
		}
		got := r.Containers[0]
		if got.Observed.Outcome != string(c.outcome) || got.Agreed == nil || !*got.Agreed {
			t.Errorf("%s: observed %s, want %s; agreed %v, %+v", c.name, got.Observed.Outcome, c.outcome, got.Agreed, got.Observed)
		}
		if c.outcome == diagnose.Refused { // the engine cannot end it, the test can
			l.freed(t, d, c.name, pid)
		}
	}
}

// freed ends what the engine may not.
func (l *lab) freed(t *testing.T, d *bed.Daemon, name string, pid int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "podman", "--root", d.DataRoot(), "--runroot", d.ExecRoot(), "stop", "-t", "1", name)
	if out, err := cmd.CombinedOutput(); err != nil || state(pid) != "" {
		t.Errorf("podman stop %s: %v: %s", name, err, out)
	}
}

// podmanCapture: a capture of Podman's is judged elsewhere as it is here, also when
// it was redacted.
func (l *lab) podmanCapture(t *testing.T, d *bed.Daemon) {
	l.run(t, d, "kept", "--cap-drop", "KILL", podmanImage, "ign")
	for _, flags := range [][]string{{"capture"}, {"capture", "--redact"}} {
		code, capture := l.whystuck(t, d, append(flags, "kept")...)
		cmd := exec.CommandContext(t.Context(), l.binary, "--json", "--from", "-", "-t", "3")
		cmd.Stdin = strings.NewReader(capture)
		out, _ := cmd.Output()
		var r diagnose.Report
		if err := json.Unmarshal(out, &r); err != nil || code != 0 || len(r.Containers) != 1 || r.Containers[0].Verdict != diagnose.Killed {
			t.Errorf("%v: exit %d, %v: %s", flags, code, err, out)
		}
	}
}

// podmanImage: an image is tried out with the time that podman run gives, and
// nothing is left.
func (l *lab) podmanImage(t *testing.T, d *bed.Daemon) {
	code, out := l.whystuck(t, d, "image", "--json", "--ready-after", "500ms", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4000:4000",
		"--cap-drop", "KILL", podmanImage, "--", "exit")
	var r diagnose.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || len(r.Containers) != 1 || r.Containers[0].Stop.TimeoutSeconds != 10 || r.Containers[0].Observed.Outcome != string(diagnose.Stops) {
		t.Errorf("image: exit %d, %v: %s", code, err, out)
	}
	if left := l.docker(t, d, "ps", "-aq", "--filter", "name=whystuck-image"); left != "" {
		t.Errorf("image left %s", left)
	}
}

// podmanWatch follows all that the others do. A stop is seen in Podman's list, once
// a second; the returned function holds what was told.
func (l *lab) podmanWatch(t *testing.T, d *bed.Daemon) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, l.binary, "watch", "--json")
	cmd.Env, cmd.WaitDelay = d.Env(), time.Second
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // it has the list, and the stream is open
	return func() {
		time.Sleep(1500 * time.Millisecond)
		cancel()
		_ = cmd.Wait() // by our signal
		var told []string
		for line := range strings.Lines(out.String()) {
			var r struct {
				Kind, Command, Outcome string
				Container              struct{ Name string }
			}
			if json.Unmarshal([]byte(line), &r) == nil {
				told = append(told, strings.Join([]string{r.Kind, r.Container.Name, r.Command, r.Outcome}, " "))
			}
		}
		if text := strings.Join(told, "\n"); !strings.Contains(text, "ended killed stop killed") {
			t.Errorf("%s: watch told\n%s", filepath.Base(t.Name()), text)
		}
	}
}
