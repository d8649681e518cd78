package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Stop writes the whole report of a stop for a person: what was expected, what
// happened, what is left. A live run prints the same in three parts, as they come:
// StopExpected, StopEvent, StopEnded.
func Stop(w io.Writer, r diagnose.Report, o Options) error {
	if err := StopExpected(w, r, o); err != nil {
		return err
	}
	for _, c := range r.Containers {
		if c.Observed == nil {
			continue
		}
		for _, e := range c.Observed.Events {
			if err := StopEvent(w, c, e, len(r.Containers) > 1, o); err != nil {
				return err
			}
		}
	}
	return StopEnded(w, r, o)
}

// StopExpected writes the forecast before anything is sent.
func StopExpected(w io.Writer, r diagnose.Report, o Options) error {
	p := newPage(o)
	r = cleanReport(r)
	switch len(r.Containers) {
	case 0:
	case 1:
		c := r.Containers[0]
		p.title(c)
		if c.Headline != "" {
			p.prose(0, sentence(c.Headline))
		}
		if c.Stop != nil && len(c.Stop.Steps) > 0 {
			p.line()
			p.line("  expected")
			p.steps(c.Stop.Steps)
			p.line()
			p.line("  what happens")
		}
	default:
		p.line(p.s.bold("expected"))
		p.lines(r.Containers)
		p.line()
		p.line(p.s.bold("what happens"))
	}
	return p.to(w, "text")
}

// StopEvent writes one thing that was seen, in one line. With many containers it
// begins with the name.
func StopEvent(w io.Writer, c diagnose.Container, e diagnose.ObservedEvent, many bool, o Options) error {
	p := newPage(o)
	e = clean(e)
	head := padLeft(fmt.Sprintf("%.2f s", e.AtSeconds), atWidth) + spaces(actionAt-atWidth)
	if many {
		head = pad(p.fit(Escape(name(c)), 16), 16) + head
	}
	source := "[" + e.Source + "]"
	columns := textWidth(head)
	for i, l := range wrap(e.What+" "+source, max(p.width-columns, 20)) {
		if i > 0 {
			head = spaces(columns)
		}
		if said, ends := strings.CutSuffix(l, source); ends {
			l = said + p.s.dim(source)
		}
		p.line(head, l)
	}
	return p.to(w, "text")
}

// StopEnded writes how it ended: the comparison, the proof, and why what lives on
// lives. Many containers get a line each first.
func StopEnded(w io.Writer, r diagnose.Report, o Options) error {
	p := newPage(o)
	r = cleanReport(r)
	if len(r.Containers) > 1 {
		p.stopTable(r.Containers)
	}
	for _, c := range r.Containers {
		if len(r.Containers) == 1 || c.Observed != nil && !endedWell(c) {
			p.stopEnd(c)
		}
	}
	return p.to(w, "text")
}

// endedWell: nothing about the stop needs a person.
func endedWell(c diagnose.Container) bool {
	o := c.Observed
	return o.Outcome == string(diagnose.Stops) && o.Then != "restarted" && len(o.Survivors) == 0 && o.Still == nil && (c.Agreed == nil || *c.Agreed)
}

func (p *page) stopTable(list []diagnose.Container) {
	p.line()
	names, ends := 0, 0
	for _, c := range list {
		names = max(names, min(textWidth(name(c)), p.width/4))
		ends = max(ends, textWidth(endPhrase(c)))
	}
	for _, c := range list {
		p.line(p.s.bold(pad(p.fit(name(c), names), names)+"  "), p.s.verdict(endVerdict(c), pad(endPhrase(c), ends)), "  ", agreement(c))
	}
}

// stopEnd is the end of one container.
func (p *page) stopEnd(c diagnose.Container) {
	p.line()
	o := c.Observed
	if o == nil {
		p.prose(0, "Nothing was sent: it does not run.")
		return
	}
	p.line(p.s.bold(name(c)), "  ", p.s.verdict(endVerdict(c), endPhrase(c)), "  ", agreement(c))
	p.line("  predicted  ", phrase(c), codeWords(c.Stop))
	if words := leftWords(o); words != "" {
		p.prose(2, words)
	}
	if o.Then == "restarted" {
		p.prose(2, "It was started again: a restart policy holds against a signal that is not the container's own stop signal.")
	}
	if o.Note != "" {
		p.prose(2, sentence(o.Note))
	}
	if o.Command != nil && o.Command.Error != nil {
		p.prose(2, "docker's answer: "+*o.Command.Error)
	}
	p.proof(o)
	if o.Still != nil {
		p.line()
		p.line("  what lives on, looked at again")
		p.line()
		p.screen(diagnose.Report{}, stillThere(c))
	}
}

// stillThere is what lives on as a container of its own, for the usual screen.
func stillThere(c diagnose.Container) diagnose.Container {
	s := c.Observed.Still
	return diagnose.Container{Name: c.Name, Target: c.Target, Kind: c.Kind, ID: c.ID, Image: c.Image, PID: c.PID, Status: s.Status,
		Verdict: s.Verdict, Confidence: s.Confidence, Layer: s.Layer, Headline: s.Headline,
		Findings: s.Findings, Processes: s.Processes, Gaps: s.Gaps}
}

// proof lists the places that were looked at, what is wrong in lines of their own.
func (p *page) proof(o *diagnose.Observed) {
	var good, dark []string
	head := "all gone: "
	for _, c := range o.Proof {
		switch {
		case c.OK == nil:
			dark = append(dark, c.What+" ("+c.Says+")")
			if c.What == "processes" {
				head = "as far as was seen: "
			}
		case *c.OK:
			good = append(good, c.Says)
		default:
			head = "beside it: "
			p.line("  ", p.s.severity(diagnose.SeverityError, "left"), "       ", c.What, ": ", c.Says)
		}
	}
	if len(good) > 0 {
		p.prose(2, head+strings.Join(good, " · "))
	}
	if len(dark) > 0 {
		p.prose(2, "not known: "+strings.Join(dark, " · "))
	}
}

// endVerdict is the observed outcome as a verdict, for its colour.
func endVerdict(c diagnose.Container) diagnose.Verdict {
	if c.Observed == nil {
		return diagnose.NotRunning
	}
	return diagnose.Verdict(c.Observed.Outcome)
}

// endPhrase says what happened: "KILLED after 10.1 s, exit code 137".
func endPhrase(c diagnose.Container) string {
	o := c.Observed
	if o == nil {
		return "NOT RUNNING"
	}
	text := map[diagnose.Verdict]string{
		diagnose.Stops: "STOPPED", diagnose.Abrupt: "ABRUPT END", diagnose.Killed: "KILLED", diagnose.Stuck: "STUCK: it lives",
		diagnose.Refused: "REFUSED", diagnose.Ghost: "GHOST", diagnose.Unknown: "END NOT SEEN",
	}[diagnose.Verdict(o.Outcome)]
	if o.AfterSeconds != nil {
		text += fmt.Sprintf(" after %.1f s", *o.AfterSeconds)
	}
	if o.ExitCode != nil {
		text += fmt.Sprintf(", exit code %d", *o.ExitCode)
	}
	return text
}

func codeWords(s *diagnose.StopForecast) string {
	if s == nil || s.ExitCode == nil {
		return ""
	}
	return fmt.Sprintf(", exit code %d", *s.ExitCode)
}

func agreement(c diagnose.Container) string {
	switch {
	case c.Agreed == nil:
		return ""
	case *c.Agreed:
		return "as predicted"
	}
	return "NOT as predicted"
}

// leftWords say what becomes of a request that was left.
func leftWords(o *diagnose.Observed) string {
	switch o.Left {
	case "carried-on":
		return "The engine has taken the request and carries it on without this command."
	case "never-accepted":
		return "The engine has not taken the request: nothing was sent to the container."
	case "kept-open":
		return "This engine sends SIGKILL at once when the client of a stop leaves (23.0.0 to 23.0.7, 24.0.0 to 24.0.2): the connection is kept open in the background."
	case "unknown":
		return "Whether the engine has taken the request cannot be told."
	}
	return ""
}
