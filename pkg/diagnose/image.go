package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/signal"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// imageCase is the judgement of one image that was read and not run.
type imageCase struct {
	*walk
	sig      int
	sigName  string
	from     string // the instruction of the first word
	findings []Finding
}

// ImageWants lists the paths of files in the image that would tell more, in the
// order in which they are looked up. Nothing: all that matters has been read.
func ImageWants(img *evidence.Image) []string {
	return slices.Compact(walkImage(img).wants)
}

// JudgeImage says what can be known of an image without running it. The result
// has no forecast (Stop is nil) and the verdict not-running; what was found is in
// its findings, each with a confidence. Nothing is certain but what the runtime
// refuses: a script may take another branch, a program may set a handler.
func JudgeImage(img *evidence.Image) Container {
	c := &imageCase{walk: walkImage(img)}
	_, c.from = startCommand(img)
	c.stopSignal()
	c.rules()
	return c.report()
}

// report puts the findings into the form of the contract, the gravest first.
func (c *imageCase) report() Container {
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		if d := severityRank(a.Severity) - severityRank(b.Severity); d != 0 {
			return d
		}
		return strings.Compare(a.Code, b.Code)
	})
	out := Container{
		Target: c.img.Asked, Kind: evidence.KindImage, Name: c.img.Asked, ID: strings.TrimPrefix(c.img.ID, "sha256:"), Image: c.img.Asked,
		Verdict: NotRunning, Confidence: Likely, Layer: LayerImage,
		History: []Event{}, Findings: c.findings, Processes: []Process{}, Gaps: []Gap{},
	}
	for _, g := range c.img.Gaps {
		out.Gaps = append(out.Gaps, Gap{Path: g.Path, Kind: g.Kind, Matters: g.Matters})
	}
	out.Gaps = append(out.Gaps, c.shellGaps()...)
	out.Gaps = append(out.Gaps, c.baseGaps()...)
	out.Headline = c.headline()
	if len(c.findings) > 0 && c.findings[0].Severity != SeverityInfo {
		out.Confidence = c.findings[0].Confidence
	}
	return out
}

func severityRank(s string) int {
	return slices.Index([]string{SeverityError, SeverityWarning, SeverityInfo}, s)
}

// headline is the gravest finding, or what the signal reaches.
func (c *imageCase) headline() string {
	if len(c.findings) > 0 && c.findings[0].Severity != SeverityInfo {
		return c.findings[0].Summary
	}
	if len(c.links) == 0 {
		return "nothing is known of what it starts"
	}
	last := c.links[len(c.links)-1]
	switch {
	case last.shell != nil && len(c.findings) > 0:
		return c.findings[0].Summary
	case last.behind != nil:
		return fmt.Sprintf("%s passes %s to %s; nothing found that stands in its way", last.behind.name(), c.sigName, last.name())
	case last.pid1 && c.img.Run.Init:
		return fmt.Sprintf("the engine's init passes %s to %s; nothing found that stands in its way", c.sigName, last.name())
	case last.pid1:
		return fmt.Sprintf("%s is PID 1 and gets %s; nothing found that stands in its way", last.name(), c.sigName)
	}
	return "nothing found that stands in the way of " + c.sigName
}

// shellGaps are scripts that could not be read or understood.
func (c *imageCase) shellGaps() []Gap {
	var out []Gap
	for _, l := range c.links {
		if l.shell == nil || l.shell.trouble == "" {
			continue
		}
		path := l.shell.file
		if l.shell.command {
			path = "the text of " + l.name() + " -c"
		}
		out = append(out, Gap{Path: path + " (" + l.shell.trouble + ")", Kind: evidence.GapSkipped, Matters: "whether the script passes the stop signal on"})
	}
	return out
}

// baseGaps are settings that a base image may bring, where only a Dockerfile was
// read.
func (c *imageCase) baseGaps() []Gap {
	d := c.img.Dockerfile
	if d == nil || !d.Alone || d.Base == "scratch" {
		return nil
	}
	var out []Gap
	base := "FROM " + orUnknown(d.Base)
	if len(c.img.Entrypoint) == 0 {
		out = append(out, Gap{Path: base, Kind: evidence.GapAbsent, Matters: "whether the base brings an ENTRYPOINT"})
	}
	if c.img.StopSignal == "" {
		out = append(out, Gap{Path: base, Kind: evidence.GapAbsent, Matters: "whether the base brings a STOPSIGNAL"})
	}
	return out
}

func orUnknown(s string) string {
	if s == "" {
		return "an image that a build argument names"
	}
	return bounded(s, 120)
}

// stopSignal finds the signal that will be sent, and judges how it is written.
func (c *imageCase) stopSignal() {
	written, field := c.img.StopSignal, "Config.StopSignal"
	if c.img.Run.StopSignal != "" {
		written, field = c.img.Run.StopSignal, "--stop-signal"
	}
	c.sig = evidence.SIGTERM
	if written != "" {
		n, err := signal.ParseSignal(written)
		if err == nil && n > 0 {
			c.sig = int(n)
		} else {
			f := c.finding("WS501", "STOPSIGNAL", Certain)
			f.Summary = "the engine cannot parse the stop signal and silently sends SIGTERM instead"
			f.Evidence = append(f.Evidence, c.configFact(field, bounded(written, 40), "not a signal name or number"))
			f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "write a name that the engine knows", Patch: "STOPSIGNAL SIGTERM"})
			c.add(f)
		}
	}
	c.sigName = evidence.SignalName(c.sig)
	if c.sig == evidence.SIGKILL {
		f := c.finding("WS503", "STOPSIGNAL", Certain)
		f.Summary = "the stop signal is SIGKILL: nothing in the container can finish its work"
		f.Evidence = append(f.Evidence, c.configFact(field, bounded(written, 40), "SIGKILL"))
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "choose a signal that can be handled", Patch: "STOPSIGNAL SIGTERM"})
		c.add(f)
	}
}

// finding starts a finding that an instruction of the Dockerfile brings about.
func (c *imageCase) finding(code, instruction string, conf Confidence) Finding {
	f := newFinding(code, nil)
	if instruction == c.from && c.baseMayEnter() {
		conf = Assumed
	}
	f.Confidence = conf
	if conf == Assumed && f.Severity == SeverityError {
		f.Severity = SeverityWarning
	}
	f.Location = c.location(instruction)
	return f
}

// baseMayEnter reports whether what is judged may be the arguments of an ENTRYPOINT
// that the base brings: tini, or a script.
func (c *imageCase) baseMayEnter() bool {
	return c.alone() && c.img.Dockerfile.Base != "scratch" && (c.from == "CMD" || c.from == "command")
}

// location is the instruction's line, or that of FROM where the base brings it.
func (c *imageCase) location(instruction string) *Location {
	d := c.img.Dockerfile
	if d == nil {
		return nil
	}
	line, ok := d.Lines[instruction]
	if !ok {
		line = d.Lines["FROM"]
	}
	return &Location{File: d.Path, Line: max(line, 1)}
}

func (c *imageCase) add(f Finding) { c.findings = append(c.findings, f) }

// configFact is evidence from the image's configuration, wherever that was read.
func (c *imageCase) configFact(field, value, says string) Evidence {
	source := "docker image inspect"
	instruction := map[string]string{"Config.Entrypoint": "ENTRYPOINT", "Config.Cmd": "CMD", "Config.StopSignal": "STOPSIGNAL"}[field]
	switch d := c.img.Dockerfile; {
	case strings.HasPrefix(field, "--") || field == "command":
		source = "docker run"
	case d != nil && d.Lines[instruction] > 0:
		source = fmt.Sprintf("%s:%d", d.Path, d.Lines[instruction])
		field = instruction
	case d != nil && d.Alone:
		source = d.Path
		field = instruction
	}
	return Evidence{Source: source, Field: field, Value: value, Says: says}
}

// startFact is what the image starts.
func (c *imageCase) startFact(says string) Evidence {
	field, list := "Config.Entrypoint", c.img.Entrypoint
	switch c.from {
	case "CMD":
		field, list = "Config.Cmd", c.img.Cmd
	case "--entrypoint":
		field, list = c.from, c.img.Run.Entrypoint
	case "command":
		field, list = c.from, c.img.Run.Cmd
	}
	return c.configFact(field, showArgv(list), says)
}

// showArgv is an argv for reading, as Docker writes it.
func showArgv(argv []string) string {
	quoted := make([]string, 0, len(argv))
	for _, a := range argv {
		quoted = append(quoted, `"`+bounded(a, 120)+`"`)
	}
	return bounded("["+strings.Join(quoted, ", ")+"]", 300)
}

// Unmet is the finding for a demand of a policy that is not met.
func Unmet(source, field, value, summary string) Finding {
	f := newFinding("WS519", nil)
	f.Summary = summary
	f.Evidence = append(f.Evidence, Evidence{Source: source, Field: field, Value: value, Says: "more than the policy allows"})
	return f
}

// name is what a link is called.
func (l *link) name() string {
	if l.shell != nil && l.shell.file != "" {
		return bounded(l.shell.file[strings.LastIndexByte(l.shell.file, '/')+1:], 40)
	}
	if l.program.Display != "" {
		return bounded(l.program.Display, 40)
	}
	return bounded(l.argv[0], 40)
}

// is reports what kind of program a link is.
func (l *link) is(kind catalog.Kind) bool { return l.row != nil && l.row.Kind == kind }
