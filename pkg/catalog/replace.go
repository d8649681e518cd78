package catalog

import (
	"slices"
	"strings"
)

// replacer is a program that sets something up and then becomes its command by
// exec: it is never seen in a running container, but stands in front of the
// program in an image's configuration.
type replacer struct {
	names []string
	// values are the options that take the next word.
	values []string
	// operands are words of its own before the command: a user, a directory.
	operands int
	source   string
}

var replacers = []replacer{
	{names: []string{"gosu", "su-exec", "setuidgid", "s6-setuidgid"}, operands: 1, source: "tianon/gosu, ncopa/su-exec: exec the command as a user"},
	{names: []string{"setpriv"}, values: []string{"--reuid", "--regid", "--groups", "--inh-caps", "--ambient-caps", "--bounding-set", "--securebits", "--pdeathsig", "--selinux-label", "--apparmor-profile"}, source: "util-linux setpriv.c"},
	{names: []string{"chroot"}, values: []string{"--userspec", "--groups"}, operands: 1, source: "coreutils chroot.c"},
	{names: []string{"env"}, values: []string{"-u", "--unset", "-C", "--chdir"}, source: "coreutils env.c"},
	{names: []string{"nohup"}, source: "coreutils nohup.c"},
	{names: []string{"nice"}, values: []string{"-n", "--adjustment"}, source: "coreutils nice.c"},
	{names: []string{"ionice"}, values: []string{"-c", "-n", "--class", "--classdata"}, source: "util-linux ionice.c"},
	{names: []string{"chrt"}, operands: 1, source: "util-linux chrt.c"},
	{names: []string{"taskset"}, operands: 1, source: "util-linux taskset.c"},
	{names: []string{"stdbuf"}, values: []string{"-i", "-o", "-e", "--input", "--output", "--error"}, source: "coreutils stdbuf.c"},
	{names: []string{"chpst"}, values: []string{"-u", "-U", "-e", "-/", "-n", "-l", "-L", "-m", "-d", "-o", "-p", "-f", "-c"}, source: "runit chpst.c"},
	{names: []string{"numactl"}, values: []string{"-i", "-m", "-N", "-C", "-p", "--interleave", "--membind", "--cpunodebind", "--physcpubind", "--preferred"}, source: "numactl.c"},
}

// Replaced takes off a program that replaces itself by its command: for
// `gosu app server -p 80` it gives `server -p 80`. ok is false for every other
// program, and where no command follows.
func Replaced(argv []string) (command []string, ok bool) {
	if len(argv) == 0 {
		return nil, false
	}
	name := base(argv[0])
	i := slices.IndexFunc(replacers, func(r replacer) bool { return slices.Contains(r.names, name) })
	if i < 0 {
		return nil, false
	}
	rest := replacers[i].skipOptions(argv[1:])
	for n := 0; n < replacers[i].operands && len(rest) > 0; n++ {
		rest = rest[1:]
	}
	for name == "env" && len(rest) > 0 && assignment(rest[0]) {
		rest = rest[1:]
	}
	return rest, len(rest) > 0
}

func (r *replacer) skipOptions(args []string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		switch word := args[0]; {
		case word == "--":
			return args[1:]
		case word == "-S" && r.names[0] == "env" && len(args) > 1:
			// One word that is split: `#!/usr/bin/env -S node --flag`.
			return append(strings.Fields(args[1]), args[2:]...)
		case slices.Contains(r.values, word) && len(args) > 1:
			args = args[2:]
		default:
			args = args[1:]
		}
	}
	return args
}

// InitCommand is the command that an init starts: what follows its options. ok
// is false for inits that start more than one thing (supervisord, s6).
func InitCommand(row *Program, args []string) (command []string, ok bool) {
	if row == nil || row.Kind != KindInit && row.Kind != KindWrapper || row.Forward == nil || row.Forward.Reach != ReachChild && row.Forward.Reach != ReachGroup {
		return nil, false
	}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] == "--" {
			args = args[1:]
			break
		}
		n := 1 + setFlag(map[string]string{}, row.Flags, args, 0)
		args = args[min(n, len(args)):]
	}
	return args, len(args) > 0
}
