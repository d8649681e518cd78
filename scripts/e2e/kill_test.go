package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// killCase is a container and what `docker kill -s` was measured to do to it.
type killCase struct {
	name    string
	run     []string
	signal  string
	outcome string // DESIGN's words for `signal.outcome`
	ends    bool   // the container ends
	log     string // what PID 1 says, "" for nothing
	exit    int    // whystuck's own exit code: 0 where the signal does what it is sent for
}

func killCases() []killCase {
	return []killCase{
		{name: "hup-handled", run: cmd("lab", "reload"), signal: "HUP", outcome: "handled", log: "HEARD 1 1"},
		{name: "usr1-ignored", run: cmd("lab", "reload"), signal: "USR1", outcome: "ignored", exit: 1},
		{name: "usr2-discarded", run: cmd("lab", "reload"), signal: "USR2", outcome: "discarded", exit: 1},
		{name: "hup-discarded", run: cmd("lab", "default"), signal: "HUP", outcome: "discarded", exit: 1},
		{name: "usr1-blocked", run: cmd("lab", "-s", "10", "blocked"), signal: "USR1", outcome: "blocked", exit: 1},
		{name: "usr1-sigwait", run: cmd("lab", "-s", "10", "sigwait"), signal: "USR1", outcome: "handled", ends: true, log: "HEARD 10 1"},
		{name: "hup-init", run: cmd("--init", "lab", "reload"), signal: "HUP", outcome: "handled", log: "HEARD 1 "},
		{name: "usr2-init", run: cmd("--init", "lab", "reload"), signal: "USR2", outcome: "dies", ends: true, exit: 1},
		{name: "hup-pidhost", run: cmd("--pid=host", "lab", "default"), signal: "HUP", outcome: "dies", ends: true, exit: 1},
		{name: "winch-discarded", run: cmd("--pid=host", "lab", "default"), signal: "WINCH", outcome: "discarded", exit: 1},
		{name: "stop-stops", run: cmd("lab", "exit"), signal: "STOP", outcome: "stops"},
		{name: "kill-dies", run: cmd("lab", "exit"), signal: "KILL", outcome: "dies", ends: true},
		{name: "dash-reload", run: shell("sh", "/siglab reload; true"), signal: "HUP", outcome: "discarded", exit: 1},
		{name: "dash-trap-usr1", run: shell("sh", "trap 'echo HEARD 10 1' USR1; while true; do sleep 0.4; done"), signal: "USR1", outcome: "handled", log: "HEARD 10 1"},
	}
}

func (l *lab) testKill(t *testing.T) {
	for _, c := range killCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l.require(t, c.run)
			l.runKill(t, c)
		})
	}
}

func (l *lab) runKill(t *testing.T, c killCase) {
	name := "kill-" + c.name
	l.start(t, name, c.run...)
	pid := l.pid(t, name)
	said, a := l.judge(t, "", "--kill", c.signal, name)
	l.docker(t, "kill", "-s", c.signal, name)
	l.checkKilled(t, c, name, pid)
	if said.Signal == nil {
		t.Fatalf("no forecast for the signal (exit %d): %s", a.code, a.stderr)
	}
	if said.Signal.Outcome != c.outcome {
		t.Errorf("outcome %s, want %s: %s", said.Signal.Outcome, c.outcome, said.Signal.Effect)
	}
	if a.code != c.exit {
		t.Errorf("whystuck exits %d, want %d", a.code, c.exit)
	}
	if c.outcome == "handled" && len(said.Signal.ReceivedBy) == 0 {
		t.Error("handled, but received by nobody")
	}
}

// checkKilled holds the row against what the signal did.
func (l *lab) checkKilled(t *testing.T, c killCase, name string, pid int) {
	time.Sleep(time.Second) // long enough for a trap behind `sleep 0.4`
	running := l.docker(t, "inspect", "-f", "{{.State.Running}}", name) == "true"
	if running == c.ends {
		t.Errorf("the row says that the container ends: %v; it runs: %v", c.ends, running)
	}
	log := l.log(t, name)
	if heard := strings.Contains(log, "HEARD"); heard != (c.log != "") || !strings.Contains(log, c.log) {
		t.Errorf("the row says that %q is logged, the log is %q", c.log, log)
	}
	if !running {
		return
	}
	if pending := strings.Trim(statusField(pid, "ShdPnd:"), "0") != ""; pending != (c.outcome == "blocked") {
		t.Errorf("pending: %v, outcome in the row: %s", pending, c.outcome)
	}
	if stopped := strings.HasPrefix(statusField(pid, "State:"), "T"); stopped != (c.outcome == "stops") {
		t.Errorf("stopped: %v, outcome in the row: %s", stopped, c.outcome)
	}
}

// statusField is one field of /proc/PID/status, "" when there is none.
func statusField(pid int, field string) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	lines := strings.Split(string(b), "\n")
	i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, field) })
	if i < 0 {
		return ""
	}
	return strings.TrimSpace(strings.TrimPrefix(lines[i], field))
}
