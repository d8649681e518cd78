package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// givenUp: containerd was restarted and could not reach the shim in time. It then
// ends the container and forgets it, without a word to the engine (measured with
// 1.6.20: after 5 s).
func (c *inspection) givenUp(p *evidence.Part) *cause {
	return newCause("WS314", LayerShim, endsForgotten, Likely,
		fmt.Sprintf("%s (PID %d) is %s, and containerd has given the container up: it has ended, and the engine does not know", roleWords(p), p.PID, heldWord(p))).
		shows(heldFact(p)...).
		shows(Evidence{Source: "containerd", Field: "bundle", Value: "gone", Says: "it was restarted while the shim did not answer, and has ended the container"}).
		fix(withText(fixHeld(p), "let it go on: it tells of the end; if docker says running after that, docker stop books it"),
			Fix{When: FixNow, Text: "then end it: containerd has forgotten it, and it does not go by itself", Command: fmt.Sprintf("sudo kill -KILL %d", p.PID)})
}

// forgotten: containerd says that there is no such task. How a command comes back is
// a race of the engine's timers, and the init is a zombie for as long as the shim is
// held: measured 12 s with success, 10 and 14 s with an error that says "is zombie".
func (c *inspection) forgotten(out *Container) {
	out.Kill, out.Rm = &EndForecast{Signal: "SIGKILL"}, &EndForecast{}
	c.unsettle(out)
	out.Verdict, out.Stop.Outcome = Ghost, string(Ghost)
	out.Stop.Steps = []Step{{Action: out.Stop.Signal + " through containerd", Effect: "containerd has no such task"}}
}
