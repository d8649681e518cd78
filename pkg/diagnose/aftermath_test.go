package diagnose

import (
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestAftermath: what docker ps -a says once a command has given up, and what the
// way out then comes to. All rows were measured in the hang bed.
func TestAftermath(t *testing.T) {
	inD := func(p *evidence.Process) {
		p.State, p.Tasks[0].State, p.Tasks[0].Stack = "D", "D", []string{"percpu_rwsem_wait", "vfs_write"}
		p.Tasks[0].Again = &evidence.SecondLook{State: "D"}
	}
	init := proc{pid: 100, ns: 1, call: "pause"}
	child := proc{pid: 101, ppid: 100, ns: 2, change: inD}
	host := func(s *evidence.Snapshot) {
		yes := true
		s.Targets[0].HostPIDNS, s.Host.Engine = &yes, &evidence.Engine{Version: "20.10.24"}
	}
	cases := []struct {
		name           string
		procs          []proc
		change         func(*evidence.Snapshot)
		stop, kill, rm string // status, freed status, freed exit code
	}{
		{"healthy", []proc{init}, nil, "exited", "exited", "removed"},
		{"removed by itself", []proc{init}, func(s *evidence.Snapshot) { s.Targets[0].Container.AutoRemove = true }, "removed", "removed", "removed"},
		{"init in D", []proc{with(init, func(q *proc) { q.change = inD })}, nil,
			"running exited 137", "running exited 137", "running exited 137"},
		{"child in D, init deaf", []proc{init, child}, nil, "running exited 137", "running exited 137", "running exited 137"},
		{"child in D, init decides", []proc{with(init, func(q *proc) { q.cgt = []int{tTERM} }), child}, nil,
			"running exited ?", "running exited 137", "running exited 137"},
		{"host PID namespace", []proc{with(init, func(q *proc) { q.ns = 0 }), child}, host, "exited exited ?", "exited exited ?", "removed removed ?"},
		{"zombie leader", []proc{with(init, func(q *proc) {
			q.state = "Z"
			q.change = func(p *evidence.Process) { p.Tasks = append(p.Tasks, thread(101, "futex")) }
		})}, nil, "exited exited ?", "exited exited ?", "removed removed ?"},
		{"zombie that its tracer keeps", []proc{with(init, func(q *proc) {
			q.state, q.change = "Z", func(p *evidence.Process) { p.TracerPID = 7 }
		})}, nil, "exited exited ?", "?", "?"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(c.procs...)
			if c.change != nil {
				c.change(s)
			}
			got := Judge(s, Options{}).Containers[0]
			for what, x := range map[string]struct {
				status *string
				freed  *Freed
				want   string
			}{"stop": {got.Stop.Status, got.Stop.Freed, c.stop}, "kill": {got.Kill.Status, got.Kill.Freed, c.kill}, "rm": {got.Rm.Status, got.Rm.Freed, c.rm}} {
				if said := aftermath(x.status, x.freed); said != x.want {
					t.Errorf("%s: %q, want %q", what, said, x.want)
				}
			}
			if f := got.Rm.Freed; f != nil && *got.Rm.Status == "running" && !strings.Contains(f.Says, "repeated") {
				t.Errorf("rm: %q does not say that it has to be repeated", f.Says)
			}
		})
	}
}

func aftermath(status *string, f *Freed) string {
	out := "?"
	if status != nil {
		out = *status
	}
	if f != nil {
		out += " " + f.Status + " " + codeWord(f.ExitCode)
	}
	return out
}

func codeWord(n *int) string {
	if n == nil {
		return "?"
	}
	return map[int]string{0: "0", 137: "137"}[*n]
}

// TestRmError: the engine's own words where they are known, else the reason alone.
func TestRmError(t *testing.T) {
	for version, want := range map[string]string{
		"20.10.24": "Could not kill running container 0123456789abcdef, cannot remove - " + noExitEvent,
		"28.5.2":   `cannot remove container "web": could not kill container: ` + noExitEvent,
		"":         noExitEvent,
	} {
		s := snapshot(proc{pid: 100, ns: 1, change: func(p *evidence.Process) {
			p.State, p.Tasks[0].State, p.Tasks[0].Stack = "D", "D", []string{"percpu_rwsem_wait", "vfs_write"}
		}})
		s.Host.Engine = &evidence.Engine{Version: version}
		got := Judge(s, Options{}).Containers[0].Rm.Command.Error
		if got == nil || *got != want {
			t.Errorf("%s: %v, want %q", version, got, want)
		}
	}
}
