package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// harmless are signals whose default action ends nothing.
var harmless = []int{evidence.SIGCHLD, evidence.SIGCONT, evidence.SIGURG, evidence.SIGWINCH, evidence.SIGSTOP, evidence.SIGTSTP, evidence.SIGTTIN, evidence.SIGTTOU}

// ruleSignal holds the stop signal against what the program makes of it.
func (c *imageCase) ruleSignal(l *link) {
	if c.sig == evidence.SIGKILL || slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Code == "WS501" }) {
		return
	}
	if l.row == nil || len(l.row.Responses) == 0 && l.row.Stop == 0 {
		c.ruleForeign(l)
		return
	}
	response, known := l.row.Responses[c.sig]
	switch {
	case l.row.ID == "uwsgi" && (l.program.Options["die-on-term"] != "" || l.program.Options["master"] == ""):
	case known && response.Ends == catalog.EndsNo:
		c.wants(l, Likely, SeverityError, fmt.Sprintf("%s takes %s for something else: it %s", l.name(), c.sigName, response.Means), response.Instead)
	case known && response.AtLeast > 10:
		c.wants(l, Likely, SeverityWarning, fmt.Sprintf("%s %s: longer than the 10 s that docker stop waits", l.name(), response.Means), "")
	case l.row.Stop != 0 && c.sig == evidence.SIGTERM:
		conf := Likely
		if c.alone() && c.img.Dockerfile.Base != "scratch" && c.img.StopSignal == "" {
			conf = Assumed // the base may set it
		}
		c.wants(l, conf, SeverityWarning, fmt.Sprintf("%s: %s; its own image is stopped by %s", l.name(), l.row.StopFor, evidence.SignalName(l.row.Stop)), evidence.SignalName(l.row.Stop))
	case !known && c.sig != l.row.Stop:
		c.ruleForeign(l)
	}
}

// wants: another signal than the configured one is meant.
func (c *imageCase) wants(l *link, conf Confidence, severity, summary, instead string) {
	f := c.finding("WS508", "STOPSIGNAL", conf)
	f.Severity, f.Summary = severity, summary
	f.Evidence = append(f.Evidence, c.stopFact(), c.programFact(l))
	switch {
	case instead != "":
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "in the last stage", Patch: "STOPSIGNAL " + instead},
			Fix{When: FixRun, Text: "for one container", Command: "docker run --stop-signal " + instead + " ..."})
	default:
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "give it the time", Command: "docker run --stop-timeout 60 ..."})
	}
	c.add(f)
}

// stopFact is the stop signal as it is configured.
func (c *imageCase) stopFact() Evidence {
	if c.img.Run.StopSignal != "" {
		return c.configFact("--stop-signal", bounded(c.img.Run.StopSignal, 40), "sent by docker stop")
	}
	if c.img.StopSignal == "" {
		return c.configFact("Config.StopSignal", "", "not set: SIGTERM")
	}
	return c.configFact("Config.StopSignal", bounded(c.img.StopSignal, 40), "sent by docker stop")
}

// ruleForeign: a signal other than SIGTERM, to a program that is not known to
// take it: set for another program, or by the base image.
func (c *imageCase) ruleForeign(l *link) {
	if c.sig == evidence.SIGTERM || c.sig == evidence.SIGINT || c.sig == evidence.SIGKILL {
		return
	}
	if slices.Contains(harmless, c.sig) {
		f := c.finding("WS116", "STOPSIGNAL", Likely)
		f.Summary = fmt.Sprintf("%s does not end anything unless the program has a handler for it", c.sigName)
		f.Severity = SeverityWarning
		f.Evidence = append(f.Evidence, c.stopFact())
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "the usual one", Patch: "STOPSIGNAL SIGTERM"})
		c.add(f)
		return
	}
	f := c.finding("WS509", "STOPSIGNAL", Assumed)
	f.Summary = fmt.Sprintf("%s is not known to take %s", l.name(), c.sigName)
	if who := meantFor(c.sig); who != "" {
		f.Summary += ", which is the stop signal of " + who
	}
	f.Evidence = append(f.Evidence, c.stopFact())
	if fact, ok := c.inherited(); ok {
		f.Summary += "; it comes from the base image"
		f.Evidence = append(f.Evidence, fact)
	}
	f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "in the last stage, if the program takes SIGTERM", Patch: "STOPSIGNAL SIGTERM"})
	c.add(f)
}

// meantFor are the programs whose own stop signal this is.
func meantFor(sig int) string {
	var out []string
	for _, p := range catalog.Programs() {
		if p.Stop == sig && !slices.Contains(out, p.ID) {
			out = append(out, p.ID)
		}
	}
	return strings.Join(out, ", ")
}

// inherited reports whether the stop signal was set before the command: by the
// image that this one is built on. Only builders' own history tells.
func (c *imageCase) inherited() (Evidence, bool) {
	if d := c.img.Dockerfile; d != nil {
		if d.Lines["STOPSIGNAL"] > 0 || d.Alone {
			return Evidence{}, false
		}
		return Evidence{Source: fmt.Sprintf("%s:%d", d.Path, max(d.Lines["FROM"], 1)), Field: "FROM", Value: bounded(d.Base, 120), Says: "the Dockerfile sets no STOPSIGNAL of its own"}, true
	}
	stop := -1
	for i, line := range c.img.History {
		if strings.HasPrefix(instruction(line), "STOPSIGNAL") {
			stop = i
		}
	}
	// The base sets its own command after it, and the image then another one.
	if stop < 0 || !c.commandAgain(stop) {
		return Evidence{}, false
	}
	return Evidence{Source: "docker history", Field: fmt.Sprintf("step %d of %d", stop+1, len(c.img.History)), Value: bounded(instruction(c.img.History[stop]), 80), Says: "written before the command was set a second time"}, true
}

// commandAgain reports whether CMD or ENTRYPOINT is written twice after a step.
func (c *imageCase) commandAgain(step int) bool {
	seen := map[string]int{}
	for _, line := range c.img.History[step+1:] {
		word, _, _ := strings.Cut(instruction(line), " ")
		seen[word]++
	}
	return seen["CMD"] > 1 || seen["ENTRYPOINT"] > 1
}

// instruction is a line of the history as it stood in the Dockerfile: the classic
// builder writes it behind a shell's comment.
func instruction(line string) string {
	if _, after, ok := strings.Cut(line, "#(nop)"); ok {
		line = after
	}
	return strings.TrimSpace(line)
}
