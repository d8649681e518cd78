package cases

// modes are the ways to start and to stop a container, each over plain programs.
func modes() []Case {
	lab := func(name string, args ...string) Case { return run(name, append(cmd(siglab), args...)...) }
	host := func(c Case) Case { return c.with("--pid=host") }
	beside := func(c Case) Case {
		c.Beside = cmd("sleep", "1000")
		return c.with("--pid=container:" + c.Name + "-beside")
	}
	paused := func(c Case) Case { c.Pause = true; return c }
	return []Case{
		host(lab("pidhost-default", "default")),
		host(lab("pidhost-ign", "ign")),
		host(lab("pidhost-exit", "exit")).unknowable().finishes(1, "HEARD"),
		host(lab("pidhost-blocked", "blocked")),
		host(lab("pidhost-reraise", "reraise")).unknowable(),
		host(lab("pidhost-thr-open", "thr_open_dfl")),
		host(lab("pidhost-selfstop", "selfstop")).unknowable(),
		host(lab("pidhost-fork", "fork_wait")),
		host(run("pidhost-python", "python3", "-c", "import time; time.sleep(1000)")),
		host(run("pidhost-node", "node20", "-e", "setInterval(()=>{},1000)")).needs("/usr/local/bin/node20"),
		host(run("pidhost-tini", "tini", "-s", "--", "sleep", "1000")),
		host(run("pidhost-tini-ign", "tini", "-s", "--", siglab, "ign")),
		host(run("pidhost-bash-fg", "bash", "-c", trapFG)),
		host(run("pidhost-sh-two", "sh", "-c", "sleep 1000; true")),
		host(run("pidhost-bash-tty", "bash")).with("-it"),
		beside(run("pidcontainer-sleep", "sleep", "1000")),
		beside(lab("pidcontainer-ign", "ign")),
		beside(run("pidcontainer-sh", "sh", "-c", "sleep 1000; true")),
		lab("stopsig-int", "default").signal("SIGINT"),
		lab("stopsig-quit", "default").signal("SIGQUIT"),
		lab("stopsig-hup", "default").signal("SIGHUP"),
		lab("stopsig-usr1", "default").signal("SIGUSR1"),
		lab("stopsig-stop", "default").signal("SIGSTOP"),
		lab("stopsig-cont", "default").signal("SIGCONT"),
		lab("stopsig-tstp", "default").signal("SIGTSTP"),
		lab("stopsig-winch", "default").signal("SIGWINCH"),
		lab("stopsig-rtmin", "default").signal("SIGRTMIN"),
		lab("stopsig-number", "default").signal("3"),
		lab("stopsig-int-exit", "-s", "2", "exit").signal("SIGINT").unknowable().finishes(1, "HEARD"),
		lab("stopsig-kill", "default").signal("SIGKILL"),
		lab("stopsig-kill-app", "exit").signal("SIGKILL").finishes(1, "HEARD"),
		run("stopsig-kill-tini", "tini", "--", siglab, "exit").signal("SIGKILL").finishes(1, "HEARD"),
		lab("stop-timeout-2", "default").with("--stop-timeout", "2").stop(),
		lab("stop-timeout-2-slow", "-n", "60", "slow").with("--stop-timeout", "2").stop().unknowable(),
		lab("stop-t-1", "default").stop("-t", "1"),
		lab("stop-t0-slow", "-n", "2", "slow").stop("-t", "0").unknowable().finishes(1, "DONE"),
		lab("stop-t0-default", "default").stop("-t", "0"),
		lab("exec-extra-ign", "exit").exec(siglab, "ign").unknowable().finishes(1, "HEARD"),
		lab("exec-extra-default", "default").exec(siglab, "exit"),
		run("exec-extra-slow", "tini", "--", siglab, "default").exec(siglab, "-n", "1", "slow").finishes(1, "DONE"),
		run("exec-shell", "sleep", "1000").exec("sh", "-c", "sleep 1000; true"),
		paused(lab("paused-default", "default")),
		paused(lab("paused-exit", "exit")).unknowable(),
		lab("restart-always", "exit").with("--restart", "always").unknowable().finishes(1, "HEARD"),
		lab("restart-default", "default").with("--restart", "always"),
		lab("user-nobody", "default").with("-u", "nobody"),
		lab("user-nobody-tini", "default").with("-u", "nobody", "--init"),
		lab("read-only", "default").with("--read-only"),
		lab("cap-drop-all", "default").with("--cap-drop", "ALL", "--init"),
		lab("no-new-privileges", "exit").with("--security-opt", "no-new-privileges").unknowable().finishes(1, "HEARD"),
		lab("auto-remove", "default").with("--stop-timeout", "3"),
		run("tty-leader", "sh", "-c", slowApp+" & exec sleep 1000").with("-t"),
		run("tty-session-init", "sh", "-c", slowApp+"; true").with("-t", "--init").finishes(1, "DONE"),
		run("tty-hup", "tini", "--", "setsid", "-w", siglab, "-s", "1", "exit").with("-t"),
	}
}
