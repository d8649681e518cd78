package diagnose

import (
	"fmt"
	"strings"
)

// Disagreed reports whether a forecast that is a promise was not kept: a bug of
// ours. One that rests on an assumption promises nothing, and one about what a
// signal does says nothing of a program that ends without it.
func (c *Container) Disagreed() bool {
	return c.Agreed != nil && !*c.Agreed && c.Confidence != Assumed && !c.EndedByItself()
}

// EndedByItself reports whether a container that the signal did not reach was
// seen to end in its own time: the kernel told that the signal was discarded, and
// the init then exited and was not killed.
func (c *Container) EndedByItself() bool {
	o := c.Observed
	if c.Verdict != Killed || o == nil || o.Outcome != string(Stops) || o.ExitCode == nil || *o.ExitCode > 128 {
		return false
	}
	for _, e := range o.Events {
		if e.PID == c.PID && e.Source == "tracefs" && strings.Contains(e.What, ": discarded") {
			return true
		}
	}
	return false
}

// Otherwise puts the finding for a stop that went otherwise than one would hope,
// and not otherwise than was promised, into c.
func Otherwise(c *Container) {
	if c.Agreed == nil || *c.Agreed {
		return
	}
	switch {
	case c.Confidence == Assumed:
		assumedWrong(c)
	case c.EndedByItself():
		endedByItself(c)
	}
}

// assumedWrong: a handler did not do what one hopes of handlers.
func assumedWrong(c *Container) {
	f := newFinding("WS536", nil)
	o := c.Observed
	f.Summary = fmt.Sprintf("a handler runs, what it does cannot be seen before: assumed was %s, seen was %s", c.Verdict, o.Outcome)
	f.Evidence = append(f.Evidence, Evidence{Source: "stop", Field: o.Outcome, Value: ending(o.ExitCode, o.AfterSeconds), Says: "what happened"})
	f.Fixes = []Fix{{When: FixImage, Text: "let the program end in its handler, within the stop timeout; or give it the signal that it ends on: STOPSIGNAL"}}
	c.Findings = append([]Finding{f}, c.Findings...)
}

func endedByItself(c *Container) {
	f := newFinding("WS537", nil)
	o := c.Observed
	f.Summary = "the signal had no effect, and it ended in its own time meanwhile: later it would have been killed"
	f.Evidence = append(f.Evidence, Evidence{Source: "stop", Field: o.Outcome, Value: ending(o.ExitCode, o.AfterSeconds), Says: "without having heard the signal"})
	f.Fixes = []Fix{{When: FixRun, Text: "for a job that ends by itself: say when it is at work (--ready-log), or ignore this finding (--ignore WS537)"}}
	c.Findings = append([]Finding{f}, c.Findings...)
}

// Disagree puts the finding for a forecast that was wrong into c, which has
// Observed: it is a bug of ours. capture names the file to send, "" for none.
func Disagree(c *Container, capture, where string) {
	f := newFinding("WS532", nil)
	o := c.Observed
	f.Summary = fmt.Sprintf("foretold was %s, seen was %s: a bug of whystuck, please send the capture", c.Verdict, o.Outcome)
	if c.Verdict == Verdict(o.Outcome) {
		f.Summary = fmt.Sprintf("it came to %s as foretold, but otherwise than foretold: a bug of whystuck, please send the capture", c.Verdict)
	}
	if s := c.Stop; s != nil {
		f.Evidence = append(f.Evidence, Evidence{Source: "forecast", Field: s.Outcome, Value: ending(s.ExitCode, s.AfterSeconds), Says: string(c.Confidence)})
	}
	f.Evidence = append(f.Evidence, Evidence{Source: "stop", Field: o.Outcome, Value: ending(o.ExitCode, o.AfterSeconds), Says: "what happened"})
	text := "send this file to " + where + "; it is redacted"
	if capture == "" {
		text = "run it again; the capture of this run could not be written"
	}
	f.Fixes = []Fix{{When: FixHost, Text: strings.TrimSpace(text + " " + capture)}}
	c.Findings = append([]Finding{f}, c.Findings...)
}

func ending(code *int, after *float64) string {
	var parts []string
	if code != nil {
		parts = append(parts, fmt.Sprintf("exit code %d", *code))
	}
	if after != nil {
		parts = append(parts, fmt.Sprintf("%.1f s", *after))
	}
	if len(parts) == 0 {
		return "no end"
	}
	return strings.Join(parts, " after ")
}
