package watchtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestTroubles: the graceful exit that was lost, what came back, and what a
// command is told of them.
func TestTroubles(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	dir := t.TempDir()
	script := filepath.Join(dir, "told")
	// One line of facts, and the report, for each call.
	body := "#!/bin/sh\ncd " + dir + "\necho \"$WHYSTUCK_KIND|$WHYSTUCK_CONTAINER|$WHYSTUCK_STAGE|$WHYSTUCK_OUTCOME|$WHYSTUCK_EXIT_CODE|$1\" >>facts\ncat >>reports\n"
	if err := os.WriteFile(script, []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	f := l.follow(t, d, "--scan-every", "2s", "--exec", script+" 'two words'")
	run(t, d, "deaf", "--stop-timeout", "1", "lab", "ign")
	run(t, d, "back", "--restart", "always", "--stop-signal", "QUIT", "lab", "exit")
	run(t, d, "good", "lab", "exit")
	ready(t, d, "deaf")
	ready(t, d, "back")

	scanned := f.wait(t, 8*time.Second, "deaf", watch.KindVerdict, "")
	if !scanned.Trouble || *scanned.Outcome != "killed" || scanned.Diagnosis == nil {
		t.Errorf("scan: %+v", scanned.Report)
	}
	docker(t, d, "stop", "deaf")
	docker(t, d, "stop", "good")
	docker(t, d, "kill", "-s", "TERM", "back")
	back := f.wait(t, 5*time.Second, "back", watch.KindCameBack, "")
	if !back.Trouble || *back.RestartCount != 1 || *back.Signal != "SIGTERM" {
		t.Errorf("back: %+v", back.Report)
	}
	f.wait(t, 5*time.Second, "deaf", watch.KindEnded, "")
	f.wait(t, 5*time.Second, "good", watch.KindEnded, "")
	want := []string{
		"overrun|deaf|timeout|||two words",
		"ended|deaf|timeout|killed|137|two words",
		"came-back|back||||two words",
		"verdict|deaf||killed||two words",
	}
	if !bed.Eventually(5*time.Second, func() bool {
		facts, _ := os.ReadFile(filepath.Join(dir, "facts"))
		return len(strings.Split(strings.TrimSpace(string(facts)), "\n")) >= len(want)
	}) {
		t.Error("the command was not run for all")
	}
	facts, _ := os.ReadFile(filepath.Join(dir, "facts"))
	for _, w := range want {
		if strings.Count(string(facts), w+"\n") != 1 {
			t.Errorf("the command was not told once of %q:\n%s", w, facts)
		}
	}
	if strings.Contains(string(facts), "good") {
		t.Errorf("the command was told of a good stop:\n%s", facts)
	}
	reports, err := os.ReadFile(filepath.Join(dir, "reports"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(reports)) {
		var r watch.Report
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Container == nil && r.Kind != watch.KindEngine {
			t.Errorf("the command's standard input: %v: %.100s", err, line)
		}
	}
	if took := f.term(t); took > time.Second {
		t.Errorf("it took %s to end after SIGTERM", took)
	}
}

// TestExecIsBounded: a command that does not end is killed with its children, and
// does not keep the watcher from ending.
func TestExecIsBounded(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	mark := filepath.Join(t.TempDir(), "mark")
	f := l.follow(t, d, "--exec-timeout", "1s", "--exec", "sh -c 'echo $$ >>"+mark+"; sleep 600 & sleep 600'", "deaf", "probe", "nobody")
	if !strings.Contains(f.stderr.String(), `there is no container "nobody" yet`) {
		t.Errorf("it says nothing of a name that nobody has: %s", f.stderr)
	}
	run(t, d, "deaf", "lab", "ign")
	ready(t, d, "deaf")
	docker(t, d, "stop", "-t", "1", "deaf")
	if !bed.Eventually(10*time.Second, func() bool { return strings.Contains(f.stderr.String(), "did not end within 1s") }) {
		t.Errorf("no complaint: %s", f.stderr)
	}
	docker(t, d, "start", "deaf")
	go d.Docker(t.Context(), "stop", "-t", "1", "deaf")
	f.wait(t, 10*time.Second, "deaf", watch.KindOverrun, "")
	time.Sleep(1500 * time.Millisecond)
	if took := f.term(t); took > time.Second {
		t.Errorf("it took %s to end after SIGTERM", took)
	}
	pids, _ := os.ReadFile(mark)
	for _, pid := range strings.Fields(string(pids)) {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("the command's process %s is left", pid)
		}
	}
}
