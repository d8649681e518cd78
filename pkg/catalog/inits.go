package catalog

import "github.com/whystuck/whystuck/pkg/evidence"

// all is every signal but those that cannot be caught.
const all = ^evidence.SigSet(0) &^ (1<<(evidence.SIGKILL-1) | 1<<(evidence.SIGSTOP-1))

// without is all signals but the given ones.
func without(signals ...int) evidence.SigSet { return all &^ evidence.SetOf(signals...) }

// inits are programs made to be PID 1, and supervisors.
var inits = []Program{
	{
		ID: "tini", Kind: KindInit, Names: []string{"tini", "tini-static", "docker-init"}, Fetches: true,
		Forward: &Forward{
			// tini.c configure_signals: it waits for all but these, and reaps on CHLD.
			Passes: without(evidence.SIGFPE, evidence.SIGILL, evidence.SIGSEGV, evidence.SIGBUS, evidence.SIGABRT,
				evidence.SIGTRAP, evidence.SIGSYS, evidence.SIGTTIN, evidence.SIGTTOU, evidence.SIGCHLD),
			Reach: ReachChild, Waits: true, Code: CodeChild, WithoutCapKill: "exits",
		},
		Flags: []Flag{
			{Names: []string{"-g"}, Option: "group"}, {Names: []string{"-s"}, Option: "subreaper"},
			{Names: []string{"-e"}, Option: "remap", Value: true}, {Names: []string{"-p"}, Option: "pdeath", Value: true},
			{Names: []string{"-v", "-vv", "-vvv"}, Option: "verbose"}, {Names: []string{"-w"}, Option: "warn"},
			{Names: []string{"-gs", "-sg", "-gv", "-vg", "-gw"}, Option: "group"},
		},
		Responses: map[int]Response{evidence.SIGCHLD: {Ends: EndsNo, Means: "reaps its children", Instead: "SIGTERM"}},
		Source:    "krallin/tini src/tini.c", Case: "tini-app",
	},
	{
		ID: "dumb-init", Kind: KindInit, Names: []string{"dumb-init"}, Fetches: true,
		Forward: &Forward{
			Passes: without(evidence.SIGCHLD),
			Reach:  ReachGroup, Waits: true, Code: CodeChild, WithoutCapKill: "lost",
		},
		Flags: []Flag{
			{Names: []string{"-c", "--single-child"}, Option: "single"},
			{Names: []string{"-r", "--rewrite"}, Option: "rewrite", Value: true},
			{Names: []string{"-v", "--verbose"}, Option: "verbose"},
		},
		Responses: map[int]Response{evidence.SIGCHLD: {Ends: EndsNo, Means: "reaps its children", Instead: "SIGTERM"}},
		Source:    "Yelp/dumb-init dumb-init.c", Case: "dumb-init-app",
	},
	{
		ID: "catatonit", Kind: KindInit, Names: []string{"catatonit", "podman-init"}, Fetches: true,
		Forward: &Forward{
			Passes: without(evidence.SIGFPE, evidence.SIGILL, evidence.SIGSEGV, evidence.SIGBUS, evidence.SIGABRT,
				evidence.SIGTRAP, evidence.SIGSYS, evidence.SIGTTIN, evidence.SIGTTOU, evidence.SIGTSTP, evidence.SIGCHLD),
			Reach: ReachChild, Waits: true, Code: CodeChild, WithoutCapKill: "lost",
		},
		Flags:     []Flag{{Names: []string{"-g"}, Option: "group"}, {Names: []string{"-P"}, Option: "pause"}},
		Responses: map[int]Response{evidence.SIGCHLD: {Ends: EndsNo, Means: "reaps its children", Instead: "SIGTERM"}},
		Source:    "openSUSE/catatonit catatonit.c", Case: "catatonit-app",
	},
	{
		ID: "s6-svscan", Kind: KindInit, Names: []string{"s6-svscan"}, Fetches: true,
		Forward: &Forward{
			Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGQUIT),
			Reach:  ReachTree, Send: evidence.SIGTERM, Waits: true, Code: CodeFixed, Status: 0,
		},
		Responses: map[int]Response{
			evidence.SIGHUP:  {Ends: EndsNo, Means: "rescans its service directory", Instead: "SIGTERM"},
			evidence.SIGALRM: {Ends: EndsNo, Means: "rescans its service directory", Instead: "SIGTERM"},
		},
		Source: "skarnet.org s6-svscan: signals", Case: "s6-svscan-app",
	},
	{
		ID: "s6-supervise", Kind: KindInit, Names: []string{"s6-supervise"},
		Source: "skarnet.org s6-supervise", Case: "s6-svscan-app",
	},
	{
		ID: "runsvdir", Kind: KindInit, Names: []string{"runsvdir"},
		Forward: &Forward{
			// TERM: it exits and leaves every runsv running; HUP: it sends TERM to
			// each runsv and exits 111 without waiting.
			Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGHUP),
			Reach:  ReachNobody, Code: CodeUnknown,
		},
		Source: "smarden.org runsvdir(8)", Case: "runsvdir-app",
	},
	{
		ID: "runsv", Kind: KindInit, Names: []string{"runsv"}, NeverWaits: true,
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM), Reach: ReachChildren, Waits: true, Code: CodeFixed, Status: 0},
		Source:  "smarden.org runsv(8)", Case: "runsv-alone",
	},
	{
		ID: "supervisord", Kind: KindInit, Scripts: []string{"supervisord", "supervisor", "supervisor.supervisord"}, Names: []string{"supervisord"},
		Forward: &Forward{
			Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGQUIT),
			// stopsignal TERM, stopwaitsecs 10 unless configured.
			Reach: ReachChildren, Send: evidence.SIGTERM, Waits: true, Grace: 10, Adds: 0.8, Code: CodeFixed, Status: 0,
		},
		Responses: map[int]Response{
			evidence.SIGHUP:  {Ends: EndsNo, Means: "stops and restarts every program", Instead: "SIGTERM"},
			evidence.SIGUSR2: {Ends: EndsNo, Means: "reopens its logs", Instead: "SIGTERM"},
		},
		Source: "supervisord.org running.html#signals", Case: "supervisord-app",
	},
	{
		ID: "systemd", Kind: KindInit, Names: []string{"systemd"}, Fetches: true,
		Stop: evidence.SIGRTMIN + 3, StopFor: "SIGTERM makes it execute itself again",
		Responses: map[int]Response{
			evidence.SIGTERM:      {Ends: EndsNo, Means: "re-executes itself and goes on", Instead: "SIGRTMIN+3"},
			evidence.SIGINT:       {Ends: EndsUnknown, Code: -1, Means: "starts ctrl-alt-del.target"},
			evidence.SIGHUP:       {Ends: EndsNo, Means: "reloads its configuration", Instead: "SIGRTMIN+3"},
			evidence.SIGUSR1:      {Ends: EndsNo, Means: "reconnects to D-Bus", Instead: "SIGRTMIN+3"},
			evidence.SIGUSR2:      {Ends: EndsNo, Means: "logs its state", Instead: "SIGRTMIN+3"},
			evidence.SIGRTMIN + 3: {Ends: EndsUnknown, Code: -1, After: 1, Means: "halts"},
			evidence.SIGRTMIN + 4: {Ends: EndsUnknown, Code: -1, After: 1, Means: "powers off"},
		},
		Source: "systemd(1) SIGNALS", Case: "systemd",
	},
	{
		ID: "busybox-init", Kind: KindInit, Names: []string{"busybox-init"}, Fetches: true,
		Responses: map[int]Response{
			evidence.SIGTERM: {Ends: EndsYes, Code: -1, After: 3.5, Means: "stops everything and asks for a reboot"},
			evidence.SIGUSR1: {Ends: EndsUnknown, Code: -1, After: 3.3, Means: "stops everything and halts"},
			evidence.SIGUSR2: {Ends: EndsUnknown, Code: -1, After: 3.3, Means: "stops everything and powers off"},
			evidence.SIGHUP:  {Ends: EndsNo, Means: "reloads inittab", Instead: "SIGTERM"},
		},
		Source: "busybox init/init.c", Case: "busybox-init",
	},
	{
		ID: "pm2", Kind: KindInit, Scripts: []string{"pm2-runtime", "pm2-docker", "pm2"}, Titles: []string{"PM2 "}, Names: []string{"pm2-runtime"},
		Forward: &Forward{
			Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGQUIT),
			// kill_timeout 1600 ms, then SIGKILL.
			Reach: ReachChildren, Send: evidence.SIGINT, Waits: true, Grace: 1.6, Adds: 0.5, Code: CodeFixed, Status: 0,
		},
		Source: "pm2.keymetrics.io graceful shutdown", Case: "pm2-runtime-plain",
	},
}
