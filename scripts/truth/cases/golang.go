package cases

// goPrograms are prog/gosig in its modes, with symbols and without.
func goPrograms() []Case {
	mode := func(m string) Case { return run("go-"+m, gosig, m) }
	stripped := func(m string) Case { return run("go-stripped-"+m, gosig+"-stripped", m) }
	return []Case{
		mode("none"),
		mode("http"),
		mode("exit").unknowable().finishes(1, "DONE"),
		mode("slow").unknowable().finishes(1, "DONE"),
		mode("too-slow").unknowable(),
		mode("noexit").unknowable(),
		mode("unread").unknowable(),
		mode("int-only"),
		mode("hup-only"),
		mode("all").unknowable().finishes(1, "DONE"),
		mode("ignore"),
		mode("ignore-int"),
		mode("reset"),
		mode("context").unknowable().finishes(1, "DONE"),
		mode("graceful").unknowable().finishes(1, "DONE"),
		mode("child").finishes(1, "DONE"),
		mode("forward").unknowable().finishes(1, "DONE"),
		stripped("none"),
		stripped("int-only").unknowable(),
		stripped("exit").unknowable().finishes(1, "DONE"),
		run("go-none-int", gosig, "none").signal("SIGINT"),
		run("go-none-hup", gosig, "none").signal("SIGHUP"),
		run("go-none-usr1", gosig, "none").signal("SIGUSR1"),
		run("go-none-quit", gosig, "none").signal("SIGQUIT"),
		run("go-none-winch", gosig, "none").signal("SIGWINCH"),
		run("go-int-only-int", gosig, "int-only").signal("SIGINT").unknowable().finishes(1, "DONE"),
		run("go-none-init", gosig, "none").with("--init"),
		run("go-exit-init", gosig, "exit").with("--init").unknowable().finishes(1, "DONE"),
		run("go-none-usr1-init", gosig, "none").with("--init").signal("SIGUSR1"),
		run("go-sh", "sh", "-c", gosig+" exit; true"),
		run("go-sh-init", "sh", "-c", gosig+" slow; true").with("--init").finishes(1, "DONE"),
	}
}
