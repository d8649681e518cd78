package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
)

// What docker ps -a says of a container.
const (
	bookedRunning = "running"
	bookedExited  = "exited"
	bookedRemoved = "removed"
)

// afterStop is what docker ps -a says once docker stop has returned, and what
// becomes of a container that it did not end.
func (c *inspection) afterStop(o *outlook, then string) (*string, *Freed) {
	switch {
	case o.ends == nil || !o.command.Returns || !c.byEngine():
		return nil, nil
	case *o.ends && then == "restarted":
		return text(bookedRunning), nil
	case *o.ends && then == "removed":
		return text(bookedRemoved), nil
	case *o.ends:
		return text(bookedExited), nil
	case o.command.ExitStatus == nil:
		return nil, nil
	case o.verdict == Ghost:
		return text(bookedExited), leftAlone(bookedExited)
	case *o.command.ExitStatus == 0:
		return text(bookedExited), shimStays(bookedExited)
	}
	return text(bookedRunning), c.letGo(c.freedCode(o), "")
}

// afterKill is the same for docker kill.
func (c *inspection) afterKill(f *EndForecast) (*string, *Freed) {
	switch {
	case f.ContainerEnds == nil || !f.Command.Returns || !c.byEngine():
		return nil, nil
	case *f.ContainerEnds && c.autoRemoved():
		return text(bookedRemoved), nil
	case *f.ContainerEnds:
		return text(bookedExited), nil
	case f.Outcome == string(Ghost) && f.Command.ExitStatus == nil: // not known
		return nil, nil
	case f.Outcome == string(Ghost):
		return text(bookedExited), leftAlone(bookedExited)
	case f.Command.ExitStatus == nil && f.Command.AfterSeconds != nil: // a race
		return nil, nil
	case f.Command.ExitStatus != nil && *f.Command.ExitStatus == 0:
		return text(bookedExited), shimStays(bookedExited)
	}
	return text(bookedRunning), c.letGo(c.killedCode(), "")
}

// afterRm is the same for docker rm -f, which has to be repeated when it failed.
func (c *inspection) afterRm(f *EndForecast) (*string, *Freed) {
	switch {
	case f.ContainerEnds == nil || !f.Command.Returns:
		return nil, nil
	case *f.ContainerEnds:
		return text(bookedRemoved), nil
	case f.Outcome == string(Ghost) && f.Command.ExitStatus == nil: // not known
		return nil, nil
	case f.Outcome == string(Ghost):
		return text(bookedRemoved), leftAlone(bookedRemoved)
	case f.Command.ExitStatus == nil && f.Command.AfterSeconds != nil: // a race
		return nil, nil
	case f.Command.ExitStatus != nil && *f.Command.ExitStatus == 0:
		return text(bookedRemoved), shimStays(bookedRemoved)
	}
	return text(bookedRunning), c.letGo(c.killedCode(), "; docker rm has to be repeated")
}

// letGo: SIGKILL is pending, so the container ends as soon as it can.
func (c *inspection) letGo(code *int, more string) *Freed {
	if c.autoRemoved() {
		return &Freed{Status: bookedRemoved, ExitCode: code, Says: "it ends at once and is removed (--rm)"}
	}
	says := "it ends at once"
	if code != nil {
		says += fmt.Sprintf(", exit code %d", *code)
	}
	return &Freed{Status: bookedExited, ExitCode: code, Says: says + more}
}

// leftAlone: the engine has let go of what hangs.
func leftAlone(booked string) *Freed {
	return &Freed{Status: booked, Says: "what hung ends by itself; the engine takes no part in it"}
}

// shimStays: booked as exited while it lived.
func shimStays(booked string) *Freed {
	return &Freed{Status: booked, Says: "its processes end, and the shim stays behind"}
}

// killedCode is SIGKILL's exit code; nil where the init is exiting already, with
// a code of its own that nobody can see.
func (c *inspection) killedCode() *int {
	if dying(c.root) {
		return nil
	}
	return status(137)
}

// freedCode is the exit code after a stop that gave up: the init's own where it
// ended before SIGKILL came and only its namespace did not empty, else 137.
func (c *inspection) freedCode(o *outlook) *int {
	if c.killedCode() == nil {
		return nil
	}
	for i := range o.hangs {
		// In these two it is others that hang.
		if h := &o.hangs[i]; h.p == c.root && h.code != "WS205" && h.code != "WS215" {
			return status(137)
		}
	}
	switch {
	case o.root.ends == catalog.EndsNo || c.frozenAbove():
		return status(137)
	case o.root.ends == catalog.EndsYes && o.root.after <= float64(o.timeout):
		return o.root.code
	}
	return nil // its handler decides
}

func (c *inspection) autoRemoved() bool { return c.t.Container != nil && c.t.Container.AutoRemove }

// autoRemoval is how --rm comes to its end (moby daemon/monitor.go autoRemove, in
// a goroutine of its own). Measured with 20.10, 28 and 29: stop and kill return as
// soon as the exit is booked, milliseconds before a small container is gone, and
// seconds before a large one; they succeed also where the removal then fails.
func (c *inspection) autoRemoval(at float64, command string) []Step {
	if !c.byEngine() || c.fromPodman() {
		return nil
	}
	return []Step{{AtSeconds: at, Action: removalStep, Effect: "with its anonymous volumes; " + command + " may return before that is done"}}
}

const removalStep = "removal (--rm)"

// volumesStay: docker rm -f of a --rm container comes before its own removal, and
// does not do what that would have done. Measured with 20.10, 28 and 29.
func (c *inspection) volumesStay() string {
	if !c.autoRemoved() || !c.byEngine() || c.fromPodman() {
		return ""
	}
	return "; anonymous volumes stay, although --rm would have taken them: docker rm -f -v"
}
