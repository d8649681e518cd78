package diagnose

import (
	"slices"
	"testing"
)

// Whether a stop that went otherwise is a bug of ours, and which finding says so.
func TestOtherwise(t *testing.T) {
	no, yes := false, true
	discarded := ObservedEvent{PID: 7, Source: "tracefs", What: "SIGTERM to 1 sh, from runc (PID 9): discarded (res=1), PID 1 with no handler"}
	code := func(n int) *int { return &n }
	seen := func(outcome Verdict, exit *int, events ...ObservedEvent) *Observed {
		return &Observed{Outcome: string(outcome), ExitCode: exit, Events: events}
	}
	tests := []struct {
		name   string
		c      Container
		bug    bool
		reason string
	}{
		{"as foretold", Container{Verdict: Killed, Confidence: Certain, Agreed: &yes, Observed: seen(Killed, code(137))}, false, ""},
		{"nothing foretold", Container{Verdict: Unknown, Observed: seen(Killed, code(137))}, false, ""},
		{"not seen", Container{Verdict: Killed, Confidence: Certain}, false, ""},
		{"an assumption", Container{Verdict: Stops, Confidence: Assumed, Agreed: &no, Observed: seen(Killed, code(137))}, false, "WS536"},
		{"a promise", Container{Verdict: Stops, Confidence: Likely, Agreed: &no, Observed: seen(Killed, code(137))}, true, ""},
		{"in its own time", Container{PID: 7, Verdict: Killed, Confidence: Certain, Agreed: &no, Observed: seen(Stops, code(4), discarded)}, false, "WS537"},
		{"without the kernel's word", Container{PID: 7, Verdict: Killed, Confidence: Certain, Agreed: &no, Observed: seen(Stops, code(4))}, true, ""},
		{"another was not reached", Container{PID: 8, Verdict: Killed, Confidence: Certain, Agreed: &no, Observed: seen(Stops, code(4), discarded)}, true, ""},
		{"by a signal", Container{PID: 7, Verdict: Killed, Confidence: Certain, Agreed: &no, Observed: seen(Stops, code(143), discarded)}, true, ""},
	}
	for _, tt := range tests {
		Otherwise(&tt.c)
		if tt.c.Disagreed() != tt.bug {
			t.Errorf("%s: a bug of ours: %v, want %v", tt.name, tt.c.Disagreed(), tt.bug)
		}
		got := []string{}
		for _, f := range tt.c.Findings {
			got = append(got, f.Code)
		}
		if want := slices.DeleteFunc([]string{tt.reason}, func(s string) bool { return s == "" }); !slices.Equal(got, want) {
			t.Errorf("%s: findings %v, want %v", tt.name, got, want)
		}
	}
}

// What several runs came to, and that it is told where they differ.
func TestAddRuns(t *testing.T) {
	stopped, killed := Container{Startup: &Startup{Ready: true}, Observed: &Observed{Outcome: "stops"}}, Container{Startup: &Startup{Ready: true}, Observed: &Observed{Outcome: "killed"}}
	dead := Container{Verdict: NotRunning, Startup: &Startup{}}
	for _, tt := range []struct {
		all    []Container
		differ bool
	}{
		{[]Container{stopped, stopped}, false}, {[]Container{stopped, killed, stopped}, true}, {[]Container{stopped, dead}, true}, {[]Container{dead, dead}, false},
	} {
		c := tt.all[0]
		AddRuns(&c, tt.all)
		if len(c.Runs) != len(tt.all) || (len(c.Findings) == 1) != tt.differ {
			t.Errorf("%d runs, findings %v, want one: %v", len(c.Runs), c.Findings, tt.differ)
		}
	}
}
