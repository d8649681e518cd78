package diagnose

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestSpin: only who really runs in the kernel with SIGKILL pending spins. Made by
// hand: a loop in the kernel cannot be in a bed.
func TestSpin(t *testing.T) {
	for _, c := range []struct {
		name    string
		killed  bool
		again   string
		sticks  uint64
		exiting bool
		want    Confidence // "": not stuck
	}{
		{"spins", true, "R", 3, false, Likely},
		{"frees its memory", true, "R", 3, true, Assumed},
		{"waits for a CPU", true, "R", 0, false, ""},
		{"sleeps again", true, "S", 3, false, ""},
		{"nobody has killed it", false, "R", 3, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, state: "R", change: func(p *evidence.Process) {
				p.Tasks[0].STicks = 500
				p.Tasks[0].Again = &evidence.SecondLook{State: c.again, STicks: 500 + c.sticks}
				if c.killed {
					p.Signals.Pending = evidence.SetOf(evidence.SIGKILL)
				}
				if c.exiting {
					p.Flags = pfExiting
				}
			}})
			got := Judge(s, Options{}).Containers[0]
			found := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS219" })
			if found != (c.want != "") || found && (got.Verdict != Stuck || got.Confidence != c.want) || !found && got.Verdict == Stuck {
				t.Errorf("%s %s: %+v", got.Verdict, got.Confidence, got.Findings)
			}
		})
	}
}

// TestOutput: a pipe that is full for a moment, or that is not the output, is no
// trouble.
func TestOutput(t *testing.T) {
	for _, c := range []struct {
		name  string
		fd    uint64
		moved bool
		want  bool
	}{{"full", 1, false, true}, {"errors", 2, false, true}, {"a moment", 1, true, false}, {"another pipe", 7, false, false}} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "write", args: [6]uint64{c.fd}, cgt: []int{15}, change: func(p *evidence.Process) {
				p.Tasks[0].Wchan = text("anon_pipe_write")
				p.Tasks[0].Again = &evidence.SecondLook{State: "S", Moved: c.moved}
			}})
			got := Judge(s, Options{}).Containers[0]
			if found := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS221" }); found != c.want || got.Verdict != Stops {
				t.Errorf("%s: %+v", got.Verdict, got.Findings)
			}
		})
	}
}
