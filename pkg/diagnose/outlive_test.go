package diagnose

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestOutlives: how docker's commands return where a task outlives the container's
// own process, by the engine's version and by whose output it has. The rows of
// 20.10.24, 28.5.2 and 29.7.2 were measured in the hang bed.
func TestOutlives(t *testing.T) {
	pipes, other := []string{"/dev/null", "pipe:[10]", "pipe:[11]"}, []string{"/dev/null", "pipe:[20]", "/dev/null"}
	pts := []string{"/dev/pts/0", "/dev/pts/0", "/dev/pts/0"}
	for _, c := range []struct {
		name, version string
		root, child   []string
		change        func(*evidence.Snapshot)
		want          string
	}{
		{"old", "20.10.24+dfsg1", pipes, pipes, nil, "ghost likely 12.0 2.0 exited"},
		{"its pipe", "28.5.2", pipes, pipes, nil, "stuck likely never never ? WS321"},
		{"its pipe, first version", "24.0.0", pipes, pipes, nil, "stuck likely never never ? WS321"},
		{"one of two", "29.7.2", pipes, []string{"", "/dev/null", "pipe:[11]"}, nil, "stuck likely never never ? WS321"},
		{"another's pipe", "29.7.2", pipes, other, nil, "ghost likely 12.0 2.0 exited"},
		{"closed", "29.7.2", pipes, []string{"", "", ""}, nil, "ghost likely 12.0 2.0 exited"},
		{"not read", "29.7.2", pipes, nil, nil, "ghost assumed ? ? ?"},
		{"terminal", "29.7.2", pts, pts, func(s *evidence.Snapshot) { s.Targets[0].Container.Tty = true }, "ghost likely ? ? exited"},
		{"version not known", "", pipes, pipes, nil, "ghost assumed ? ? ?"},
		{"version not known, another's pipe", "", pipes, other, nil, "ghost likely 12.0 2.0 exited"},
		{"run by docker exec", "29.7.2", pipes, other, func(s *evidence.Snapshot) {
			s.Targets[0].Container.ExecIDs, s.Targets[0].Processes[1].PPID = []string{"x"}, 7
		}, "ghost assumed ? ? ?"},
		{"in another container's namespace", "29.7.2", pipes, pipes, func(s *evidence.Snapshot) {
			no := false
			s.Targets[0].HostPIDNS, s.Targets[0].Processes[0].NSPIDs = &no, []int{100, 7}
		}, "stuck likely never never ? WS321"},
		{"in its own", "29.7.2", pipes, pipes, func(s *evidence.Snapshot) {
			no := false
			s.Targets[0].HostPIDNS, s.Targets[0].Processes[0].NSPIDs = &no, []int{100, 1}
		}, "stuck likely 24.0 12.0 running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ppid: 7, call: "pause", ign: []int{tTERM}}, proc{pid: 101, ppid: 100, change: func(p *evidence.Process) {
				p.State, p.Tasks[0].State, p.Tasks[0].Stack = "D", "D", []string{"percpu_rwsem_wait", "vfs_write"}
				p.Tasks[0].Again = &evidence.SecondLook{State: "D", SleptMillis: status(60_000)}
			}})
			yes := true
			s.Host.Engine, s.Targets[0].HostPIDNS = &evidence.Engine{Version: c.version}, &yes
			s.Targets[0].Processes[0].Stdio, s.Targets[0].Processes[1].Stdio = c.root, c.child
			if c.change != nil {
				c.change(s)
			}
			got := Judge(s, Options{}).Containers[0]
			says := fmt.Sprintf("%s %s %s %s %s", got.Verdict, got.Confidence, returns(got.Stop.Command), returns(got.Rm.Command), booked(got.Stop.Status))
			for _, f := range got.Findings {
				if f.Code == "WS321" {
					says += " WS321"
				}
			}
			if says != c.want {
				t.Errorf("got %q, want %q", says, c.want)
			}
			if strings.Contains(c.want, "never") && (got.Kill.Outcome != "stuck" || got.Kill.Command.Returns) {
				t.Errorf("kill: %+v", got.Kill)
			}
		})
	}
}

func returns(c Command) string {
	switch {
	case !c.Returns:
		return "never"
	case c.AfterSeconds == nil:
		return "?"
	}
	return fmt.Sprintf("%.1f", *c.AfterSeconds)
}

func booked(s *string) string {
	if s == nil {
		return "?"
	}
	return *s
}

// Who is known to write to a file holds no dead process's output.
func TestOutputHolders(t *testing.T) {
	for _, c := range []struct {
		stdio []string
		want  bool
	}{
		{nil, true}, // not known
		{[]string{"/dev/null", "pipe:[11]", "/dev/null"}, true},
		{[]string{"/dev/null", "/dev/null", "/dev/pts/0"}, true},
		{[]string{"pipe:[11]", "/dev/null", "/var/log/x"}, false},
	} {
		if got := len(outputHolders([]*evidence.Process{{Stdio: c.stdio}})) == 1; got != c.want {
			t.Errorf("%q: %v", c.stdio, got)
		}
	}
}
