package stop

import (
	"math"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// outcome finds the verdict word for what happened.
func (r *run) outcome(l left) {
	o, f := &r.survived, &r.facts
	o.Outcome = string(r.verdict(l))
	if !l.ended() && !l.restarted(r) {
		return
	}
	o.ExitCode = r.exitCode(l)
	switch {
	case f.initDied != nil:
		o.AfterSeconds = f.initDied
	case f.died:
		o.AfterSeconds = &f.diedAt
	case o.Command != nil:
		o.AfterSeconds = o.Command.AfterSeconds
	}
}

// exitCode is that of the run that was stopped, nil where it is not known.
func (r *run) exitCode(l left) *int {
	if r.facts.dieCode == nil && l.ended() {
		return l.state.ExitCode
	}
	return r.facts.dieCode
}

func (r *run) verdict(l left) diagnose.Verdict {
	f := &r.facts
	alive := len(l.after.Tasks()) > 0
	switch {
	case !r.nothingSent() && (r.denied(f.stopErr) || r.denied(f.lastErr)):
		return diagnose.Refused
	case l.after.Blind && !alive && (l.ended() || l.restarted(r)):
		return diagnose.Unknown // the engine's word alone
	case l.restarted(r):
		return r.how(l)
	case l.ended() && !alive:
		return r.how(l)
	case l.ended() && r.hostPIDs():
		return diagnose.Ghost
	case l.ended():
		return diagnose.Stuck // booked as over, and it lives
	case l.err == nil && !alive && !l.after.NoCgroup && r.survived.Cut != "interrupted":
		return diagnose.Ghost
	case r.nothingSent():
		return diagnose.Unknown
	case f.stopErr != nil, r.survived.Cut == "" && f.lastErr != nil:
		return diagnose.Stuck
	case r.survived.Cut == "deadline" && r.outlived():
		return diagnose.Stuck
	}
	return diagnose.Unknown
}

// nothingSent: no request is known to have reached the engine, and each has ended.
func (r *run) nothingSent() bool {
	for _, p := range r.pending {
		if !p.unsent {
			return false
		}
	}
	return len(r.pending) > 0
}

func (r *run) hostPIDs() bool { return r.t.HostPIDNS != nil && *r.t.HostPIDNS }

// outlived: it lives longer than a stop of it can take. Where no SIGKILL comes
// nobody knows how long a handler may need: only what was forecast to live for ever
// is believed to.
func (r *run) outlived() bool {
	longest := r.longest()
	return r.now() >= longest || math.IsInf(longest, 1) && r.c.Verdict == diagnose.Stuck
}

// longest is the time after which a stop that goes its usual way has come back,
// whatever the container does: 14 s after SIGKILL; infinite where none is sent.
func (r *run) longest() float64 {
	killed := math.Inf(1)
	acts := slices.Clone(r.acts)
	for _, p := range r.pending {
		acts = append(acts, p.act)
	}
	for _, a := range acts {
		switch t := timeoutOf(r.c); {
		case a.stop && t >= 0:
			killed = min(killed, a.at.Seconds()+float64(t))
		case !a.stop && a.sig == evidence.SIGKILL:
			killed = min(killed, a.at.Seconds())
		}
	}
	return killed + 14
}

// how tells the ends apart: of the stop signal, with somebody cut off, or of
// SIGKILL.
func (r *run) how(l left) diagnose.Verdict {
	first := r.firstSignal()
	diedOf, known := r.facts.deadOf[r.t.PID]
	code := r.exitCode(l)
	switch {
	case r.killsAtOnce() && (r.c.Verdict == diagnose.Killed || r.c.Verdict == diagnose.Abrupt):
		return r.c.Verdict // what it would have done with its stop signal cannot be seen
	case first == evidence.SIGKILL:
		return diagnose.Abrupt
	case r.facts.killed, diedOf == evidence.SIGKILL:
		return diagnose.Killed
	case !known && code != nil && *code == 128+evidence.SIGKILL: // before Linux 6.15 its own end says no more
		return diagnose.Killed
	case len(r.cutOff()) > 0:
		return diagnose.Abrupt
	}
	return diagnose.Stops
}

// killsAtOnce: with a timeout of 0 Podman sends no stop signal.
func (r *run) killsAtOnce() bool {
	s := r.p.snapshot
	return s != nil && s.Host.Engine != nil && s.Host.Engine.Name == "podman" && timeoutOf(r.c) == 0
}

func (r *run) firstSignal() int {
	if r.c.Stop == nil {
		return 0
	}
	for n := 1; n <= evidence.SIGRTMAX; n++ {
		if evidence.SignalName(n) == r.c.Stop.Signal {
			return n
		}
	}
	return 0
}

// cutOff are the processes with a handler that were seen to die of SIGKILL before
// it was done: those that were forecast to be, and those whose handler had begun.
func (r *run) cutOff() []int {
	var out []int
	for pid, sig := range r.facts.deadOf {
		said := r.c.Stop != nil && slices.Contains(r.c.Stop.KilledUnheard, pid)
		if sig == evidence.SIGKILL && (said || r.facts.delivered[pid]) {
			out = append(out, pid)
		}
	}
	return out
}

// blind: whether somebody is cut off was forecast and could not be seen.
func (r *run) blind() bool {
	if r.c.Verdict != diagnose.Abrupt || r.c.Stop == nil || r.firstSignal() == evidence.SIGKILL {
		return false
	}
	return !slices.ContainsFunc(r.c.Stop.KilledUnheard, func(pid int) bool {
		_, seen := r.facts.deadOf[pid]
		return seen
	})
}

// denied: the engine's message is one of a refused signal. Podman says of a SIGKILL
// only that it could not be sent: that is believed where it was foreseen.
func (r *run) denied(err error) bool {
	if err == nil {
		return false
	}
	return strings.Contains(err.Error(), "operation not permitted") || strings.Contains(err.Error(), "permission denied") ||
		r.c.Verdict == diagnose.Refused && strings.Contains(err.Error(), "sending signal to container")
}

// compare holds the forecast against what was seen.
func (r *run) compare() {
	o, c := &r.survived, r.c
	inOrder(o.Events) // what came too late to be told in its place, too
	if c.Verdict == diagnose.Unknown || o.Outcome == string(diagnose.Unknown) || r.blind() {
		return
	}
	agreed := o.Outcome == string(c.Verdict)
	if s := c.Stop; agreed && s != nil {
		agreed = sameCode(s.ExitCode, o.ExitCode) && near(s.AfterSeconds, r.sinceSignal())
	}
	c.Agreed = &agreed
}

func sameCode(said, was *int) bool { return said == nil || was == nil || *said == *was }

// sinceSignal is when it ended, counted from the first signal: the engine's waits
// begin there, however long a busy engine took to send it.
func (r *run) sinceSignal() *float64 {
	end, first := r.survived.AfterSeconds, r.facts.signalled
	if end == nil || first == nil {
		return end
	}
	d := *end - *first
	return &d
}

// near allows what a loaded machine adds: the forecast's seconds are the engine's
// waits and not how fast it is.
func near(said, was *float64) bool {
	return said == nil || was == nil || math.Abs(*said-*was) <= 2+*said/10
}
