package cases

// signals ask what docker kill -s of a signal would do: a reload, mostly.
func signals() []Case {
	kill := func(name, signal string, command ...string) Case {
		c := run("kill-"+name, command...)
		c.Kill = signal
		return c
	}
	taken := func(c Case, text string) Case { c.Takes = text; return c }
	return []Case{
		taken(kill("hup-reload", "HUP", siglab, "reload"), "HEARD 1 "),
		kill("usr1-reload", "USR1", siglab, "reload"),
		kill("usr2-reload", "USR2", siglab, "reload"),
		kill("hup-default", "HUP", siglab, "default"),
		kill("usr1-init", "USR1", siglab, "default").with("--init"),
		taken(kill("hup-init-reload", "HUP", siglab, "reload").with("--init"), "HEARD 1 "),
		taken(kill("hup-tini-reload", "HUP", "tini", "--", siglab, "reload"), "HEARD 1 "),
		kill("hup-sh-reload", "HUP", "sh", "-c", siglab+" reload; true"),
		kill("hup-init-sh", "HUP", "sh", "-c", siglab+" reload; true").with("--init"),
		kill("usr1-blocked", "USR1", siglab, "-s", "10", "blocked"),
		kill("stop-init", "STOP", siglab, "default").with("--init"),
		kill("tstp-init", "TSTP", siglab, "default").with("--init"),
		kill("winch-default", "WINCH", siglab, "default"),
		kill("usr1-go", "USR1", gosig, "none"),
		kill("hup-go", "HUP", gosig, "none"),
		kill("kill-default", "KILL", siglab, "default"),
		kill("hup-pidhost", "HUP", siglab, "default").with("--pid=host"),
		taken(kill("hup-sigwait", "HUP", siglab, "-s", "1", "sigwait"), "HEARD 1 "),
		taken(kill("usr1-signalfd", "USR1", siglab, "-s", "10", "sfd_epoll"), "HEARD 10 "),
		taken(kill("hup-nginx", "HUP", "nginx", "-g", "daemon off; error_log stderr notice;"), "reconfiguring"),
		taken(kill("quit-java", "QUIT", "java", "-cp", Mount+"/bin", "Sig").ready("READY"), "Full thread dump").needs(javaNeeds...),
	}
}
