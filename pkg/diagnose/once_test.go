package diagnose

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestSeenOnce: a task in D that was looked at once, or that has moved, or that has
// slept for a moment on a disk, is never stuck for sure, not even with SIGKILL
// pending.
func TestSeenOnce(t *testing.T) {
	ms := func(n int) *int { return &n }
	for _, c := range []struct {
		name  string
		frame string
		again *evidence.SecondLook
		want  Confidence // "": not stuck
	}{
		{"once, frozen", "sb_start_write", nil, Assumed},
		{"once, FUSE", "request_wait_answer", nil, Assumed},
		{"once, nothing known", "odd_wait", nil, Assumed},
		{"moved", "sb_start_write", &evidence.SecondLook{State: "D", Moved: true}, ""},
		{"woke up", "sb_start_write", &evidence.SecondLook{State: "S"}, ""},
		{"a disk, for a moment", "submit_bio_wait", &evidence.SecondLook{State: "D", SleptMillis: ms(200)}, Assumed},
		{"a disk, for long", "submit_bio_wait", &evidence.SecondLook{State: "D", SleptMillis: ms(20000)}, Certain},
		{"a disk, for a time that is not known", "submit_bio_wait", &evidence.SecondLook{State: "D"}, Likely},
		{"twice, frozen", "sb_start_write", &evidence.SecondLook{State: "D", SleptMillis: ms(200)}, Certain},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "write", state: "D", change: func(p *evidence.Process) {
				p.Tasks[0].Stack, p.Tasks[0].Again = []string{c.frame}, c.again
				p.Signals.Pending = evidence.SetOf(evidence.SIGKILL)
			}})
			got := Judge(s, Options{}).Containers[0]
			if got.Verdict == Stuck != (c.want != "") || c.want != "" && got.Confidence != c.want {
				t.Errorf("%s %s, want %q", got.Verdict, got.Confidence, c.want)
			}
		})
	}
}
