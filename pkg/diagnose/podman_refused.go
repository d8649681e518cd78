package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// podmanRefused: Podman signals by the runtime, which it runs itself, and gives up
// at the first denial. Measured with Podman 4.3 without CAP_KILL: each command is
// an error at once, whatever the timeout. libpod then asks by a signal 0 of its own
// whether the process is there; where that gets through (a filter or a module that
// lets it), stop is an error after podmanWait, and its container booked as exited.
func (c *inspection) podmanRefused(out *Container, o *outlook, r *refusal) {
	no, id := false, c.t.Container.ID
	sending := "sending signal to container " + id
	killing := "sending SIGKILL to container " + id + ": " + sending
	stopping := r.errno
	if o.timeout == 0 {
		stopping = killing
	}
	s := &StopForecast{Signal: evidence.SignalName(o.sig), TimeoutSeconds: o.timeout, TimeoutSource: o.timeoutSource,
		Outcome: string(Refused), KilledUnheard: []int{}, ContainerEnds: &no, Then: "stays", Command: c.podmanDenied(r, stopping)}
	direct := Fix{When: FixNow, Text: "podman itself has your rights, and not the service's", Command: podmanCommand(c.host.Engine, stopVerb(c.opt), []string{nameOf(c.t.Container)})}
	out.Findings[0].Fixes = append([]Fix{direct}, out.Findings[0].Fixes...)
	first := s.Signal
	if o.timeout == 0 {
		first = "SIGKILL"
	}
	s.Steps = []Step{{Action: first + " to " + c.title(c.root), Effect: "denied: " + r.errno}, {Action: "docker stop returns", Effect: "an error; no SIGKILL follows"}}
	out.Stop = s
	end := func(message string) *EndForecast {
		return &EndForecast{Outcome: string(Refused), ContainerEnds: &no, Command: c.podmanDenied(r, message),
			Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: "denied: " + r.errno}}}
	}
	out.Kill = end(sending)
	out.Kill.Signal = "SIGKILL"
	if out.Rm != nil {
		out.Rm = end(fmt.Sprintf("cannot remove container %s as it could not be stopped: %s", id, killing))
	}
}

// podmanDenied is the end of a command whose signal is denied. When it comes and
// what it says is known only where Podman's own signal 0 is denied as well, and of
// the version that was measured.
func (c *inspection) podmanDenied(r *refusal, message string) Command {
	zero, text := 0.0, "Error response from daemon: "+message
	cmd := Command{Returns: true, ExitStatus: status(1)}
	if r.code == "WS402" && r.daemon {
		cmd.AfterSeconds = &zero
		if strings.HasPrefix(c.host.Engine.Version, "4.") {
			cmd.Error = &text
		}
	}
	return cmd
}
