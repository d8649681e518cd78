package render

import (
	"errors"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

func seen(s float64, pid int, what, source string) diagnose.ObservedEvent {
	return diagnose.ObservedEvent{AtSeconds: s, PID: pid, What: what, Source: source}
}

func checked(what string, ok *bool, says string) diagnose.Check {
	return diagnose.Check{What: what, OK: ok, Says: says}
}

// stopped is a shell that was killed, as forecast.
func stopped() diagnose.Container {
	c := killedShell()
	c.Agreed = ptr(true)
	c.Observed = &diagnose.Observed{
		Outcome: "killed", ExitCode: ptr(137), AfterSeconds: ptr(10.06), Survivors: []int{},
		Command: &diagnose.Command{Returns: true, AfterSeconds: ptr(10.2), ExitStatus: ptr(0)},
		Events: []diagnose.ObservedEvent{
			seen(0, 0, "asks the engine to stop it", "api"),
			seen(0.012, 4121, "SIGTERM to 1 sh, from runc (PID 5000): discarded (res=1), PID 1 with no handler", "tracefs"),
			seen(10.05, 4121, "SIGKILL to 1 sh, from runc (PID 5001): queued", "tracefs"),
			seen(10.06, 4121, "1 sh dies of SIGKILL", "pidfd"),
		},
		Proof: []diagnose.Check{checked("cgroup", ptr(true), "no task in its cgroup"), checked("shim", nil, "no shim was found before")},
	}
	return c
}

// livesOn is one that its stop did not end, with a reason found afterwards.
func livesOn() diagnose.Container {
	c := stuckFUSE()
	c.Agreed = ptr(false)
	c.Observed = &diagnose.Observed{
		Outcome: "stuck", Survivors: []int{c.PID}, Cut: "deadline", Left: "carried-on", Note: "it was started again",
		Command: &diagnose.Command{Returns: true, AfterSeconds: ptr(24.0), ExitStatus: ptr(1), Error: ptr("cannot stop container: x")},
		Events:  []diagnose.ObservedEvent{seen(0, 0, "asks the engine to stop it", "api")},
		Proof:   []diagnose.Check{checked("cgroup", ptr(false), "still there: PID 7"), checked("engine", ptr(false), "the engine says running")},
		Still: &diagnose.Still{Status: c.Status, Verdict: c.Verdict, Confidence: c.Confidence, Layer: c.Layer, Headline: c.Headline,
			Findings: c.Findings, Processes: c.Processes},
	}
	return c
}

func TestStopGolden(t *testing.T) {
	gone := notRunning()
	for file, tt := range map[string]struct {
		r diagnose.Report
		o Options
	}{
		"stop-killed.txt":       {report(stopped()), Options{Width: 100}},
		"stop-killed-60.txt":    {report(stopped()), Options{Width: 60}},
		"stop-lives.txt":        {report(livesOn()), Options{Width: 100}},
		"stop-several.txt":      {report(stopped(), livesOn(), gone), Options{Width: 100}},
		"stop-not-running.txt":  {report(gone), Options{Width: 100}},
		"stop-killed-color.txt": {report(stopped()), Options{Width: 100, Color: true}},
	} {
		t.Run(file, func(t *testing.T) { golden(t, file, printed(t, Stop, tt.r, tt.o)) })
	}
}

// What a container's name or a process's name holds does not reach the terminal.
func TestStopEscapes(t *testing.T) {
	r := filled("\x1b[2J\u202e\r\nFORGED")
	out := string(printed(t, Stop, r, Options{}))
	if len(r.Containers) == 0 || r.Containers[0].Observed == nil || len(r.Containers[0].Observed.Events) == 0 {
		t.Fatal("the report has nothing observed: the test tests nothing")
	}
	if strings.ContainsAny(out, "\x1b\r\u202e") || strings.Contains(out, "\nFORGED") {
		t.Errorf("%q", out)
	}
}

func TestStopWriteErrors(t *testing.T) {
	cause := errors.New("no space left")
	if err := Stop(broken{cause}, report(stopped()), Options{}); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}
