package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/script"
)

// ruleShell: a shell on the way. What it ends in, and its traps, decide.
func (c *imageCase) ruleShell(l *link, i int) {
	sh := l.shell
	if sh.none {
		c.ruleInteractive(l)
		return
	}
	if sh.script == nil || slices.ContainsFunc(c.findings, func(f Finding) bool { return f.Code == "WS511" }) {
		return
	}
	trap := sh.script.TrapFor(strings.TrimPrefix(c.sigName, "SIG"))
	if trap != nil && trap.Text == "" {
		c.ruleIgnores(l, trap)
		return
	}
	for j := range sh.script.Ends {
		e := &sh.script.Ends[j]
		if stays, conf := l.stays(e); stays && e.Kind != script.Nothing {
			c.ruleStays(l, e, trap, c.branched(l, conf))
			return // one finding for a script: the first ending that stays
		}
	}
}

// branched lowers the confidence where another branch of the script ends in exec,
// or where it runs a text that was not seen.
func (c *imageCase) branched(l *link, conf Confidence) Confidence {
	for _, e := range l.shell.script.Ends {
		if e.Kind == script.Exec {
			return Assumed
		}
	}
	if l.shell.script.Sourced {
		return Assumed
	}
	return conf
}

// ruleStays: the shell is there while the container runs.
func (c *imageCase) ruleStays(l *link, e *script.End, trap *script.Trap, conf Confidence) {
	helper := c.helper(l, e)
	switch {
	case trap != nil && e.Kind == script.Wait:
		if !trap.Kills && len(l.shell.script.Background) > 0 {
			c.shellFinding("WS507", l, e, Assumed, "its trap ends the script and tells the programs in the background nothing: they are killed", trap)
		}
	case trap != nil && (e.Kind == script.Foreground || e.Kind == script.Pipeline || e.Kind == script.Loop && len(e.Words) > 0):
		c.shellFinding("WS506", l, e, conf, fmt.Sprintf("its trap for %s is held back until %s, in the foreground, ends", c.sigName, l.shell.told(e)), trap)
	case trap != nil: // a loop that looks and sleeps: the trap runs in between
	case helper:
		c.shellFinding("WS518", l, e, conf, c.helperWords(l, e), nil)
	case e.Kind == script.Wait:
		c.shellFinding("WS507", l, e, conf, c.shellFate(l, "the programs in the background"), nil)
	case l.shell.command:
		c.shellFinding("WS504", l, e, conf, c.shellFate(l, l.shell.told(e)), nil)
	default:
		c.shellFinding("WS505", l, e, conf, c.shellFate(l, l.shell.told(e)), nil)
	}
}

// helper reports an ending that is no program of its own: tail, sleep, an idle
// loop.
func (c *imageCase) helper(l *link, e *script.End) bool {
	if e.Kind == script.Loop {
		return len(e.Words) == 0
	}
	words := l.shell.expand(e.Words)
	return len(words) > 0 && slices.Contains([]string{"tail", "sleep", "inotifywait", "less"}, words[0][strings.LastIndexByte(words[0], '/')+1:])
}

func (c *imageCase) helperWords(l *link, e *script.End) string {
	what := "an idle loop"
	if len(e.Words) > 0 {
		what = l.shell.told(e)
	}
	if l.pid1 && !c.img.Run.Init {
		return fmt.Sprintf("%s keeps the container alive; %s drops %s, and nobody tells the program that runs beside it", what, l.name(), c.sigName)
	}
	return fmt.Sprintf("%s keeps the container alive; on %s %s dies at once, and the program beside it %s", what, c.sigName, l.name(), l.fateBehind())
}

// shellFate says what becomes of the signal at a shell without a trap.
func (c *imageCase) shellFate(l *link, whom string) string {
	for _, t := range l.shell.script.Traps {
		if slices.Contains(t.Signals, "EXIT") && l.program.ID == "bash" {
			return fmt.Sprintf("on %s bash runs its EXIT trap and leaves at once; %s is killed without having heard anything", c.sigName, whom)
		}
	}
	if l.pid1 && !c.img.Run.Init {
		return fmt.Sprintf("%s is PID 1, drops %s and does not pass it on to %s", l.name(), c.sigName, whom)
	}
	return fmt.Sprintf("on %s %s dies at once and does not pass it on; %s %s", c.sigName, l.name(), whom, l.fateBehind())
}

// fateBehind is what becomes of a program whose shell dies behind an init: the
// init leaves with the shell. One that signals the whole group tells the program
// too, and does not wait for it.
func (l *link) fateBehind() string {
	if b := l.behind; b != nil && b.row != nil && b.row.Forward != nil && b.program.Options["single"] == "" &&
		(b.row.Forward.Reach == catalog.ReachGroup || b.program.Options["group"] != "") {
		return "is signalled by " + b.name() + ", and nobody waits for it to finish"
	}
	return "is killed without having heard anything"
}

// told is what the shell runs, for a sentence.
func (sh *shellLink) told(e *script.End) string {
	words := sh.expand(e.Words)
	if len(words) == 0 {
		return "what it runs"
	}
	word := words[0]
	return bounded(word[strings.LastIndexByte(word, '/')+1:], 40)
}

// shellFinding is a finding about a line of a shell's text.
func (c *imageCase) shellFinding(code string, l *link, e *script.End, conf Confidence, summary string, trap *script.Trap) {
	line := e.Line
	f := c.finding(code, c.from, conf)
	f.Summary = doubt(l, e, conf) + summary
	if (!l.pid1 || c.img.Run.Init) && f.Severity == SeverityError && code != "WS506" {
		f.Severity = SeverityWarning // it ends at once; only what has a handler loses by it
	}
	f.Evidence = append(f.Evidence, c.textFact(l, line, endSays(l, e)))
	if trap != nil {
		f.Evidence = append(f.Evidence, c.textFact(l, trap.Line, "the trap for "+strings.Join(trap.Signals, ", ")))
	}
	if conf == Assumed && l.shell.command && e.Tail {
		f.Evidence = append(f.Evidence, Evidence{Source: c.imageSource(l.path), Field: "shell", Value: l.program.ID, Says: "some shells replace themselves by the last command of -c (bash, busybox ash), Debian's dash does not"})
	}
	f.Fixes = c.shellFixes(l, e, code)
	c.place(&f, l, line)
	c.add(f)
}

// doubt is what would make an assumed finding wrong.
func doubt(l *link, e *script.End, conf Confidence) string {
	switch {
	case conf != Assumed:
		return ""
	case l.shell.command && e.Tail:
		return "unless this " + l.program.ID + " replaces itself by its last command, "
	case l.shell.script.Sourced:
		return "unless what it reads in or puts together sets a trap or becomes the program, "
	case l.shell.script.TrapFor("EXIT") == nil && len(l.shell.script.Ends) > 1:
		return "in one of its branches "
	}
	return ""
}

// place moves a finding to the script's own line where the script lies beside
// the Dockerfile.
func (c *imageCase) place(f *Finding, l *link, line int) {
	if l.shell.local != "" && !l.shell.command {
		f.Location = &Location{File: l.shell.local, Line: max(line, 1)}
	}
}

// textFact is a line of a shell's text as evidence.
func (c *imageCase) textFact(l *link, line int, says string) Evidence {
	sh := l.shell
	if sh.command {
		e := c.startFact(says)
		e.Value = bounded(strings.TrimSpace(sh.text), 200)
		return e
	}
	return Evidence{Source: bounded(sh.source, 160), Field: fmt.Sprintf("line %d", line), Value: bounded(c.lineOf(l, line), maxLine), Says: says}
}

// maxLine is how much of a line is shown, in bytes. A longer one is no patch: half
// a command is another command.
const maxLine = 120

// lineOf is one line of a script.
func (c *imageCase) lineOf(l *link, n int) string {
	for _, f := range c.img.Files {
		if f.Path != l.shell.file && f.Source != l.shell.source {
			continue
		}
		lines := strings.Split(string(f.Head), "\n")
		if n >= 1 && n <= len(lines) {
			return strings.TrimSpace(lines[n-1])
		}
	}
	return ""
}

func endSays(l *link, e *script.End) string {
	switch e.Kind {
	case script.Pipeline:
		return "a pipeline: the shell waits for it"
	case script.Loop:
		return "a loop: the shell stays"
	case script.Wait:
		return "the shell waits for what it has started"
	}
	if l.shell.command {
		return "the shell waits for it"
	}
	return "no exec: the shell waits for it"
}

// shellFixes are the ways out of a shell that stays.
func (c *imageCase) shellFixes(l *link, e *script.End, code string) []Fix {
	switch {
	case code == "WS506" || code == "WS507":
		return []Fix{{When: FixImage, Text: "start it with &, pass the signal on in the trap, and wait twice; whystuck explain entrypoint has the lines"}}
	case code == "WS518":
		return []Fix{{When: FixImage, Text: "run the program itself in the foreground, by exec; it must not put itself into the background"}}
	case e.Kind == script.Pipeline:
		return []Fix{{When: FixImage, Text: "in bash, send the output to the other program and exec the first: exec server > >(tee log)"}}
	case l.shell.command:
		if argv := plainWords(l.shell.text); argv != "" && (c.from == "CMD" || c.from == "ENTRYPOINT") && e.Single {
			return []Fix{{When: FixImage, Text: "exec form: no shell in between", Patch: c.from + " " + argv}}
		}
		return []Fix{{When: FixImage, Text: "exec form, or exec before the last command"}}
	}
	fix := Fix{When: FixImage, Text: "let the script become the program"}
	if line := c.lineOf(l, e.Line); line != "" && len(line) <= maxLine && e.Kind == script.Foreground && strings.HasPrefix(strings.Trim(line, `"`), e.Words[0]) && !strings.ContainsAny(line, "|&;`\\") {
		fix.Patch = "exec " + line
	}
	return []Fix{fix}
}

// plainWords is a command without anything for a shell to do, as a JSON list.
func plainWords(text string) string {
	if strings.ContainsAny(text, "$`\\|&;<>()*?[]{}~#'\"\n=") {
		return ""
	}
	return jsonArgv(strings.Fields(text))
}

// ruleIgnores: trap ” TERM.
func (c *imageCase) ruleIgnores(l *link, trap *script.Trap) {
	conf, unless := c.branched(l, Likely), ""
	if name := strings.TrimPrefix(c.sigName, "SIG"); trap.Inner || l.shell.script.Changes(name) {
		conf, unless = Assumed, "unless its trap has been changed by then, or is that of a part of it, "
	}
	f := c.finding("WS517", c.from, conf)
	f.Summary = fmt.Sprintf("%s%s ignores %s, and so does every program that it starts and that does not set a handler", unless, l.name(), c.sigName)
	f.Evidence = append(f.Evidence, c.textFact(l, trap.Line, "an empty trap: ignored, and inherited over exec"))
	f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "remove the empty trap, or set it back before the program starts", Patch: "trap - " + strings.TrimPrefix(c.sigName, "SIG")})
	c.place(&f, l, trap.Line)
	c.add(f)
}

// ruleInteractive: a shell without a script.
func (c *imageCase) ruleInteractive(l *link) {
	f := c.finding("WS515", c.from, Likely)
	f.Summary = fmt.Sprintf("%s without a script: it ends at once without an input, and on a terminal it ignores SIGTERM", l.name())
	if c.img.Run.TTY && c.sig == evidence.SIGTERM && l.pid1 && !c.img.Run.Init {
		if f.Severity = SeverityError; f.Confidence == Assumed {
			f.Severity = SeverityWarning
		}
		f.Summary = l.name() + " on a terminal is interactive and ignores SIGTERM: the whole timeout is waited"
	}
	f.Evidence = append(f.Evidence, c.startFact("a shell without a script"))
	f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "leave it with exit, or stop it by a signal that it takes", Command: "docker run --stop-signal SIGHUP ..."})
	c.add(f)
}
