package catalog

import (
	"math"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxArgs bounds how much of a hostile command line is looked at.
const maxArgs = 64

// Identify says who a process is. The executable's name counts most, since the
// kernel printed it; then argv[0]; then, under an interpreter, the script. The
// result's ID is "" for a program that the catalog does not know.
func Identify(p *evidence.Process) evidence.Program {
	argv := p.Argv
	if len(argv) > maxArgs {
		argv = argv[:maxArgs]
	}
	out := evidence.Program{Display: display(p, argv)}
	row, by, rest := match(p, argv)
	if row == nil {
		return out
	}
	out.ID, out.By = row.ID, by
	out.Options = options(row, rest, p)
	return out
}

// match finds the row and the arguments that follow the program's own name.
func match(p *evidence.Process, argv []string) (*Program, string, []string) {
	if len(argv) > 0 {
		if row := byTitle(argv[0]); row != nil {
			return row, "title", nil
		}
	}
	name, by := base(p.Exe), "exe"
	if name == "" && len(argv) > 0 {
		name, by = base(strings.TrimPrefix(argv[0], "-")), "argv"
	}
	if name == "" {
		name, by = p.Comm, "comm"
	}
	rest := tail(argv, 1)
	if multicall[name] {
		name, rest = applet(argv)
	}
	row := byName(name)
	if row == nil && by == "exe" && len(argv) > 0 {
		// nodejs, python3.11, ruby3.1: versioned names of the same program.
		row = byName(unversioned(name))
	} else if row == nil {
		row = byName(unversioned(name))
	}
	if row == nil {
		return nil, "", nil
	}
	if row.Kind == KindRuntime || row.Kind == KindShell {
		if script, after := script(rest); script != "" {
			if inner := byScript(script); inner != nil {
				return inner, "script", after
			}
		}
	}
	return row, by, rest
}

// multicall binaries are many programs in one; argv says which.
var multicall = map[string]bool{"busybox": true, "toybox": true}

// applet is the program inside a multi-call binary.
func applet(argv []string) (string, []string) {
	if len(argv) == 0 {
		return "busybox", nil
	}
	name := base(strings.TrimPrefix(argv[0], "-"))
	rest := tail(argv, 1)
	if multicall[name] && len(rest) > 0 {
		name, rest = base(rest[0]), tail(rest, 1)
	}
	switch name {
	case "sh", "ash":
		return "ash", rest
	case "init":
		return "busybox-init", rest
	}
	return name, rest
}

// base is the last element of a path that came from a container, without the
// kernel's " (deleted)".
func base(path string) string {
	path = strings.TrimSuffix(path, " (deleted)")
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		path = path[i+1:]
	}
	return path
}

// unversioned cuts a version from the end of a name: python3.11, ruby3.1, lua5.4,
// php8.2, node20.
func unversioned(name string) string {
	return strings.TrimRight(name, "0123456789.-")
}

// tail is s without its first n elements.
func tail(s []string, n int) []string {
	if len(s) <= n {
		return nil
	}
	return s[n:]
}

// script is the base name of the script or module that an interpreter runs, and
// the arguments after it. Options that take no value are passed over; -c and -e
// have no script.
func script(args []string) (string, []string) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "-m" && i+1 < len(args):
			return "-m " + args[i+1], tail(args, i+2)
		case a == "-c" || a == "-e" || a == "--eval" || a == "-jar":
			return "", nil
		case strings.HasPrefix(a, "-"):
			continue
		}
		return base(a), tail(args, i+1)
	}
	return "", nil
}

func byTitle(title string) *Program {
	for _, table := range tables() {
		for i := range table {
			for _, t := range table[i].Titles {
				if strings.HasPrefix(title, t) {
					return &table[i]
				}
			}
		}
	}
	return nil
}

func byName(name string) *Program {
	if name == "" {
		return nil
	}
	for _, table := range tables() {
		for i := range table {
			if contains(table[i].Names, name) {
				return &table[i]
			}
		}
	}
	return nil
}

func byScript(name string) *Program {
	module := strings.TrimPrefix(name, "-m ")
	if i := strings.IndexByte(module, '.'); module != name && i > 0 {
		module = module[:i] // -m celery.__main__
	}
	for _, table := range tables() {
		for i := range table {
			if contains(table[i].Scripts, module) {
				return &table[i]
			}
		}
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// display is the short name for the reader: the script of an interpreter, else
// the program. It may hold anything a container likes.
func display(p *evidence.Process, argv []string) string {
	if len(argv) == 0 || argv[0] == "" {
		return p.Comm
	}
	name := base(strings.TrimPrefix(argv[0], "-"))
	if i := strings.IndexAny(name, " :"); i > 0 { // a rewritten title
		name = name[:i]
	}
	if name == "" {
		return p.Comm
	}
	return name
}

// options reads the row's flags from the arguments, and what a few programs
// carry in their arguments.
func options(row *Program, args []string, p *evidence.Process) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		if !strings.HasPrefix(args[i], "-") {
			if row.Kind == KindInit || row.Kind == KindWrapper {
				break // the wrapped command's own arguments begin
			}
			continue
		}
		i += setFlag(out, row.Flags, args, i)
	}
	if row.ID == "sleep" {
		if s, ok := sleepSeconds(args); ok {
			out["seconds"] = strconv.FormatFloat(s, 'f', -1, 64)
		}
	}
	if row.Kind == KindShell {
		shellOptions(out, args)
	}
	if row.ID == "redis" && redisSavesNothing(args) {
		out["save"] = "off"
	}
	if row.ID == "postgres" && len(p.Argv) > 0 {
		if postgresClient(p.Argv[0]) {
			out["client"] = "true"
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// setFlag sets the option that args[i] names and returns how many further
// arguments it used up.
func setFlag(out map[string]string, flags []Flag, args []string, i int) int {
	for _, f := range flags {
		for _, name := range f.Names {
			switch {
			case args[i] == name && !f.Value:
				out[f.Option] = "true"
			case args[i] == name && i+1 < len(args):
				out[f.Option] = bounded(args[i+1])
				return 1
			case f.Value && strings.HasPrefix(args[i], name+"="):
				out[f.Option] = bounded(args[i][len(name)+1:])
			case f.Value && len(name) == 2 && len(args[i]) > 2 && strings.HasPrefix(args[i], name):
				out[f.Option] = bounded(args[i][2:])
			}
		}
	}
	return 0
}

// bounded keeps a value short enough for an option: options survive redaction.
func bounded(s string) string {
	if len(s) > 16 {
		return s[:16]
	}
	return s
}

// shellOptions tells a shell's -c from a script.
func shellOptions(out map[string]string, args []string) {
	for _, a := range args {
		switch {
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "c"):
			out["form"] = "command"
			return
		case strings.HasPrefix(a, "-"):
			if strings.Contains(a, "i") && !strings.HasPrefix(a, "--") {
				out["interactive"] = "true"
			}
			continue
		}
		out["form"] = "script"
		return
	}
}

// sleepSeconds is how long `sleep` with these arguments sleeps; false for what it
// would refuse, and where its arguments could not be read.
func sleepSeconds(args []string) (float64, bool) {
	total, any := 0.0, false
	for _, a := range args {
		switch a {
		case "--":
			continue
		case "infinity", "inf":
			return math.Inf(1), true
		}
		unit := 1.0
		switch {
		case strings.HasSuffix(a, "s"):
			a = a[:len(a)-1]
		case strings.HasSuffix(a, "m"):
			a, unit = a[:len(a)-1], 60
		case strings.HasSuffix(a, "h"):
			a, unit = a[:len(a)-1], 3600
		case strings.HasSuffix(a, "d"):
			a, unit = a[:len(a)-1], 86400
		}
		v, err := strconv.ParseFloat(a, 64)
		if err != nil || v < 0 || v > 1e12 {
			return 0, false
		}
		total, any = total+v*unit, true
	}
	return total, any
}

// postgresAux are PostgreSQL's own processes; any other child is a client's.
var postgresAux = []string{
	"checkpointer", "background writer", "walwriter", "autovacuum launcher", "autovacuum worker",
	"stats collector", "logical replication launcher", "archiver", "logger", "startup", "walsender",
	"walreceiver", "io worker", "slotsync worker", "walsummarizer", "parallel worker", "background worker",
}

// postgresClient tells a client's backend by its title "postgres: user db host".
func postgresClient(title string) bool {
	rest, ok := strings.CutPrefix(title, "postgres: ")
	if !ok {
		return false
	}
	if i := strings.Index(rest, ": "); i >= 0 { // cluster_name
		rest = rest[i+2:]
	}
	for _, aux := range postgresAux {
		if strings.HasPrefix(rest, aux) {
			return false
		}
	}
	return true
}

// redisSavesNothing reports whether redis is told to have no save points, so that
// its end cannot fail on a write.
func redisSavesNothing(args []string) bool {
	for i, a := range args {
		if a == "--save" && i+1 < len(args) && (args[i+1] == "" || args[i+1] == `""`) {
			return true
		}
	}
	return false
}
