package diagnose

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Podman's stop has its own course; every number was measured with Podman 4.3.
func TestPodmanStop(t *testing.T) {
	frozenDisk := func(p *evidence.Process) {
		wchan := "percpu_rwsem_wait"
		p.Tasks[0].Wchan, p.Tasks[0].Stack, p.Tasks[0].Again = &wchan, []string{"percpu_rwsem_wait", "vfs_write"}, &evidence.SecondLook{State: "D"}
	}
	seconds := func(n int) *int { return &n }
	for name, c := range map[string]struct {
		state   string
		change  func(*evidence.Process)
		status  string
		timeout *int
		verdict Verdict
		after   float64
		code    int
		ends    bool
	}{
		"handler":            {"S", nil, "running", seconds(10), Stops, 0, 0, true},
		"no stop signal":     {"S", nil, "running", seconds(0), Abrupt, 0, 0, true},
		"hangs":              {"D", frozenDisk, "running", seconds(3), Stuck, 8, 1, false},
		"hangs, at once":     {"D", frozenDisk, "running", seconds(0), Stuck, 5, 1, false},
		"a stop has failed":  {"D", frozenDisk, "stopping", seconds(3), Stuck, 8, 1, false},
		"paused":             {"S", nil, "paused", seconds(3), Stuck, 0, 1, false},
		"no end of patience": {"S", nil, "running", seconds(-1), Stuck, 0, 1, false},
	} {
		s := snapshot(proc{pid: 100, ns: 1, argv: []string{"app"}, cgt: []int{evidence.SIGTERM}, state: c.state, change: c.change})
		s.Host.Engine = &evidence.Engine{Name: "podman", Version: "4.3.1"}
		s.Targets[0].Container.Status = c.status
		got := Judge(s, Options{Timeout: c.timeout}).Containers[0]
		if got.Verdict != c.verdict || *got.Stop.ContainerEnds != c.ends || *got.Stop.Command.ExitStatus != c.code ||
			got.Stop.Command.AfterSeconds != nil && *got.Stop.Command.AfterSeconds != c.after {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Stop)
		}
		if c.status == "stopping" { // removed, and not killed
			if got.Rm.Outcome != "ghost" || *got.Rm.Command.ExitStatus != 0 || got.Rm.ContainerEnds != nil || *got.Kill.Command.AfterSeconds != 5 {
				t.Errorf("%s: kill %+v, rm %+v", name, got.Kill, got.Rm)
			}
			continue
		}
		if c.verdict == Stuck && c.state == "D" && (*got.Kill.Command.AfterSeconds != 5 || *got.Rm.Command.AfterSeconds != 5) {
			t.Errorf("%s: kill %+v, rm %+v", name, got.Kill, got.Rm)
		}
	}
}
