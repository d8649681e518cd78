package catalog

import "github.com/whystuck/whystuck/pkg/evidence"

func status(n int) *int { return &n }

// termLike are the signals by which people stop things.
var termLike = evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGHUP, evidence.SIGQUIT)

// wrappers run one command. Those that replace themselves by it (gosu, su-exec,
// setpriv, chroot, env, nohup, nice, chpst, stdbuf) are never seen and need no
// row.
var wrappers = []Program{
	{
		ID: "timeout", Kind: KindWrapper, Names: []string{"timeout"}, NeverWaits: true,
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGHUP, evidence.SIGQUIT),
			Reach: ReachGroup, Waits: true, Code: CodeChild},
		Flags: []Flag{{Names: []string{"-k", "--kill-after"}, Option: "kill-after", Value: true},
			{Names: []string{"-s", "--signal"}, Option: "signal", Value: true},
			{Names: []string{"--foreground"}, Option: "foreground"}},
		Source: "coreutils timeout.c", Case: "timeout-app",
	},
	{
		ID: "su", Kind: KindWrapper, Names: []string{"su"}, NeverWaits: true,
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM), Reach: ReachChild,
			Fixed: 2, Code: CodeFixed, Status: 143},
		Source: "util-linux su-common.c: SIGTERM, sleep(2), SIGKILL", Case: "su-app",
	},
	{
		ID: "runuser", Kind: KindWrapper, Names: []string{"runuser"}, NeverWaits: true,
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM), Reach: ReachChild,
			Fixed: 2, Code: CodeFixed, Status: 143},
		Source: "util-linux su-common.c: SIGTERM, sleep(2), SIGKILL", Case: "runuser-app",
	},
	{
		ID: "doas", Kind: KindWrapper, Names: []string{"doas"}, NeverWaits: true,
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM), Reach: ReachChild,
			Fixed: 2, Code: CodeFixed, Status: 143},
		Source: "opendoas pam.c: SIGTERM, sleep(2), SIGKILL", Case: "doas",
	},
	{
		ID: "sudo", Kind: KindWrapper, Names: []string{"sudo"}, NeverWaits: true,
		Forward: &Forward{Passes: termLike | evidence.SetOf(evidence.SIGUSR1, evidence.SIGUSR2, evidence.SIGALRM),
			Reach: ReachChild, Waits: true, Code: CodeChild, SignalledStatus: status(0)},
		Source: "sudo(8) SIGNALS", Case: "sudo-app",
	},
	{
		ID: "npm", Kind: KindWrapper, Scripts: []string{"npm", "npm-cli.js", "npx", "npx-cli.js"}, Titles: []string{"npm ", "npx "},
		Names:   []string{"npm", "npx"},
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT), Reach: ReachChild, Waits: true, Adds: 0.4, Code: CodeChild, SignalledStatus: status(1)},
		Source:  "npm/run-script lib/run-script-pkg.js", Case: "npm-start-plain",
	},
	{
		ID: "yarn", Kind: KindWrapper, Scripts: []string{"yarn", "yarn.js", "yarn-1.js", "yarnpkg"}, Names: []string{"yarn", "yarnpkg"},
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT), Reach: ReachChild, Waits: true, Adds: 0.2, Code: CodeUnknown},
		Source:  "yarnpkg/yarn src/util/signal-handler.js", Case: "yarn-start",
	},
	{
		ID: "pnpm", Kind: KindWrapper, Scripts: []string{"pnpm", "pnpm.cjs", "pnpm.mjs"}, Names: []string{"pnpm"},
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT), Reach: ReachChild, Waits: true, Adds: 0.1, Code: CodeChild, SignalledStatus: status(1)},
		Source:  "pnpm", Case: "pnpm-start",
	},
	{
		ID: "nodemon", Kind: KindWrapper, Scripts: []string{"nodemon", "nodemon.js"}, Names: []string{"nodemon"},
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM), Reach: ReachNobody, Code: CodeFixed, Status: 143, Adds: 0.3},
		Source:  "remy/nodemon", Case: "nodemon-plain",
	},
	{
		ID: "script", Kind: KindWrapper, Names: []string{"script"}, Fetches: true,
		Forward: &Forward{Passes: evidence.SetOf(evidence.SIGTERM, evidence.SIGINT, evidence.SIGQUIT), Reach: ReachChild,
			Fixed: 2, Code: CodeFixed, Status: 0},
		Source: "util-linux script.c, pty-session.c", Case: "script",
	},
	{ID: "xargs", Kind: KindWrapper, Names: []string{"xargs"}, NeverWaits: true, Plain: true, Source: "findutils xargs.c: no handler for TERM", Case: "xargs"},
	{ID: "flock", Kind: KindWrapper, Names: []string{"flock"}, NeverWaits: true, Plain: true, Source: "util-linux flock.c: no handlers", Case: "flock"},
	{ID: "strace", Kind: KindWrapper, Names: []string{"strace"}, Source: "strace.c", Case: "strace"},
	{ID: "unshare", Kind: KindWrapper, Names: []string{"unshare"}, NeverWaits: true, Source: "util-linux unshare.c: blocks TERM and INT while it waits", Case: "unshare"},
	{ID: "setsid", Kind: KindWrapper, Names: []string{"setsid"}, NeverWaits: true, Source: "util-linux setsid.c", Case: "setsid-w"},
}
