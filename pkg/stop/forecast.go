package stop

import (
	"fmt"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// forecastOwn replaces docker stop's forecast where the stop is not docker's: a
// chain of signals, or an earlier SIGKILL.
func (o *Options) forecastOwn(s *evidence.Snapshot, c *diagnose.Container, i int) {
	if c.Stop == nil {
		return
	}
	if len(o.Chain) > 1 {
		o.forecastChain(s, c, i)
	}
	if o.KillAfter != nil {
		cutAt(c, o.KillAfter.Seconds())
	}
}

// waitOf is the wait of a link as a stop timeout. Nothing comes after the last one,
// which is as if its timeout had no end. A part of a second counts as a whole one in
// the forecast.
func (o *Options) waitOf(i int) *int {
	n := -1
	if i < len(o.Chain)-1 {
		n = int((o.Chain[i].Wait + time.Second - 1) / time.Second)
	}
	return &n
}

// forecastChain judges each link as if the ones before it had changed nothing, and
// takes the first that ends the container. What a handler did before cannot be
// seen before it did it.
func (o *Options) forecastChain(s *evidence.Snapshot, c *diagnose.Container, i int) {
	before := 0.0
	var steps []diagnose.Step
	for n, l := range o.Chain {
		j := diagnose.Judge(s, diagnose.Options{Version: s.Version, Signal: l.Signal, Timeout: o.waitOf(n)}).Containers[i]
		if j.Stop == nil {
			return
		}
		if len(j.Stop.Steps) > 0 {
			first := j.Stop.Steps[0]
			first.AtSeconds += before
			steps = append(steps, first)
		}
		last := n == len(o.Chain)-1
		if ends(j.Verdict) || last {
			o.adopt(c, &j, n, before, steps)
			return
		}
		before += l.Wait.Seconds()
	}
}

// ends: this link ends the container, or it is not known to let it live.
func ends(v diagnose.Verdict) bool {
	return v == diagnose.Stops || v == diagnose.Abrupt || v == diagnose.Unknown
}

// adopt takes the forecast of the link that ends it.
func (o *Options) adopt(c *diagnose.Container, j *diagnose.Container, n int, before float64, steps []diagnose.Step) {
	sig := o.Chain[n].Signal
	if sig == evidence.SIGKILL && n > 0 && j.Verdict == diagnose.Abrupt {
		j.Verdict, j.Stop.Outcome = diagnose.Killed, string(diagnose.Killed)
	}
	if j.Stop.AfterSeconds != nil {
		at := *j.Stop.AfterSeconds + before
		j.Stop.AfterSeconds, j.Stop.Command.AfterSeconds = &at, &at
	}
	if n > 0 && j.Confidence == diagnose.Certain && sig != evidence.SIGKILL {
		j.Confidence = diagnose.Likely
	}
	j.Stop.Signal = evidence.SignalName(o.Chain[0].Signal)
	j.Stop.Steps = steps
	*c = *j
}

// cutAt ends a forecast by a SIGKILL at a moment, where it would go on.
func cutAt(c *diagnose.Container, at float64) {
	s := c.Stop
	late := s.AfterSeconds == nil || *s.AfterSeconds > at
	waits := c.Verdict == diagnose.Killed || c.Verdict == diagnose.Stuck && !s.Command.Returns && s.TimeoutSeconds < 0
	if !late || !waits {
		return
	}
	if c.Verdict == diagnose.Stuck {
		c.Headline = fmt.Sprintf("nothing else ends it: --kill-after sends SIGKILL after %g s", at)
	}
	code := 137
	ends := true
	c.Verdict, s.Outcome = diagnose.Killed, string(diagnose.Killed)
	s.AfterSeconds, s.ExitCode, s.ContainerEnds = &at, &code, &ends
	s.Command = diagnose.Command{Returns: true, AfterSeconds: &at}
	if len(s.Steps) > 1 {
		s.Steps = s.Steps[:1]
	}
	s.Steps = append(s.Steps, diagnose.Step{AtSeconds: at, Action: "SIGKILL by whystuck", Effect: fmt.Sprintf("dies: --kill-after %g", at)})
}
