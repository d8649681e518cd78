package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
)

// worstHang is the surest hang, nil when nothing hangs.
func (c *inspection) worstHang(o *outlook) *hang {
	var worst *hang
	for i := range o.hangs {
		if !c.holdsEnd(o.hangs[i].p) || o.hangs[i].unread {
			continue
		}
		if worst == nil || rank(o.hangs[i].conf) > rank(worst.conf) {
			worst = &o.hangs[i]
		}
	}
	if worst == nil && c.frozenAbove() {
		worst = &hang{p: c.root, t: leader(c.root), code: "WS207", conf: Certain, says: "a parent cgroup is frozen"}
	}
	return worst
}

// stuck: SIGKILL does not end it all.
func (c *inspection) stuck(o *outlook, h *hang) {
	o.conf = h.conf
	o.code = nil
	if c.outlivedBy(h.p) {
		c.outlives(o)
		return
	}
	wait := waitExitEvent + waitDirectKill + waitStopExtra
	message := fmt.Sprintf("cannot stop container: %s: %s", c.displayName(), noExitEvent)
	if h.leaderZombie && h.p == c.root {
		wait = waitExitEvent + waitStopExtra
		message = fmt.Sprintf("cannot stop container: %s: %s", c.displayName(), c.zombieText())
	}
	o.verdict, o.after = Stuck, nil
	no := false
	o.ends = &no
	at := float64(max(o.timeout, 0))
	after := at + float64(wait)
	o.command = Command{Returns: true, AfterSeconds: &after, ExitStatus: status(1), Error: &message}
	if h.leaderZombie && h.t != nil && h.t.TID != h.p.PID {
		o.command.ExitStatus = nil // measured 0 and 1: a race
	}
	if h.timeless {
		o.command.AfterSeconds, o.command.Error = nil, nil // one of two, and which is not known
	}
	forever := o.timeout < 0
	if forever {
		o.command = Command{Returns: false}
	}
	if c.defect(catalog.StopWithoutEnd) != nil {
		o.command = Command{Returns: false}
	}
	if h.p == c.root && alreadyZombie(h) {
		booked, known := c.bookedAt(h)
		gives := float64(o.timeout + waitExitEvent)
		switch {
		case !known:
			o.command, at, forever = Command{Returns: true}, 0, false
		case o.timeout >= 0 && booked > gives+waitStopExtra+raceMargin: // it gives up first
		default:
			at, after, forever = 0, booked, false
			o.command = returned(&after)
			if o.timeout >= 0 && booked >= gives-raceMargin {
				o.command.ExitStatus = nil // its own wait ends at the same time
			}
		}
	}
	o.cutSteps()
	if forever && c.byEngine() {
		o.step(0, "no SIGKILL ever follows", "timeout -1: docker stop waits for ever")
		return
	}
	o.step(at, "SIGKILL to "+c.title(o.root.p), h.says)
	if !c.byEngine() {
		o.command = Command{Returns: true} // kill(2) does; nobody waits and gives up
		return
	}
	o.step(after, "docker stop returns", o.lastWords())
}

// alreadyZombie reports whether the init is a zombie before any command is given.
// runc takes it for gone: no signal is sent, and the engine books an exit by itself.
func alreadyZombie(h *hang) bool { return h.leaderZombie && h.p.State == "Z" }

// raceMargin is how close two of the engine's timers may be for a race, in seconds.
const raceMargin = 0.5

// bookedAt is when the engine books the exit of an init that is a zombie already:
// after the container's own stop timeout, whatever the command's (moby
// killWithSignal), and where threads live after a try to delete the task (measured
// 10 and 12 s with the default). false: not known.
func (c *inspection) bookedAt(h *hang) (float64, bool) {
	own := c.ownTimeout()
	if own < 0 {
		return 0, false
	}
	if h.code == "WS206" {
		own += waitDirectKill
	}
	return float64(own), true
}

// zombieText is the engine's own message for a zombie init (moby daemon/kill.go).
func (c *inspection) zombieText() string {
	return fmt.Sprintf("container %s PID %d is zombie and can not be killed. Use the --init option when creating containers to run an init inside the container that forwards signals and reaps processes", c.shortID(), c.root.PID)
}

// lastWords says how a stop of something that does not end comes back.
func (o *outlook) lastWords() string {
	switch s := o.command.ExitStatus; {
	case s == nil:
		return "an error, or as if all were well (a race); what hangs lives on"
	case *s == 0:
		return "as if all were well: booked as exited, and it lives"
	}
	return "an error: " + noExitEvent
}

// cutSteps drops what follows the stop signal.
func (o *outlook) cutSteps() { o.steps = o.steps[:1] }
