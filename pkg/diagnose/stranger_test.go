package diagnose

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestStranger: a process from outside makes the container stuck only where its
// parent is known not to fetch it.
func TestStranger(t *testing.T) {
	stopped := func(p *evidence.Process) { p.State, p.Tasks[0].State = "T", "T" }
	straced := func(p *evidence.Process) {
		p.State, p.Tasks[0].State = "t", "t"
		p.TracerPID, p.TracerState, p.TracerCall = 7, "S", "wait4"
	}
	for _, c := range []struct {
		name     string
		parent   proc
		want     Verdict
		severity string // "": no finding
	}{
		{"stopped", proc{change: stopped}, Stuck, SeverityError},
		{"straced", proc{change: straced}, Killed, SeverityWarning},
		{"waits for it", proc{call: "wait4"}, Killed, SeverityInfo},
		{"has a handler for SIGCHLD", proc{call: "poll", cgt: []int{sigchld}}, Killed, SeverityInfo},
		{"ignores SIGCHLD", proc{call: "poll", ign: []int{sigchld}}, Killed, SeverityInfo},
		{"does something else", proc{call: "nanosleep"}, Killed, SeverityWarning},
		{"a conmon", proc{call: "poll", change: func(p *evidence.Process) { p.Comm = "conmon" }}, Killed, ""},
		{"a conmon, stopped", proc{change: func(p *evidence.Process) { stopped(p); p.Comm = "conmon" }}, Stuck, SeverityError},
		{"stopped, and in the namespace", proc{ns: 9, change: stopped}, Killed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ppid: 50, ns: 1, call: "pause"}, proc{pid: 102, ppid: 101, ns: 7, call: "pause"})
			c.parent.pid, c.parent.ppid = 101, 1
			parent := c.parent.build()
			tg := &s.Targets[0]
			tg.HostPIDNS, tg.Processes[0].PIDNS, tg.Processes[1].PIDNS, tg.Processes[1].Outside = ptr(false), 77, 77, true
			if parent.Outside, parent.PIDNS = true, 1; c.parent.ns != 0 {
				parent.PIDNS, parent.PPID = 77, 100
			}
			tg.Processes = slices.Insert(tg.Processes, 1, parent)
			got := Judge(s, Options{}).Containers[0]
			if got.Verdict != c.want {
				t.Errorf("%s, want %s", got.Verdict, c.want)
			}
			severity := ""
			for _, f := range got.Findings {
				if f.Code == "WS215" {
					severity = f.Severity
				}
			}
			if severity != c.severity {
				t.Errorf("the finding is %q, want %q", severity, c.severity)
			}
		})
	}
}
