package smoke

import (
	"github.com/whystuck/whystuck/pkg/diagnose"
)

// together makes one result of the runs of an image: the worst of them, with what
// each came to.
func together(all []Result) Result {
	worst := all[0]
	for _, r := range all[1:] {
		if worse(&r, &worst) {
			worst = r
		}
	}
	if len(all) > 1 {
		diagnose.AddRuns(&worst.Container, containers(all))
	}
	return worst
}

func containers(all []Result) []diagnose.Container {
	out := make([]diagnose.Container, 0, len(all))
	for i := range all {
		out = append(out, all[i].Container)
	}
	return out
}

// worse: one that could not be tried or removed, then one whose prediction was
// wrong, one that did not come up, then by the verdict.
func worse(a, b *Result) bool { return badness(a) > badness(b) }

func badness(r *Result) int {
	c := &r.Container
	switch {
	case r.Err != nil || r.Left != "":
		return 400
	case c.Agreed != nil && !*c.Agreed:
		return 300
	case c.Startup == nil || !c.Startup.Ready:
		return 200
	}
	outcome := c.Verdict
	if c.Observed != nil {
		outcome = diagnose.Verdict(c.Observed.Outcome)
	}
	return -diagnose.Rank(outcome)
}
