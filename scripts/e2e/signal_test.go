package e2e

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// signalCase is a `docker stop -t 3 --signal` and what it was measured to do.
type signalCase struct {
	name    string
	run     []string
	signal  string
	after   func(t *testing.T, l *lab, name string)
	seconds float64
	exit    int // the exit code; not held where it comes back
	verdict diagnose.Verdict
	then    string // stays, restarted
}

// With another signal than the container's own, where that is configured, neither
// the restart policy ends nor is a paused container let go (moby daemon/kill.go
// killWithSignal).
func stopSignalCases() []signalCase {
	term := "--stop-signal=TERM"
	return []signalCase{
		{name: "other", run: cmd(term, "lab", "-s", "2", "exit"), signal: "INT", verdict: diagnose.Stops, then: "stays"},
		{name: "dropped", run: cmd("lab", "exit"), signal: "USR1", seconds: 3, exit: 137, verdict: diagnose.Killed, then: "stays"},
		{name: "kill", run: cmd("lab", "exit"), signal: "KILL", exit: 137, verdict: diagnose.Abrupt, then: "stays"},
		{name: "always", run: cmd("--restart=always", term, "lab", "-s", "2", "exit"), signal: "INT", verdict: diagnose.Stops, then: "restarted"},
		{name: "always-own", run: cmd("--restart=always", term, "lab", "exit"), signal: "TERM", verdict: diagnose.Stops, then: "stays"},
		{name: "always-unset", run: cmd("--restart=always", "lab", "-s", "2", "exit"), signal: "INT", verdict: diagnose.Stops, then: "stays"},
		{name: "always-killed", run: cmd("--restart=always", term, "lab", "default"), signal: "INT", seconds: 3, exit: 137, verdict: diagnose.Killed, then: "stays"},
		{name: "unless-stopped", run: cmd("--restart=unless-stopped", term, "lab", "-s", "2", "exit"), signal: "INT", verdict: diagnose.Stops, then: "stays"},
		{name: "on-failure", run: cmd("--restart=on-failure", term, "lab", "-s", "2", "exit"), signal: "INT", verdict: diagnose.Stops, then: "stays"},
		{name: "on-failure-code", run: cmd("--restart=on-failure", "--init", term, "shells", "sleep", "1000"), signal: "INT", verdict: diagnose.Stops, then: "restarted"},
		{name: "paused", run: cmd(term, "lab", "-s", "2", "exit"), signal: "INT", after: pause, seconds: 3, exit: 137, verdict: diagnose.Killed, then: "stays"},
		{name: "paused-unset", run: cmd("lab", "-s", "2", "exit"), signal: "INT", after: pause, verdict: diagnose.Stops, then: "stays"},
	}
}

// testStopSignal is for engines whose stop takes a signal.
func (l *lab) testStopSignal(t *testing.T) {
	if !bed.AtLeast(t, 23, 0) {
		t.Skip("this engine's stop takes no signal")
	}
	for _, c := range stopSignalCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l.require(t, c.run)
			l.runStopSignal(t, c)
		})
	}
}

func (l *lab) runStopSignal(t *testing.T, c signalCase) {
	name := "signal-" + c.name
	l.start(t, name, c.run...)
	if c.after != nil {
		c.after(t, l, name)
	}
	began := l.docker(t, "inspect", "-f", "{{.State.StartedAt}}", name)
	said, _ := l.judge(t, "", "-t", "3", "-s", c.signal, name)
	did := l.stop(t, name, "-t", "3", "-s", c.signal)
	again := bed.Eventually(time.Second, func() bool {
		return l.docker(t, "inspect", "-f", "{{.State.StartedAt}}", name) != began
	})
	t.Logf("%-16s %s, again %v: %s, %s, %s", c.name, did, again, said.Verdict, said.Confidence, said.Stop.Then)
	if again != (c.then == "restarted") || !again && did.exit != c.exit {
		t.Errorf("the row says %s with %d, did %s, started again: %v", c.then, c.exit, did, again)
	}
	if said.Verdict != c.verdict || said.Stop.Then != c.then {
		t.Errorf("forecast %s, then %s: %s", said.Verdict, said.Stop.Then, said.Headline)
	}
	var p problems
	p.compareSeconds("the row says", c.seconds, did.seconds)
	if x := said.Stop.Command.AfterSeconds; x != nil {
		p.compareSeconds("forecast", *x, did.seconds)
	}
	for _, s := range p.late {
		t.Error(s)
	}
}
