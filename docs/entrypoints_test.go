package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asApp makes this test binary the program that an entrypoint starts; its value
// is the file to log to.
const asApp = "WHYSTUCK_DOCS_APP"

func TestMain(m *testing.M) {
	if log := os.Getenv(asApp); log != "" {
		app(log)
	}
	os.Exit(m.Run())
}

// app logs what it is sent; on SIGTERM it takes a while to finish and exits 7.
func app(log string) {
	say := func(text string) {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			os.Exit(99)
		}
		defer f.Close()
		fmt.Fprintln(f, text)
	}
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGHUP)
	say("ready")
	for s := range c {
		if s == syscall.SIGTERM {
			break
		}
		say("reload")
	}
	time.Sleep(200 * time.Millisecond)
	say("finished")
	os.Exit(7)
}

// scripts are the blocks of the guide by their id.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	page, ok := Page("entrypoint")
	if !ok {
		t.Fatal("the guide is not there")
	}
	out := map[string]string{}
	id := regexp.MustCompile(`(?m)^# entrypoint: ([a-z-]+)$`)
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page, -1) {
		m := id.FindStringSubmatch(block[1])
		if m == nil {
			t.Errorf("a script without an id:\n%s", block[1])
			continue
		}
		out[m[1]] = block[1]
	}
	return out
}

// entrypoints is what each script does as PID 1 when SIGTERM comes from outside.
var entrypoints = []struct {
	id       string
	stops    bool
	status   int
	programs int  // how many of them must finish
	kids     int  // processes below the shell when it has settled
	reload   bool // USR1 reaches the program as HUP
	usr1     bool // USR1 may be sent and it goes on
}{
	{id: "no-exec", kids: 1},
	{id: "trap-foreground", kids: 1},
	{id: "exec", stops: true, status: 7, programs: 1},
	{id: "trap-wait", kids: 1, stops: true, status: 7, programs: 1},
	{id: "copied-reload", kids: 2, stops: true, status: 143, programs: 1, usr1: true},
	{id: "term-and-reload", kids: 1, stops: true, status: 7, programs: 1, reload: true, usr1: true},
	{id: "several", kids: 2, stops: true, status: 7, programs: 2},
}

// TestEntrypoints runs every script of the guide as PID 1 of a new PID namespace
// with every shell that is here.
func TestEntrypoints(t *testing.T) {
	requireRoot(t)
	all := scripts(t)
	if len(all) != len(entrypoints) {
		t.Errorf("the guide has %d scripts, the test knows %d", len(all), len(entrypoints))
	}
	shells := map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "ash": {"busybox", "ash"}}
	for name, shell := range shells {
		path, err := exec.LookPath(shell[0])
		if err != nil {
			t.Logf("SKIPPED: no %s on this machine", name)
			continue
		}
		for _, tt := range entrypoints {
			t.Run(name+"/"+tt.id, func(t *testing.T) {
				t.Parallel()
				p := startScript(t, append([]string{path}, shell[1:]...), all[tt.id], max(tt.programs, 1))
				p.settle(t, tt.kids)
				if says := strings.Contains(all[tt.id], "# expect: stops\n"); says != tt.stops {
					t.Errorf("the script says stops=%v, the test %v", says, tt.stops)
				}
				if tt.usr1 {
					p.send(t, syscall.SIGUSR1)
					if tt.reload {
						p.waitFor(t, "reload", 1)
					}
					p.settle(t, tt.kids)
				}
				p.send(t, syscall.SIGTERM)
				p.check(t, tt.stops, tt.status, tt.programs)
			})
		}
	}
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if strings.Contains(os.Getenv("WHYSTUCK_REQUIRE"), "root") {
		t.Fatal("not root, and WHYSTUCK_REQUIRE asks for it")
	}
	t.Skip("SKIPPED: a PID namespace of one's own needs root")
}

// namespaced is a script that runs as PID 1.
type namespaced struct {
	cmd  *exec.Cmd
	log  string
	done chan error
}

func startScript(t *testing.T, shell []string, script string, programs int) *namespaced {
	t.Helper()
	dir := t.TempDir()
	p := &namespaced{log: filepath.Join(dir, "log"), done: make(chan error, 1)}
	file := filepath.Join(dir, "entry.sh")
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(shell[0], append(shell[1:], file, os.Args[0])...)
	p.cmd.Env = append(os.Environ(), asApp+"="+p.log)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // and with PID 1 all that is in its namespace
	p.waitFor(t, "ready", programs)
	return p
}

// settle waits until the shell has its children, and a moment more: it has yet
// to get from the fork to its wait.
func (p *namespaced) settle(t *testing.T, kids int) {
	t.Helper()
	time.Sleep(300 * time.Millisecond)
	path := fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) || len(strings.Fields(string(text))) == kids {
			break // this kernel has no such file, or all are there
		}
		if time.Now().After(deadline) {
			t.Fatalf("the shell has the children %s, want %d of them", text, kids)
		}
	}
	time.Sleep(300 * time.Millisecond)
}

func (p *namespaced) send(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (p *namespaced) count(word string) int {
	text, _ := os.ReadFile(p.log)
	return bytes.Count(text, []byte(word+"\n"))
}

func (p *namespaced) waitFor(t *testing.T, word string, times int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); p.count(word) < times; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not logged %d times", word, times)
		}
	}
}

func (p *namespaced) check(t *testing.T, stops bool, status, programs int) {
	t.Helper()
	limit := 20 * time.Second
	if !stops {
		limit = 1500 * time.Millisecond // long enough to have stopped
	}
	select {
	case <-p.done:
		if got := p.cmd.ProcessState.ExitCode(); !stops || got != status {
			t.Errorf("it ended with %d, want stops=%v with %d", got, stops, status)
		}
	case <-time.After(limit):
		if stops {
			t.Error("it does not stop")
		}
	}
	if got := p.count("finished"); got != programs {
		t.Errorf("%d programs finished their work, want %d", got, programs)
	}
}
