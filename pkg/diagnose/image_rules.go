package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// rules are the rules about an image, along the way from PID 1 to its program.
func (c *imageCase) rules() {
	c.ruleStart()
	c.ruleBrackets()
	for i := range c.links {
		l := &c.links[i]
		switch {
		case l.shell != nil:
			c.ruleShell(l, i)
		case l.is(catalog.KindInit):
			c.ruleInit(l)
		case l.is(catalog.KindWrapper):
			c.ruleWrapper(l)
		}
	}
	if len(c.links) > 0 {
		c.ruleProgram(&c.links[len(c.links)-1])
	}
}

// ruleStart: the runtime cannot execute what the image names.
func (c *imageCase) ruleStart() {
	argv, _ := startCommand(c.img)
	if len(argv) == 0 {
		if c.alone() && c.img.Dockerfile.Base != "scratch" {
			return // the base may name one
		}
		f := c.finding("WS516", "CMD", Certain)
		f.Severity = SeverityWarning // a base image for others has none, and needs none
		f.Summary = "the image names no command: docker run has to be given one"
		f.Evidence = append(f.Evidence, c.configFact("Config.Cmd", "[]", "empty, and so is Config.Entrypoint"))
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "name the program", Patch: `ENTRYPOINT ["/path/to/program"]`})
		c.add(f)
		return
	}
	if c.missing == "" || slices.ContainsFunc(c.links, func(l link) bool { return l.shell != nil && l.shell.script != nil }) {
		return // what a script starts may come with a PATH of its own
	}
	conf, says := Certain, "%s cannot be executed: %s"
	if !c.direct {
		conf, says = Assumed, "%s cannot be executed, as far as is seen in the image: %s"
	}
	f := c.finding("WS516", c.from, conf)
	f.Summary = fmt.Sprintf(says, bounded(c.missing, 80), c.refused)
	f.Evidence = append(f.Evidence, c.startFact("what the container starts"))
	if b := c.broken; b != nil && !b.Absent {
		first, _, _ := strings.Cut(string(b.Head), "\n")
		f.Evidence = append(f.Evidence, Evidence{Source: "image:" + bounded(b.Path, 120), Field: fmt.Sprintf("mode %04o", b.Mode), Value: bounded(first, 60), Says: c.refused})
	}
	f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: startFix(c.refused)})
	c.add(f)
}

func startFix(why string) string {
	switch {
	case strings.Contains(why, "executable"):
		return "COPY --chmod=755, or chmod +x in the repository"
	case strings.Contains(why, "CR LF"):
		return "save the script with LF line ends (git: *.sh text eol=lf)"
	case strings.Contains(why, "#!"):
		return "begin the script with #!/bin/sh"
	}
	return "copy it into the image, or write the path that it has there"
}

// ruleBrackets: `CMD ['server']` is no JSON, so Docker runs it by a shell.
func (c *imageCase) ruleBrackets() {
	argv, _ := startCommand(c.img)
	if len(argv) < 3 || argv[1] != "-c" {
		return
	}
	text := strings.TrimSpace(argv[2])
	if !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") || strings.HasPrefix(text, "[ ") || strings.HasPrefix(text, "[[") {
		return
	}
	f := c.finding("WS511", c.from, Likely)
	f.Summary = "the list is not JSON, so it is taken for a shell command: the shell looks for a program named " + bounded(strings.Fields(text)[0], 40)
	f.Evidence = append(f.Evidence, c.startFact("a shell gets the brackets"))
	f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "write the list with double quotes and commas", Patch: bracketPatch(c.from, text)})
	c.add(f)
}

// bracketPatch is the list as it was meant, "" where that is not plain.
func bracketPatch(instruction, text string) string {
	var words []string
	for _, part := range strings.Split(strings.Trim(text, "[]"), ",") {
		words = append(words, strings.Trim(strings.TrimSpace(part), `'"`+"“”‘’"))
	}
	argv := jsonArgv(words)
	if argv == "" || instruction != "CMD" && instruction != "ENTRYPOINT" {
		return ""
	}
	return instruction + " " + argv
}

// ruleInit says that an init is there, and what it is worth.
func (c *imageCase) ruleInit(l *link) {
	if l.row.Forward == nil && l.row.ID != "systemd" || l.row.ID == "systemd" {
		return
	}
	f := c.finding("WS510", c.from, Likely)
	f.Summary = fmt.Sprintf("%s takes %s and passes it on", l.name(), c.sigName)
	switch {
	case !l.pid1:
		f.Severity = SeverityWarning
		f.Summary = l.name() + " is not PID 1: it does not get the stop signal"
	case c.img.Run.Init:
		f.Summary = l.name() + " is in the image already: --init puts a second one in front"
	case !l.row.Forward.Passes.Has(c.sig):
		f.Severity = SeverityWarning
		f.Summary = fmt.Sprintf("%s does not pass %s on", l.name(), c.sigName)
	}
	f.Evidence = append(f.Evidence, Evidence{Source: "image:" + bounded(l.path, 120), Field: "argv", Value: showArgv(l.argv), Says: "known: " + l.row.Source})
	c.add(f)
}

// ruleWrapper: npm, su, sudo and their like.
func (c *imageCase) ruleWrapper(l *link) {
	f := c.finding("WS512", c.from, Likely)
	f.Evidence = append(f.Evidence, Evidence{Source: "image:" + bounded(l.path, 120), Field: "argv", Value: showArgv(l.argv), Says: "known: " + l.row.Source})
	switch w := l.row.Forward; {
	case w == nil && l.pid1 && l.row.Plain:
		if f.Confidence != Assumed {
			f.Severity = SeverityError
		}
		f.Summary = fmt.Sprintf("%s is PID 1, has no handler for %s and passes nothing on", l.name(), c.sigName)
	case w == nil:
		f.Summary = fmt.Sprintf("%s passes no signal on", l.name())
	case !w.Passes.Has(c.sig):
		f.Summary = fmt.Sprintf("%s does not pass %s on", l.name(), c.sigName)
	case w.Fixed > 0:
		f.Summary = fmt.Sprintf("%s passes %s on and kills what is left %s later, whatever the stop timeout is", l.name(), c.sigName, seconds(w.Fixed))
	case w.Reach == catalog.ReachNobody:
		f.Summary = l.name() + " leaves at once and tells nobody: the program is killed with it"
	case slices.Contains([]string{"npm", "yarn", "pnpm"}, l.row.ID):
		f.Summary = l.name() + " runs the program by a shell of its own: it signals that shell, which does not pass the signal on"
	default:
		return // sudo, timeout: they pass it and wait
	}
	f.Fixes = append(f.Fixes, wrapperFix(l.row.ID))
	c.add(f)
}

func wrapperFix(id string) Fix {
	switch id {
	case "npm", "yarn", "pnpm":
		return Fix{When: FixImage, Text: "start the program itself", Patch: `CMD ["node", "server.js"]`}
	case "su", "runuser", "sudo", "doas":
		return Fix{When: FixImage, Text: "change the user in the Dockerfile, or by a program that replaces itself", Patch: "USER app"}
	}
	return Fix{When: FixImage, Text: "start the program without it"}
}

// ruleProgram: the last program on the way, and the signal that comes to it.
func (c *imageCase) ruleProgram(l *link) {
	if l.shell != nil {
		return
	}
	alone := l.pid1 && !c.img.Run.Init
	c.ruleSignal(l)
	switch {
	case !alone || l.row == nil:
	case l.is(catalog.KindTool) && l.row.ID != "pause":
		f := c.finding("WS514", c.from, Likely)
		f.Summary = fmt.Sprintf("%s is PID 1 and has no handler for %s: the kernel drops it, the whole timeout is waited", l.name(), c.sigName)
		f.Evidence = append(f.Evidence, c.programFact(l))
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "an init passes the signal, and a child that is not PID 1 dies of it", Command: "docker run --init ..."},
			Fix{When: FixImage, Text: "start the program itself as the container's command"})
		c.add(f)
	case slices.Contains(silentRuntimes, l.row.ID) && !(c.sig == evidence.SIGINT && l.row.ID == "python"):
		c.ruleRuntime(l)
	}
}

// silentRuntimes do nothing useful with SIGTERM as PID 1 unless the program sets
// a handler (measured; Java, Ruby, Go and .NET end by themselves).
var silentRuntimes = []string{"node", "python", "perl", "php", "lua", "tclsh", "guile", "rscript", "mono"}

// ruleRuntime: a script under an interpreter. Whether it sets a handler is seen
// only where the signal's name stands in the file that is started.
func (c *imageCase) ruleRuntime(l *link) {
	name := scriptOf(l.argv)
	for path, f := range c.img.Files {
		if name != "" && strings.HasSuffix(path, "/"+name) && strings.Contains(string(f.Head), strings.TrimPrefix(c.sigName, "SIG")) {
			return // it speaks of the signal
		}
	}
	f := c.finding("WS513", c.from, Assumed)
	f.Summary = fmt.Sprintf("%s is PID 1: unless the program sets a handler for %s, nothing happens and the whole timeout is waited", l.row.ID, c.sigName)
	f.Evidence = append(f.Evidence, c.programFact(l))
	f.Fixes = append(f.Fixes, runtimeFix(l.row.ID, c.sigName)...)
	c.add(f)
}

func runtimeFix(id, sig string) []Fix {
	run := Fix{When: FixRun, Text: "behind an init it is not PID 1, and the default action ends it", Command: "docker run --init ..."}
	switch id {
	case "node":
		return []Fix{{When: FixImage, Text: "handle it in the program", Patch: fmt.Sprintf("process.on('%s', () => process.exit(0))", sig)}, run}
	case "python":
		return []Fix{{When: FixImage, Text: "handle it in the program", Patch: fmt.Sprintf("signal.signal(signal.%s, lambda *_: sys.exit(0))", sig)}, run}
	}
	return []Fix{{When: FixImage, Text: "handle it in the program"}, run}
}

// scriptOf is the base name of the file that an interpreter runs, "" for -m, -c
// and -e.
func scriptOf(argv []string) string {
	for _, a := range argv[1:] {
		switch {
		case a == "-m" || a == "-c" || a == "-e" || a == "--eval":
			return ""
		case strings.HasPrefix(a, "-"):
			continue
		}
		return a[strings.LastIndexByte(a, '/')+1:]
	}
	return ""
}

func (c *imageCase) programFact(l *link) Evidence {
	return Evidence{Source: c.imageSource(l.path), Field: "argv", Value: showArgv(l.argv), Says: "known: " + l.row.Source}
}

// imageSource is a path of the image as evidence names it.
func (c *imageCase) imageSource(path string) string {
	if path == "" {
		return c.startFact("").Source
	}
	return "image:" + bounded(path, 120)
}
