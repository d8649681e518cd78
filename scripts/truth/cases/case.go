// Package cases is the table of the truth bed: containers of every kind that
// people run, each with how to start it and which signal stops it.
//
// A case does not say what will happen: that is measured. It says only what
// cannot be measured from outside: how many of its programs must log that they
// heard the signal, and whether an unknown program's own handler decides, so
// that nobody can tell beforehand.
package cases

import (
	"fmt"
	"slices"
	"strings"
)

// Case is one container.
type Case struct {
	Name  string
	Group string
	// Options are for docker run, in front of the image.
	Options []string
	// HostCgroups: the host's cgroup file systems are mounted, as systemd needs it.
	HostCgroups bool
	Command     []string
	// Files are put into /truth/NAME in the image's place, path relative to it to
	// content; those that begin with #! are executable.
	Files map[string]string
	// Ready is a text in the container's log that says it is up. Empty: it is up
	// when its processes have not changed for a second.
	Ready string
	// Busy: it never comes to rest, and need not.
	Busy bool
	// Exec are commands run in the container (docker exec -d) once it is ready,
	// for example a client that keeps a connection open.
	Exec [][]string
	// Beside is another container's command, started first under the name
	// NAME-beside (for --pid=container:).
	Beside []string

	// StopOptions replace "-t 4" of docker stop; nil: they do not.
	StopOptions []string
	// Pause is set when the container is paused before it is looked at.
	Pause bool
	// Kill turns the case into one of docker kill -s: the container is sent this
	// signal, and looked at, instead of being stopped.
	Kill string
	// Takes is the log's text that says a handler took the signal of Kill; empty
	// when none is there to take it.
	Takes string

	// Finish is the text that each process with a handler logs when its handler
	// is done, and Handlers how many do. A container that ends in time with fewer
	// was cut off: abrupt. Handlers 0: not known from the log.
	Finish   string
	Handlers int
	// Cut says who is cut off where the log cannot tell; only for programs that
	// are known to have a handler and are known not to be waited for.
	Cut string

	// Expect is what a document promises, a verdict; the fact must be that.
	Expect string
	// Accept are verdicts that are also right, where two words fit the fact.
	Accept []string

	// Unknowable: an unknown program's own handler decides, and no evidence says
	// how. The honest confidence is then `assumed`.
	Unknowable bool
	// Needs are paths that must be there in the container, else the case is left
	// out (and counted as left out).
	Needs []string
	// Heavy cases need -heavy.
	Heavy bool
}

// StopArgs are the options of docker stop.
func (c Case) StopArgs() []string {
	if c.StopOptions != nil {
		return c.StopOptions
	}
	return []string{"-t", "4"}
}

// Timeout is the -t of StopArgs in seconds, nil when the container's own counts.
func (c Case) Timeout() *int {
	args := c.StopArgs()
	for i, a := range args {
		if a == "-t" && i+1 < len(args) {
			var n int
			if _, err := fmt.Sscan(args[i+1], &n); err == nil {
				return &n
			}
		}
	}
	return nil
}

// All gives every case in the order of the groups.
func All() []Case {
	groups := []struct {
		name  string
		cases func() []Case
	}{
		{"shells", shells},
		{"scripts", scripts},
		{"inits", inits},
		{"wrappers", wrappers},
		{"c", cPrograms},
		{"go", goPrograms},
		{"node", node},
		{"interpreters", interpreters},
		{"java", java},
		{"daemons", daemons},
		{"tools", tools},
		{"modes", modes},
		{"signals", signals},
	}
	var all []Case
	for _, g := range groups {
		for _, c := range g.cases() {
			c.Group = g.name
			all = append(all, c)
		}
	}
	return all
}

// Check finds what is wrong in a table: names that are not unique or do not suit
// as a container's name, and marks without a text.
func Check(all []Case) error {
	seen := map[string]bool{}
	for _, c := range all {
		switch {
		case c.Name == "" || strings.ContainsAny(c.Name, " /:,"):
			return fmt.Errorf("case %q: bad name", c.Name)
		case seen[c.Name]:
			return fmt.Errorf("case %q is there twice", c.Name)
		case len(c.Command) == 0:
			return fmt.Errorf("case %q has no command", c.Name)
		case (c.Handlers > 0) != (c.Finish != ""):
			return fmt.Errorf("case %q: Handlers and Finish go together", c.Name)
		case c.Pause && len(c.Exec) > 0:
			return fmt.Errorf("case %q: nothing can be run in a paused container", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// The helpers below keep a row of a table on one line.

func cmd(args ...string) []string { return args }

// run is a case of a command line alone.
func run(name string, command ...string) Case { return Case{Name: name, Command: command} }

// with puts options in front.
func (c Case) with(options ...string) Case {
	c.Options = append(slices.Clone(c.Options), options...)
	return c
}

// signal sets the container's stop signal.
func (c Case) signal(sig string) Case { return c.with("--stop-signal", sig) }

// unknowable marks a case that an unknown program's handler decides.
func (c Case) unknowable() Case { c.Unknowable = true; return c }

// finishes says that n programs log text once their handler is done.
func (c Case) finishes(n int, text string) Case { c.Handlers, c.Finish = n, text; return c }

// cut says who is cut off although no log tells.
func (c Case) cut(who string) Case { c.Cut = who; return c }

func (c Case) busy() Case { c.Busy = true; return c }

func (c Case) accept(verdicts ...string) Case { c.Accept = verdicts; return c }

func (c Case) ready(text string) Case { c.Ready = text; return c }

func (c Case) needs(paths ...string) Case {
	c.Needs = append(slices.Clone(c.Needs), paths...)
	return c
}

func (c Case) exec(command ...string) Case {
	c.Exec = append(slices.Clone(c.Exec), command)
	return c
}

// stop sets the options of docker stop; none: the container's own timeout counts.
func (c Case) stop(options ...string) Case { c.StopOptions = append([]string{}, options...); return c }

// patient gives Docker's usual 10 s, to what takes seconds to end by itself and
// would miss the bed's 4 s on a loaded machine.
func (c Case) patient() Case { return c.stop("-t", "10") }

func (c Case) hostCgroups() Case {
	c.HostCgroups = true
	return c
}

// script is a case of one executable file, which the container runs.
func script(name, body string, args ...string) Case {
	const file = "entrypoint.sh"
	return Case{Name: name, Command: append([]string{Dir(name) + "/" + file}, args...), Files: map[string]string{file: body}}
}

// file adds a file to a case; it is found in Dir(NAME).
func (c Case) file(name, content string) Case {
	files := map[string]string{name: content}
	for k, v := range c.Files {
		files[k] = v
	}
	c.Files = files
	return c
}

// Mount is where the bed's programs are in the container.
const Mount = "/truth"

// Dir is where the files of a case are in its container.
func Dir(name string) string { return Mount + "/cases/" + name }

// siglab is the C program of the test bed, see scripts/bed/siglab.c.
const siglab = Mount + "/bin/siglab"

// javaNeeds are the paths that a Java program needs: javac may be missing where the bed
// runs.
var javaNeeds = []string{"/usr/bin/java", Mount + "/bin/Sig.class"}

// gosig is the Go program, see prog/gosig.
const gosig = Mount + "/bin/gosig"
