package cases

// cPrograms are static C programs, one way of taking a signal each (see
// scripts/bed/siglab.c for what a mode does).
func cPrograms() []Case {
	lab := func(args ...string) Case { return run("c-"+args[len(args)-1], append(cmd(siglab), args...)...) }
	hears := func(args ...string) Case { return lab(args...).unknowable().finishes(1, "HEARD") }
	all := []Case{
		lab("default"),
		lab("ign"),
		lab("blocked"),
		lab("blocked_handler"),
		lab("sigwait_other"),
		lab("sfd_unread"),
		lab("sfd_unblocked"),
		lab("sfd_epoll_other"),
		lab("thr_all_blocked"),
		lab("thr_open_dfl"),
		lab("thr_sigwait_main_open"),
		lab("threads"),
		lab("fork_wait"),
		lab("grandchild"),
		lab("sleepers"),
		lab("zombies"),
		lab("vfork").busy(),                  // its parent shows as D
		lab("zombie_leader").accept("stuck"), // Docker books it as ended; the thread lives on
		lab("hostile"),
		hears("exit"),
		hears("exit143"),
		lab("noop").unknowable(),
		lab("-n", "60", "slow").unknowable(),
		lab("hang").unknowable(),
		lab("abort").unknowable(),
		lab("reraise").unknowable(),
		lab("reraise_exit").unknowable(),
		lab("flag_restart").unknowable(),
		hears("flag_norestart"),
		hears("blocked_poll"),
		hears("blocked_window"),
		hears("sigsuspend"),
		hears("sigwait"),
		lab("sigwait_unblocked").unknowable(),
		hears("sfd_epoll"),
		hears("sfd_poll"),
		hears("sfd_read"),
		hears("thr_open_handler"),
		hears("thr_sigwait"),
		hears("fork_forward"),
		hears("fork_ign"),
		hears("reload"),
	}
	more := map[string][]string{
		"c-init-abort":   cmd("abort"),
		"c-init-reraise": cmd("reraise"),
		"c-init-stop":    cmd("selfstop"),
		"c-init-sigwait": cmd("sigwait"),
	}
	for name, args := range more {
		all = append(all, run(name, append(cmd(siglab), args...)...).with("--init").unknowable())
	}
	return append(all,
		run("c-slow-1", siglab, "-n", "1", "slow").unknowable().finishes(1, "DONE"),
		run("c-init-blocked", siglab, "blocked").with("--init"),
		run("c-init-threads", siglab, "threads").with("--init"),
		run("c-init-grandchild", siglab, "grandchild").with("--init").finishes(1, "HEARD"),
		run("c-usr1", siglab, "-s", "10", "exit").signal("SIGUSR1").unknowable(),
		run("c-usr1-term", siglab, "-s", "10", "exit"),
		run("c-rtmin3", siglab, "-s", "37", "exit").signal("SIGRTMIN+3").unknowable(),
	)
}
