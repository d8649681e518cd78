package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// beforeExec is what runc's own process is called until it executes the
// container's program.
const beforeExec = "runc:[2:INIT]"

// unborn reports whether the init is still the runtime's own process: what is
// read of it says nothing of the program.
func (c *inspection) unborn() bool { return c.root != nil && c.root.Comm == beforeExec }

// judgeUnborn puts in the place of a judgement of runc that the program has not
// begun: it hangs in its execve, or was only caught at it.
func (c *inspection) judgeUnborn(o *outlook, out *Container) {
	if h := c.worstHang(o); h != nil {
		f := newFinding("WS323", c.root)
		f.Summary = "the container is Up, and its program has not begun: runc's process hangs where it executes it" + aboutWords(h.t)
		f.Evidence = append([]Evidence{{Source: fmt.Sprintf("/proc/%d/comm", c.root.PID), Field: "comm", Value: c.root.Comm, Says: "runc init, before its execve"}}, taskFacts(h.p, h.t)...)
		out.Findings = append([]Finding{f}, c.hangFindings(o)...)
		out.Headline = f.Summary
		return
	}
	out.Verdict, out.Confidence, out.Layer = Unknown, Assumed, LayerEngine
	out.Headline = "it is being started at this moment: its program has not been executed yet; look again"
	s := out.Stop
	s.Outcome, s.ExitCode, s.AfterSeconds, s.ContainerEnds = string(Unknown), nil, nil, nil
	s.KilledUnheard, s.Command = []int{}, Command{Returns: true}
	s.Steps = []Step{{Action: evidence.SignalName(o.sig) + " to " + c.title(c.root), Effect: "depends on how far the start has come"}}
	out.Findings = []Finding{}
}
