package enginetest

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// dropKill starts a program without CAP_KILL, for itself and for all below it.
var dropKill = []string{"setpriv", "--bounding-set=-kill", "--inh-caps=-kill"}

// bare runs without capabilities: newer runtimes do not start what has one that they
// lack themselves, and Docker 29 takes no --cap-drop of such a one.
var bare = []string{"--cap-drop", "ALL", "lab", "exit"}

// TestRefused has engines whose signals the kernel denies, for real: without
// CAP_KILL, in dockerd and its runtime or in the runtime alone, and under a
// seccomp filter that refuses kill(2). Each command's time, exit status and error
// are held against the forecast.
func TestRefused(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "setpriv")
	l := &lab{binary: bed.Whystuck(t)}
	engine := func(t *testing.T, opt bed.Options) *bed.Daemon {
		d := bed.StartDaemonWith(t, opt)
		if err := d.Import(t.Context(), "lab", map[string]string{"/siglab": bed.StaticProgram(t), "/tmp/": ""}, `ENTRYPOINT ["/siglab"]`); err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Run("engines", func(t *testing.T) {
		t.Run("no-cap-kill", func(t *testing.T) {
			t.Parallel()
			d := engine(t, bed.Options{Wrap: dropKill})
			l.deniedCommands(t, d, diagnose.Certain, "WS402", bare...)
			l.allowedAsRoot(t, d)
			l.startDenied(t, d)
		})
		t.Run("no-cap-kill-runtime", func(t *testing.T) {
			t.Parallel()
			d := engine(t, bed.Options{Containerd: true, WrapContainerd: dropKill})
			l.deniedCommands(t, d, diagnose.Certain, "WS402", bare...)
		})
		// dockerd alone without it: the runtime's signals get through.
		t.Run("no-cap-kill-dockerd", func(t *testing.T) {
			t.Parallel()
			d := engine(t, bed.Options{Containerd: true, Wrap: dropKill})
			l.run(t, d, "fine", "--user", "1000", "lab", "exit")
			a := l.ask(t, d, "fine")
			a.wants(t, diagnose.Stops, nil)
			stop := l.later(d, "stop", "fine")
			stop.returns(t, 20*time.Second)
			if stop.took > 5*time.Second || stop.code != 0 {
				t.Errorf("docker stop took %v, exit %d", stop.took, stop.code)
			}
			l.row(t, a, stop.sums())
		})
		t.Run("landlock", func(t *testing.T) { t.Parallel(); l.fencedRuntime(t) })
		// Nothing in /proc says what a filter refuses: the first refusal tells.
		t.Run("seccomp", func(t *testing.T) {
			t.Parallel()
			d := engine(t, bed.Options{Wrap: []string{self(t), noKillArg}})
			l.run(t, d, "filtered", "lab", "exit")
			a := l.ask(t, d, "filtered")
			if a.Confidence == diagnose.Certain {
				t.Error("certain under a filter that cannot be read")
			}
			first := l.later(d, "stop", "-t", "1", "filtered")
			first.returns(t, 30*time.Second)
			a = l.ask(t, d, "filtered", "-t", "1")
			a.wants(t, diagnose.Refused, []string{"WS401"}, "seccomp")
			l.hold(t, a, a.Stop.Command, l.later(d, "stop", "-t", "1", "filtered"))
			a.wayOut(t, "kill -TERM")
		})
	})
	slices.Sort(l.rows)
	fmt.Printf("%-20s %-44s %7s  %s\n%s\n", "scene", "whystuck", "answer", "docker", strings.Join(l.rows, "\n"))
}

// deniedCommands runs stop, kill and rm -f on containers of their own, each of
// another user than the engine's.
func (l *lab) deniedCommands(t *testing.T, d *bed.Daemon, conf diagnose.Confidence, code string, run ...string) {
	type try struct {
		a   answer
		c   *command
		say diagnose.Command
	}
	var tries []try
	for i, args := range [][]string{{"stop", "-t", "0"}, {"stop", "-t", "25"}, {"kill"}, {"rm", "-f"}} {
		name := fmt.Sprintf("denied-%d", i)
		pid := l.run(t, d, name, append([]string{"--user", "1000"}, run...)...)
		// After the scene: the engine cannot end it, the test can.
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		var flags []string
		if args[0] == "stop" {
			flags = args[1:]
		}
		a := l.ask(t, d, name, flags...)
		a.wants(t, diagnose.Refused, []string{code}, "CAP_KILL", "kill -TERM")
		if a.Confidence != conf || a.Layer != diagnose.LayerSecurity {
			t.Errorf("%s: %s %s, want %s", name, a.Confidence, a.Layer, conf)
		}
		say := a.Stop.Command
		switch args[0] {
		case "kill":
			say = a.Kill.Command
		case "rm":
			say = a.Rm.Command
		}
		tries = append(tries, try{a, l.later(d, append(args, name)...), say})
	}
	for _, x := range tries {
		l.hold(t, x.a, x.say, x.c)
	}
}

// hold compares a command with its forecast.
func (l *lab) hold(t *testing.T, a answer, say diagnose.Command, c *command) {
	t.Helper()
	c.returns(t, 40*time.Second)
	switch {
	case say.ExitStatus == nil && (say.AfterSeconds == nil || a.Kill.Outcome != "dies"):
		t.Errorf("docker %s: no forecast: %+v", c.name, say)
		return
	case say.AfterSeconds == nil: // a handler that runs, for as long as it likes
		l.row(t, a, c.sums())
		return
	case math.Abs(*say.AfterSeconds-c.took.Seconds()) > 2:
		t.Errorf("docker %s took %v, forecast %.0f s", c.name, c.took, *say.AfterSeconds)
	}
	// Without a status it is a race between the kernel and dockerd; the time is none.
	if say.ExitStatus != nil && *say.ExitStatus != min(c.code, 1) {
		t.Errorf("docker %s: exit status %d, forecast %d", c.name, c.code, *say.ExitStatus)
	}
	if say.Error != nil {
		words := strings.Split(*say.Error, ": ")
		if last := words[len(words)-1]; !strings.Contains(c.message, strings.TrimPrefix(last[strings.LastIndex(last, " - ")+1:], "- ")) {
			t.Errorf("docker %s says %q, forecast %q", c.name, c.message, *say.Error)
		}
	}
	l.row(t, a, fmt.Sprintf("%s, told %.0f s", c.sums(), *say.AfterSeconds))
}

// allowedAsRoot: the same engine may signal a process of its own user.
func (l *lab) allowedAsRoot(t *testing.T, d *bed.Daemon) {
	l.run(t, d, "root", "--cap-drop", "ALL", "lab", "exit")
	a := l.ask(t, d, "root")
	a.wants(t, diagnose.Stops, nil)
	stop := l.later(d, "stop", "root")
	stop.returns(t, 20*time.Second)
	if stop.took > 5*time.Second {
		t.Errorf("docker stop took %v", stop.took)
	}
}

// startDenied: it cannot give a container what it lacks itself.
func (l *lab) startDenied(t *testing.T, d *bed.Daemon) {
	l.remove(t, d, "unborn")
	if _, err := d.Run(t.Context(), "--name", "unborn", "lab", "exit"); err == nil {
		t.Fatal("it started")
	}
	a := l.ask(t, d, "unborn")
	a.wants(t, diagnose.NotRunning, []string{"WS405"}, "operation not permitted", "capability")
	if a.Status != "created" {
		t.Errorf("status %q", a.Status)
	}
}

// noKillArg makes this test program refuse kill(2) to itself and execute the rest
// of its arguments.
const noKillArg = "-whystuck-no-kill"

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// noKill installs a seccomp filter that answers kill(2) and pidfd_send_signal(2),
// which runc takes since 1.2, with a signal other than 0 by EPERM, and becomes argv.
func noKill(argv []string) error {
	const (
		ld, jeq, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
		allow        = 0x7fff0000
		eperm        = 0x00050000 | uint32(unix.EPERM)
		second       = 24 // of struct seccomp_data: the second argument
	)
	filter := []unix.SockFilter{
		{Code: ld, K: 0},
		{Code: jeq, K: unix.SYS_KILL, Jt: 1},
		{Code: jeq, K: unix.SYS_PIDFD_SEND_SIGNAL, Jf: 3},
		{Code: ld, K: second},
		{Code: jeq, K: 0, Jt: 1},
		{Code: ret, K: eperm},
		{Code: ret, K: allow},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, 1, 1, uintptr(unsafe.Pointer(&prog))); e != 0 { // SET_MODE_FILTER, TSYNC
		return e
	}
	return become(argv)
}

// become executes a program in this process.
func become(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, argv, os.Environ())
}
