package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// What happens, as measured with Docker 20.10, 28.5 and 29.7, and Linux 6.18.
var (
	killed = truth{exit: 137, seconds: 3}
	stuck  = truth{exit: -1, seconds: 17, status: 1}
)

// forgotten stands for bed.ForgottenExit.
const forgotten = -2

func exits(code int) truth { return truth{exit: code} }

func cmd(args ...string) []string { return args }

// shell runs a script in a shell of the image "shells".
func shell(sh, script string) []string { return cmd("shells", sh, "-c", script) }

const trapForeground = "trap 'exit 7' TERM; sleep 1000"
const trapWait = "trap 'exit 7' TERM; sleep 1000 & wait"

func shellCases() []stopCase {
	return []stopCase{
		{name: "dash-two", run: shell("sh", "sleep 1000; true"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-single", run: shell("sh", "sleep 1000"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-app", run: shell("sh", "/siglab exit; true"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-pipe", run: shell("sh", "/siglab exit | cat"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "bash-two", run: shell("bash", "sleep 1000; true"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "bash-single", run: shell("bash", "sleep 1000"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "bash-exec", run: shell("bash", "exec /siglab exit"), truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "ash-two", run: cmd("shells", "busybox", "sh", "-c", "sleep 1000; true"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-trap-fg", run: shell("sh", trapForeground), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "bash-trap-fg", run: shell("bash", trapForeground), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "ash-trap-fg", run: cmd("shells", "busybox", "sh", "-c", trapForeground), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "dash-trap-wait", run: shell("sh", trapWait), truth: exits(7), verdict: diagnose.Stops, sure: "assumed"},
		{name: "bash-trap-wait", run: shell("bash", trapWait), truth: exits(7), verdict: diagnose.Stops, sure: "sure"},
		{name: "ash-trap-wait", run: cmd("shells", "busybox", "sh", "-c", trapWait), truth: exits(7), verdict: diagnose.Stops, sure: "assumed"},
		{name: "dash-trap-loop", run: shell("sh", "trap 'exit 3' TERM; while true; do sleep 0.4; done"), truth: exits(3), verdict: diagnose.Stops, sure: "assumed"},
		{name: "dash-trap-empty", run: shell("sh", "trap '' TERM; sleep 1000; true"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-trap-empty-exec", run: shell("sh", "trap '' TERM; exec sleep 1000"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-tty", run: cmd("-it", "shells", "sh"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "bash-tty", run: cmd("-it", "shells", "bash"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "ash-tty", run: cmd("-it", "shells", "busybox", "sh"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "dash-stdin", run: cmd("-i", "shells", "sh"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
	}
}

func initCases() []stopCase {
	app := []string{"sh", "-c", "/siglab slow; true"}
	with := func(init ...string) func(args ...string) []string {
		return func(args ...string) []string { return append(append([]string{"shells"}, init...), args...) }
	}
	tini, group, dumb, cat := with("tini", "--"), with("tini", "-g", "--"), with("dumb-init", "--"), with("catatonit", "--")
	return []stopCase{
		{name: "init-sleep", run: cmd("--init", "shells", "sleep", "1000"), truth: exits(143), verdict: diagnose.Stops, sure: "sure"},
		{name: "init-exit", run: cmd("--init", "lab", "exit"), truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "init-ign", run: cmd("--init", "lab", "ign"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "init-blocked", run: cmd("--init", "lab", "blocked"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "init-app", run: append(cmd("--init", "shells"), app...), truth: exits(143), verdict: diagnose.Abrupt, sure: "sure"},
		{name: "init-shell", run: cmd("--init", "shells", "sh", "-c", "sleep 1000; true"), truth: exits(143), verdict: diagnose.Stops, sure: "sure"},
		{name: "init-trap-fg", run: cmd("--init", "shells", "sh", "-c", trapForeground), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "init-selfstop", run: cmd("--init", "lab", "selfstop"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "tini-sleep", run: tini("sleep", "1000"), truth: exits(143), verdict: diagnose.Stops, sure: "sure"},
		{name: "tini-app", run: tini(app...), truth: exits(143), verdict: diagnose.Abrupt, sure: "sure"},
		{name: "tini-ign", run: tini("/siglab", "ign"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "tini-group-app", run: group(app...), truth: exits(143), verdict: diagnose.Abrupt, sure: "sure"},
		{name: "tini-group-sleep", run: group("sh", "-c", "sleep 1000; true"), truth: exits(143), verdict: diagnose.Stops, sure: "sure"},
		{name: "dumb-sleep", run: dumb("sleep", "1000"), truth: exits(143), verdict: diagnose.Stops, sure: "sure"},
		{name: "dumb-app", run: dumb(app...), truth: exits(143), verdict: diagnose.Abrupt, sure: "sure"},
		{name: "dumb-ign", run: dumb("/siglab", "ign"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "catatonit-sleep", run: cat("sleep", "1000"), truth: exits(143), verdict: diagnose.Stops, sure: "sure"},
		{name: "catatonit-app", run: cat(app...), truth: exits(143), verdict: diagnose.Abrupt, sure: "sure"},
		{name: "catatonit-ign", run: cat("/siglab", "ign"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
	}
}

// signalCases are siglab as PID 1, in every way to take SIGTERM.
func signalCases() []stopCase {
	var cases []stopCase
	add := func(tr truth, v diagnose.Verdict, sure string, modes ...string) {
		for _, m := range modes {
			cases = append(cases, stopCase{name: strings.ReplaceAll(m, "_", "-"), run: cmd("lab", m), truth: tr, verdict: v, sure: sure})
		}
	}
	add(killed, diagnose.Killed, "certain",
		"default", "ign", "sigwait_unblocked", "sfd_unblocked", "thr_sigwait_main_open",
		"threads", "fork_wait", "grandchild", "sleepers", "zombies")
	// A program can unblock, or fetch, what is blocked now.
	add(killed, diagnose.Killed, "sure",
		"blocked", "blocked_handler", "sigwait_other", "sfd_unread", "sfd_epoll_other", "thr_all_blocked", "vfork")
	add(exits(0), diagnose.Stops, "assumed",
		"exit", "sigwait", "sfd_epoll", "sfd_poll", "sfd_read", "thr_open_handler", "thr_sigwait",
		"sigsuspend", "flag_norestart", "fork_forward", "fork_ign")
	add(exits(143), diagnose.Stops, "assumed", "exit143", "reraise_exit")
	// As PID 1 abort's own SIGABRT is dropped, and glibc then falls on a trap: 139.
	add(exits(139), diagnose.Stops, "assumed", "abort")
	add(exits(0), diagnose.Stops, "assumed", "blocked_poll", "blocked_window")
	add(killed, diagnose.Stops, "assumed", "noop", "hang", "reraise", "flag_restart")
	// Docker takes it for gone, sends nothing, books it as ended, and the thread lives
	// on. kill(2) reaches the thread: measured without an engine, its handler ends it.
	cases = append(cases, stopCase{name: "zombie-leader", run: cmd("lab", "zombie_leader"), truth: truth{exit: forgotten, seconds: 12}, verdict: diagnose.Stuck, sure: "sure", byPID: diagnose.Stops})
	// PID 1's leader blocks the signal, a thread does not, default action: up to a
	// late 6.18 complete_signal kills the group although it is PID 1's; since it
	// looks at SIGNAL_UNKILLABLE the signal is dropped. Nobody can be sure.
	cases = append(cases, stopCase{name: "thr-open-dfl", run: cmd("lab", "thr_open_dfl"), truth: killed, varies: true, sure: "assumed"})
	return cases
}

// engineCases are about what Docker was told, and what was done to the container.
func engineCases() []stopCase {
	return []stopCase{
		{name: "pidhost-default", run: cmd("--pid=host", "lab", "default"), noPID: true, truth: exits(143), verdict: diagnose.Stops, sure: "certain"},
		{name: "pidhost-ign", run: cmd("--pid=host", "lab", "ign"), noPID: true, truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "pidhost-exit", run: cmd("--pid=host", "lab", "exit"), noPID: true, truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "signal-int", run: cmd("--stop-signal=INT", "lab", "-s", "2", "exit"), truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "signal-usr1", run: cmd("--stop-signal=SIGUSR1", "lab", "default"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "signal-rt", run: cmd("--stop-signal=RTMIN+3", "lab", "-s", "37", "exit"), truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "signal-rt-default", run: cmd("--stop-signal=37", "lab", "exit"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "signal-kill", run: cmd("--stop-signal=KILL", "lab", "exit"), truth: exits(137), verdict: diagnose.Abrupt, sure: "certain"},
		{name: "signal-winch", run: cmd("--stop-signal=WINCH", "--pid=host", "lab", "default"), noPID: true, truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "timeout-own", run: cmd("--stop-timeout=2", "lab", "default"), timeout: "none", truth: truth{exit: 137, seconds: 2}, verdict: diagnose.Killed, sure: "certain"},
		{name: "timeout-0", run: cmd("lab", "default"), timeout: "0", truth: exits(137), verdict: diagnose.Killed, sure: "certain"},
		{name: "timeout-6", run: cmd("lab", "ign"), timeout: "6", truth: truth{exit: 137, seconds: 6}, verdict: diagnose.Killed, sure: "certain"},
		{name: "paused-default", run: cmd("lab", "default"), after: pause, truth: killed, verdict: diagnose.Killed, sure: "certain"},
		// By PID alone nobody would thaw it.
		{name: "paused-exit", run: cmd("lab", "exit"), after: pause, noPID: true, truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "stopped-exit", run: cmd("lab", "exit"), after: sigstop, truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "exec-default", run: cmd("lab", "default"), after: execSleeper, truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "exec-exit", run: cmd("lab", "exit"), after: execSleeper, truth: exits(0), verdict: diagnose.Stops, sure: "assumed"},
		{name: "traced-default", run: cmd("lab", "default"), after: traced("trace"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "traced-held", run: cmd("lab", "exit"), after: traced("trace_hold"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		// The tracer will not fetch the dead: PID 1 stays a zombie, or stops once more
		// on its way out.
		{name: "traced-hung", run: cmd("lab", "exit"), after: traced("trace_hung"), truth: truth{exit: -1, seconds: 15, status: 1}, verdict: diagnose.Stuck, sure: "sure"},
		{name: "traced-exit-hung", run: cmd("lab", "exit"), after: traced("trace_exit_hung"), truth: stuck, verdict: diagnose.Stuck, sure: "sure"},
		{name: "pid-of-other", run: cmd("--pid=container:pid-owner", "lab", "default"), before: pidOwner, noPID: true, truth: exits(143), verdict: diagnose.Stops, sure: "certain"},
		{name: "restart-always", run: cmd("--restart=always", "lab", "default"), truth: killed, verdict: diagnose.Killed, sure: "certain"},
		{name: "user", run: cmd("--user=1234", "--cap-drop=ALL", "--init", "lab", "ign"), truth: killed, verdict: diagnose.Killed, sure: "sure"},
		{name: "created", run: cmd("lab", "default"), created: true, truth: exits(0), verdict: diagnose.NotRunning, sure: "certain"},
		{name: "exited", run: cmd("lab", "list"), truth: exits(0), verdict: diagnose.NotRunning, sure: "certain"},
	}
}

// hangCases wait for a file system that does not answer. A request that its
// server has not read yet would be given up on SIGKILL; that cannot be seen.
func hangCases() []stopCase {
	return []stopCase{
		{name: "fuse-main", hang: true, run: cmd("lab", "-f", "/mnt/hang", "stat"), truth: stuck, verdict: diagnose.Stuck, sure: "any"},
		{name: "fuse-read", hang: true, run: cmd("lab", "-f", "/mnt/hang", "read"), truth: stuck, verdict: diagnose.Stuck, sure: "any"},
		{name: "fuse-thread", hang: true, run: cmd("lab", "-f", "/mnt/hang", "thr_stat"), truth: truth{exit: forgotten, seconds: 15, status: either}, verdict: diagnose.Stuck, sure: "any"},
		{name: "fuse-child", hang: true, run: cmd("lab", "-f", "/mnt/hang", "child_stat"), truth: stuck, verdict: diagnose.Stuck, sure: "any"},
	}
}

// pidOwner starts the container whose PID namespace the case joins, unless an
// earlier try has.
func pidOwner(t *testing.T, l *lab) {
	if _, _, code := l.d.Docker(t.Context(), "inspect", "pid-owner"); code != 0 {
		l.start(t, "pid-owner", "lab", "default")
	}
}

func pause(t *testing.T, l *lab, name string) { l.docker(t, "pause", name) }

func sigstop(t *testing.T, l *lab, name string) { l.docker(t, "kill", "-s", "STOP", name) }

func execSleeper(t *testing.T, l *lab, name string) {
	l.docker(t, "exec", "-d", name, "/siglab", "sleepers")
}

// traced lets a siglab of the host trace the container's PID 1.
func traced(mode string) func(*testing.T, *lab, string) {
	return func(t *testing.T, l *lab, name string) {
		t.Helper()
		tracer := exec.Command(bed.StaticProgram(t), "-n", strconv.Itoa(l.pid(t, name)), mode)
		out, err := tracer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := tracer.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = tracer.Process.Kill() // it may have ended with the container
			_ = tracer.Wait()
		})
		if _, err := fmt.Fscanln(out, new(string)); err != nil {
			t.Fatalf("the tracer did not get ready: %v", err)
		}
	}
}
