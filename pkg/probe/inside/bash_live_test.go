package inside_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

const bashTraps = `trap 'echo got TERM; exit 7' TERM; trap 'echo bye' EXIT; trap '' HUP; `

// bashCases are shells whose SigCgt and wait channel are the same and whose
// traps run at different times. Each is looked at, then really sent SIGTERM.
var bashCases = []struct {
	name, script     string
	args             []string
	call             string // the system call in which it settles
	waiting, reading string
	atOnce           bool // the trap runs at once
}{
	{name: "foreground child", script: "sleep 60; true", call: "wait4", waiting: "false", reading: "nil"},
	{name: "wait", script: "sleep 60 & wait; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "wait for a pid", script: "sleep 60 & wait $!; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "wait -n", script: "sleep 60 & wait -n; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "wait with a job", script: "set -m; sleep 60 & wait %1; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "posix mode", script: "set -o posix; sleep 60 & wait; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "foreground in a function", script: "f() { sleep 60; true; }; f; true", call: "wait4", waiting: "false", reading: "nil"},
	{name: "wait in a function", script: "f() { sleep 60 & wait; }; f; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "wait in a loop", script: "while :; do sleep 60 & wait; done", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "foreground after wait", script: "sleep 0.05 & wait; sleep 60; true", call: "wait4", waiting: "false", reading: "nil"},
	{name: "subshell after wait", script: "sleep 0.05 & wait; (sleep 60; true); true", call: "wait4", waiting: "false", reading: "nil"},
	{name: "subshell", script: "(sleep 60; true); true", call: "wait4", waiting: "false", reading: "nil"},
	{name: "pipeline", script: "sleep 60 | while read -r x; do :; done; true", call: "wait4", waiting: "false", reading: "nil"},
	{name: "wait by eval", script: "sleep 60 & eval wait; true", call: "wait4", waiting: "true", reading: "nil", atOnce: true},
	{name: "read", script: "read -r x; true", call: "read", waiting: "nil", reading: "true", atOnce: true},
	{name: "read with timeout", script: "read -t 50 -r x; true", call: "pselect6", waiting: "nil", reading: "true", atOnce: true},
	{name: "read -n", script: "read -n 3 x; true", call: "read", waiting: "nil", reading: "true", atOnce: true},
	{name: "mapfile", script: "mapfile x; true", call: "read", waiting: "nil", reading: "true", atOnce: true},
	{name: "command substitution", script: "x=$(sleep 60); true", call: "read", waiting: "nil", reading: "false"},
	{name: "command substitution in arguments", script: "echo $(sleep 60); true", call: "read", waiting: "nil", reading: "false"},
	{name: "substitution in eval", script: "eval 'x=$(sleep 60)'; true", call: "read", waiting: "nil", reading: "true", atOnce: true},
	{name: "read in posix mode", script: "set -o posix; read -r x; true", call: "read", waiting: "nil", reading: "true", atOnce: true},
	{name: "script from standard input", args: []string{"-s"}, call: "read", waiting: "nil", reading: "false"},
}

func TestBash(t *testing.T) {
	bed.Require(t, "bash")
	for _, c := range bashCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startBash(t, c.script, c.args)
			got, gaps := p.settled(func(e evidence.Process) bool {
				return leaderCall(e) == c.call && e.Inside != nil && len(e.Inside.Bash.Traps) == 3 && show(e.Inside.Bash.Waiting) == c.waiting
			})
			b := got.Inside.Bash
			if len(gaps) != 0 || show(b.Reading) != c.reading || b.Running != "" {
				t.Errorf("reading %s, want %s; running %q; gaps %+v", show(b.Reading), c.reading, b.Running, gaps)
			}
			if b.Traps["SIGTERM"].Text != "echo got TERM; exit 7" || b.Traps["EXIT"].Text != "echo bye" || !b.Traps["SIGHUP"].Ignored {
				t.Errorf("traps %+v", b.Traps)
			}
			p.signal(syscall.SIGTERM)
			if ran := p.says("got TERM", 400*time.Millisecond); ran != c.atOnce {
				t.Errorf("trap ran at once: %t, want %t", ran, c.atOnce)
			}
		})
	}
}

// startBash runs a script with the usual traps; with -s it comes by standard
// input, which stays open.
func startBash(t *testing.T, script string, args []string) *program {
	t.Helper()
	if len(args) == 0 {
		args = []string{"-c", bashTraps + script}
	}
	p := start(t, "bash", args...)
	if args[0] == "-s" {
		if _, err := p.in.Write([]byte(bashTraps + script + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestBashSubshell: a subshell has its parent's strings in trap_list, but none
// of them set; what is ignored stays ignored.
func TestBashSubshell(t *testing.T) {
	bed.Require(t, "bash")
	for name, script := range map[string]string{
		"parentheses":  "(sleep 60; true); true",
		"background":   "{ sleep 60; true; } & wait; true",
		"pipeline":     "{ sleep 60; true; } | cat; true",
		"substitution": "x=$(sleep 60; true); true",
	} {
		t.Run(name, func(t *testing.T) {
			p := startBash(t, script, nil)
			p.settled(func(e evidence.Process) bool { return e.Inside != nil && len(e.Inside.Bash.Traps) == 3 })
			child := childShell(t, p.cmd.Process.Pid)
			got, gaps := settled(t, child, func(e evidence.Process) bool { return leaderCall(e) == "wait4" && e.Inside != nil })
			b := got.Inside.Bash
			if len(b.Traps) != 1 || !b.Traps["SIGHUP"].Ignored || len(gaps) != 0 || show(b.Waiting) != "false" {
				t.Errorf("traps %+v, waiting %s, gaps %+v", b.Traps, show(b.Waiting), gaps)
			}
		})
	}
}

// TestBashSubshellTrap: a subshell that sets a trap itself has that alone.
func TestBashSubshellTrap(t *testing.T) {
	bed.Require(t, "bash")
	p := startBash(t, "(trap 'echo sub' USR1; sleep 60; true); true", nil)
	p.settled(func(e evidence.Process) bool { return leaderCall(e) == "wait4" })
	got, _ := settled(t, childShell(t, p.cmd.Process.Pid), func(e evidence.Process) bool {
		return leaderCall(e) == "wait4" && e.Inside != nil && len(e.Inside.Bash.Traps) == 2
	})
	if got.Inside.Bash.Traps["SIGUSR1"].Text != "echo sub" {
		t.Errorf("traps %+v", got.Inside.Bash.Traps)
	}
}

// childShell is the first child of a shell that is a bash too.
func childShell(t *testing.T, pid int) int {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		data, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children"))
		for _, f := range strings.Fields(string(data)) {
			exe, _ := os.Readlink(filepath.Join("/proc", f, "exe"))
			if child, err := strconv.Atoi(f); err == nil && strings.Contains(exe, "bash") {
				return child
			}
		}
	}
	t.Fatal("no child shell")
	return 0
}

// TestBashRunningTrap: a trap that has begun and waits for its own command.
func TestBashRunningTrap(t *testing.T) {
	bed.Require(t, "bash")
	p := start(t, "bash", "-c", `trap 'echo begun; sleep 60; exit' TERM; sleep 60 & wait`)
	p.settled(func(e evidence.Process) bool { return e.Inside != nil && show(e.Inside.Bash.Waiting) == "true" })
	p.signal(syscall.SIGTERM)
	if !p.says("begun", 3*time.Second) {
		t.Fatal("trap did not run")
	}
	p.settled(func(e evidence.Process) bool {
		return e.Inside != nil && e.Inside.Bash.Running == "SIGTERM" && show(e.Inside.Bash.Waiting) == "false"
	})
}

// TestBashText: a trap's text is hostile and may be long.
func TestBashText(t *testing.T) {
	bed.Require(t, "bash")
	long := "echo " + strings.Repeat("x", 5000)
	p := start(t, "bash", "-c", "trap '"+long+"' TERM; trap $'echo \\xff\\x1b[31m\\n' INT; sleep 60; true")
	got, _ := p.settled(func(e evidence.Process) bool { return e.Inside != nil && len(e.Inside.Bash.Traps) == 2 })
	term, intr := got.Inside.Bash.Traps["SIGTERM"], got.Inside.Bash.Traps["SIGINT"]
	if !term.Truncated || term.Text != long[:4096] {
		t.Errorf("long text: truncated %t, %d bytes", term.Truncated, len(term.Text))
	}
	if intr.Truncated || intr.Text != "echo \uFFFD\x1b[31m\n" {
		t.Errorf("text %q", intr.Text)
	}
}

// TestBashOther: what has no traps, is replaced, or is no bash that is known.
func TestBashOther(t *testing.T) {
	bed.Require(t, "bash")
	p := start(t, "bash", "-c", "sleep 60; true")
	got, gaps := p.settled(func(e evidence.Process) bool { return leaderCall(e) == "wait4" })
	if got.Inside == nil || len(got.Inside.Bash.Traps) != 0 || show(got.Inside.Bash.Waiting) != "false" || len(gaps) != 0 {
		t.Errorf("no traps: %+v %+v", got.Inside, gaps)
	}
	p = start(t, "bash", "-c", bashTraps+"exec sleep 60")
	got, gaps = p.settled(func(e evidence.Process) bool { return e.Comm == "sleep" })
	if got.Inside != nil || len(gaps) != 0 {
		t.Errorf("exec: %+v %+v", got.Inside, gaps)
	}
	// A file called bash that exports nothing: static bash looks like that.
	static := filepath.Join(t.TempDir(), "bash")
	if err := os.WriteFile(static, readFile(t, bed.StaticProgram(t)), 0o755); err != nil {
		t.Fatal(err)
	}
	p = start(t, static, "default")
	got, gaps = p.settled(func(e evidence.Process) bool { return e.State == "S" })
	if got.Inside != nil || len(gaps) != 1 || gaps[0].Kind != evidence.GapAbsent {
		t.Errorf("static: %+v %+v", got.Inside, gaps)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
