package cases

// shell is a shell of the table and what to type for it.
type shell struct {
	name    string
	command []string
}

var allShells = []shell{
	{"dash", cmd("dash")},
	{"bash", cmd("bash")},
	{"ash", cmd("busybox", "sh")},
	{"zsh", cmd("zsh")},
	{"ksh", cmd("ksh93")},
	{"mksh", cmd("mksh")},
	{"yash", cmd("yash")},
	{"fish", cmd("fish")},
}

// c is a case of SHELL -c SCRIPT.
func (s shell) c(name, script string) Case {
	return run(s.name+"-"+name, append(append([]string{}, s.command...), "-c", script)...)
}

const (
	app     = siglab + " exit"
	slowApp = siglab + " -n 1 slow"
	trapFG  = "trap 'echo trap; exit 0' TERM; sleep 1000; true"
	trapBG  = "trap 'echo trap; exit 0' TERM; sleep 1000 & wait"
)

func shells() []Case {
	var all []Case
	for _, s := range allShells {
		all = append(all,
			s.c("single", "sleep 1000"),
			s.c("two", "sleep 1000; true"),
			s.c("app", app+"; true"),
			s.c("exec", "exec "+app).unknowable().finishes(1, "HEARD"),
			s.c("trap-fg", trapFG),
		)
		wait := s.c("trap-wait", trapBG)
		if s.name != "bash" { // bash alone keeps the text where it can be read
			wait = wait.unknowable()
		}
		all = append(all, wait)
	}
	dash, bash, ash, zsh := allShells[0], allShells[1], allShells[2], allShells[3]
	for _, s := range []shell{dash, bash, ash, zsh} {
		tty := run(s.name+"-tty", s.command...).with("-it")
		stdin := run(s.name+"-stdin", s.command...).with("-i")
		all = append(all, tty, stdin)
	}
	for _, s := range []shell{allShells[4], allShells[5]} { // whose own sleep is a builtin
		all = append(all,
			s.c("two-program", "/bin/sleep 1000; true"),
			s.c("trap-fg-program", "trap 'exit 0' TERM; /bin/sleep 1000; true"),
		)
	}
	for _, s := range []shell{dash, bash, ash} {
		all = append(all,
			s.c("and", "true && sleep 1000"),
			s.c("pipe", app+" | cat"),
			s.c("trap-empty", "trap '' TERM; sleep 1000; true"),
			s.c("init", "sleep 1000; true").with("--init"),
			s.c("subst", "x=$(sleep 1000); echo $x"),
			s.c("subshell", "(sleep 1000; true); true"),
			s.c("trap-exit", "trap 'echo bye' EXIT; sleep 1000; true"),
			s.c("read", "read x"+"; true").with("-i"),
		)
	}
	return append(all,
		dash.c("trap-empty-exec", "trap '' TERM; exec sleep 1000"),
		dash.c("trap-subst", "trap 'exit 0' TERM; x=$(sleep 1000); echo $x"),
		dash.c("busy", "while :; do :; done").busy(),
		bash.c("cd-and", "cd / && "+app).unknowable().finishes(1, "HEARD"),
		bash.c("trap-wait-noexit", "trap 'echo trap' TERM; while :; do sleep 1000 & wait; done"),
		bash.c("trap-wait-code", "trap 'exit 7' TERM; sleep 1000 & wait"),
		bash.c("trap-exit-wait", "trap 'echo bye' EXIT; sleep 1000 & wait"),
		bash.c("two-int", "sleep 1000; true").signal("SIGINT"),
		dash.c("two-int", "sleep 1000; true").signal("SIGINT"),
		dash.c("two-hup", "sleep 1000; true").signal("SIGHUP"),
		bash.c("coproc", "coproc sleep 1000; wait"),
		bash.c("login", "sleep 1000; true").with("-it"),
		zsh.c("trap-fn", "TRAPTERM() { exit 0 }; sleep 1000 & wait").unknowable(),
	)
}
