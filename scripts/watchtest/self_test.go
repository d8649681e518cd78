package watchtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestAsPID1 runs the watcher as the image of scripts/fleet/Containerfile, in the
// host's PID namespace and in one of its own, and has whystuck judge it: it must
// pass its own test. Then it is stopped.
func TestAsPID1(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	// Not from a Containerfile: there is no builder here. The layers are the same.
	if err := d.Import(t.Context(), "whystuck", map[string]string{"/whystuck": l.binary}, `ENTRYPOINT ["/whystuck"]`, `CMD ["watch"]`); err != nil {
		t.Fatal(err)
	}
	socket := strings.TrimPrefix(d.Host(), "unix://") + ":/var/run/docker.sock"
	common := []string{"--read-only", "--cap-drop", "ALL", "-v", socket}
	caps := []string{"--cap-add", "SYS_PTRACE", "--cap-add", "DAC_READ_SEARCH", "--pid", "host", "--cgroupns", "host"}
	run(t, d, "self", append(append(common, caps...), "whystuck", "watch", "--json")...)
	run(t, d, "own", append(common, "whystuck")...)
	// As PID 1 of its own namespace it has to take in what its commands leave.
	run(t, d, "reaper", append(common, "-v", l.siglab+":/siglab:ro", "whystuck", "watch", "--exec", "/siglab zombies", "--exec-timeout", "1s")...)
	run(t, d, "deaf", "lab", "ign")
	ready(t, d, "deaf")
	time.Sleep(time.Second)
	docker(t, d, "stop", "-t", "2", "deaf")

	var told []watch.Report
	if !bed.Eventually(5*time.Second, func() bool {
		told = nil
		for line := range strings.Lines(docker(t, d, "logs", "self")) {
			var r watch.Report
			if json.Unmarshal([]byte(line), &r) == nil && r.Container != nil && r.Container.Name == "deaf" {
				told = append(told, r)
			}
		}
		return len(told) == 2 && strings.Contains(docker(t, d, "logs", "own"), "deaf: killed by SIGKILL")
	}) {
		t.Fatalf("deaf was told of as %+v; own says:\n%s", told, docker(t, d, "logs", "own"))
	}
	if v := told[0].Diagnosis; v == nil || v.Verdict != diagnose.Killed || v.Confidence != diagnose.Certain {
		t.Errorf("the diagnosis from inside a container: %+v, %s", v, told[0].DiagnosisNote)
	}

	reaper := docker(t, d, "inspect", "-f", "{{.State.Pid}}", "reaper")
	zombies := func() int {
		n := 0
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, file := range stats {
			b, _ := os.ReadFile(file)
			if _, rest, ok := strings.Cut(string(b), "(siglab) Z "); ok && strings.HasPrefix(rest, reaper+" ") {
				n++
			}
		}
		return n
	}
	if !bed.Eventually(5*time.Second, func() bool {
		_, complaints, _ := d.Docker(t.Context(), "logs", "reaper")
		return strings.Contains(complaints, "did not end within 1s") && zombies() == 0
	}) {
		t.Errorf("%d children of the command are left in its container", zombies())
	}

	for _, name := range []string{"self", "own", "reaper"} {
		cmd := exec.CommandContext(t.Context(), l.binary, "--json", name)
		cmd.Env = d.Env()
		out, err := cmd.Output()
		var r diagnose.Report
		if err := json.Unmarshal(out, &r); err != nil || len(r.Containers) != 1 {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if c := r.Containers[0]; err != nil || c.Verdict != diagnose.Stops {
			t.Errorf("whystuck says of %s: %s, %s: %s (%v)", name, c.Verdict, c.Confidence, c.Headline, err)
		} else {
			t.Logf("whystuck says of %s: %s, %s: %s", name, c.Verdict, c.Confidence, c.Headline)
		}
		start := time.Now()
		docker(t, d, "stop", name)
		took := time.Since(start)
		if code := docker(t, d, "inspect", "-f", "{{.State.ExitCode}}", name); took > time.Second || code != "0" {
			t.Errorf("docker stop %s took %s, exit code %s", name, took, code)
		}
		t.Logf("docker stop %s took %s", name, took.Round(time.Millisecond))
	}
}
