package stop

import (
	"cmp"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// act is one request to the engine.
type act struct {
	at   time.Duration // after the first
	stop bool          // a stop; else a kill with signal
	opt  engine.StopOptions
	sig  int
}

// acts are the requests that make up the stop of one container.
//
// own is the container's own stop signal: a stop that asks for it needs no word of
// it, so that every engine can do it.
func (o *Options) acts(c *diagnose.Container, own int, takesSignal bool) []act {
	var out []act
	sig := o.Signal
	if sig == own {
		sig = 0
	}
	switch {
	case len(o.Chain) > 0:
		at := time.Duration(0)
		for _, l := range o.Chain {
			out = append(out, act{at: at, sig: l.Signal})
			at += l.Wait
		}
	case sig != 0 && o.Emulate && !takesSignal:
		out = append(out, act{sig: sig})
		if t := timeoutOf(c); t >= 0 {
			out = append(out, act{at: time.Duration(t) * time.Second, sig: evidence.SIGKILL})
		}
	default:
		out = append(out, act{stop: true, opt: engine.StopOptions{Signal: sig, Timeout: o.Timeout}})
	}
	if o.KillAfter != nil {
		out = append(out, act{at: *o.KillAfter, sig: evidence.SIGKILL})
		slices.SortStableFunc(out, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	}
	return out
}

// timeoutOf is the stop timeout in seconds that was forecast with, -1 for ever.
func timeoutOf(c *diagnose.Container) int {
	if c.Stop == nil {
		return 10
	}
	return c.Stop.TimeoutSeconds
}

const (
	// graceAfter is what the engine takes at most after the timeout, 14 s, and what
	// a loaded machine adds.
	graceAfter = 20 * time.Second
	// forever is the deadline where the timeout is for ever.
	forever = time.Minute
)

// deadline is when to give up on a container, from the beginning.
func (o *Options) deadline(c *diagnose.Container) time.Duration {
	if o.Deadline > 0 {
		return o.Deadline
	}
	last := time.Duration(timeoutOf(c)) * time.Second
	if len(o.Chain) > 0 {
		last = 0
		for _, l := range o.Chain {
			last += l.Wait
		}
	}
	if o.KillAfter != nil && (last < 0 || *o.KillAfter < last) {
		last = *o.KillAfter
	}
	if last < 0 {
		return forever
	}
	return last + graceAfter
}

// reserve is what of the deadline is kept for the look at what is left.
func reserve(deadline time.Duration) time.Duration {
	return min(2*time.Second, deadline/4)
}
