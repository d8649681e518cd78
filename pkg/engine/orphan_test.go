package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The engine's own notes are moved away: what is left are the cgroup, the shim
// and the runtime's state of a container that no engine knows.
func (l *lab) testForgotten(t *testing.T) {
	dir := filepath.Join(l.DataRoot(), "containers", l.web)
	if err := os.Rename(dir, l.DataRoot()+"/hidden"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Rename(l.DataRoot()+"/hidden", dir); err != nil {
			t.Error(err)
		}
	}()
	pid, _ := strconv.Atoi(l.inspect(t, "web", "{{.State.Pid}}"))
	dead := filepath.Join(shortDir(t), "s")
	e := l.open(t, func(o *Options) { o.Host, o.DataRoot, o.ExecRoot = "unix://"+dead, l.DataRoot(), l.ExecRoot() })
	for _, name := range []string{l.web, l.web[:12]} {
		got := l.resolve(t, e, Query{Names: []string{name}})
		c := got[0].Container
		if got[0].Kind != "orphan" || c.ID != l.web || got[0].PID != pid || c.Status != "" || c.RuntimeStart == 0 {
			t.Errorf("%+v, %+v", got[0], c)
		}
		kinds := map[string]int{}
		for _, r := range c.Remains {
			kinds[r.Kind]++
		}
		if kinds["cgroup"] == 0 || kinds["shim"] != 1 || kinds["runtime"] < 2 {
			t.Errorf("remains: %+v", c.Remains)
		}
	}
	// Without the runtime's record the PID 1 among the members is taken.
	e = l.open(t, func(o *Options) { o.Host, o.DataRoot = "unix://"+dead, l.DataRoot() })
	if got := l.resolve(t, e, Query{Names: []string{l.web}}); got[0].Kind != "orphan" || got[0].PID != pid {
		t.Errorf("%+v, %+v", got[0], got[0].Container)
	}
	_, errs, err := e.Resolve(t.Context(), Query{Names: []string{l.web[:11]}})
	if err != nil || len(errs) != 1 || !strings.HasPrefix(errs[0].Message, "no such container") {
		t.Errorf("a short prefix: %v, %v", errs, err)
	}
}

// A process lives in the cgroup of an id that the engine, which answers, denies.
func (l *lab) testCgroupLeft(t *testing.T) {
	full := strings.Repeat("5eed", 16)
	dir := filepath.Join(hierarchies("/sys/fs/cgroup")[0], "whystuck-test", full)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(filepath.Dir(dir))
	defer os.Remove(dir) // rmdir(2)
	// A cgroup may be another engine's; this one's exec root is its own.
	state := filepath.Join(l.ExecRoot(), "runtime-runc", "moby", full)
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(state)
	e := l.open(t, nil)
	if got := l.resolve(t, e, Query{Names: []string{full}}); got[0].Kind != "orphan" || got[0].PID != 0 {
		t.Errorf("an empty cgroup: %+v", got[0])
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	got := l.resolve(t, e, Query{Names: []string{full[:12], "web"}})
	if len(got) != 2 || got[1].Kind != "orphan" || got[1].PID != cmd.Process.Pid || got[1].Container.ID != full {
		t.Errorf("%+v", got)
	}
	if c := l.resolve(t, l.open(t, nil), Query{Names: []string{"web"}})[0]; c.Kind != "container" {
		t.Errorf("%+v", c)
	}
	if target := e.madeMeanwhile(t.Context(), "x", l.web); target == nil || target.Container.Name != "web" || target.Asked != "x" {
		t.Errorf("a container made since the list: %+v", target)
	}
}

// The id is known to a live engine, only not to the one that was asked.
func (l *lab) testOtherEngine(t *testing.T) {
	empty := shortDir(t)
	if err := os.Mkdir(empty+"/containers", 0o700); err != nil {
		t.Fatal(err)
	}
	e := l.open(t, func(o *Options) { o.Host, o.DataRoot = "unix://"+empty+"/s", empty })
	targets, errs, err := e.Resolve(t.Context(), Query{Names: []string{l.web, "web"}})
	if err != nil || len(targets) != 0 || len(errs) != 2 || !strings.Contains(errs[0].Message+errs[1].Message, "another Docker engine (PID "+strconv.Itoa(l.PID())) {
		t.Errorf("%v, %v, %v", targets, errs, err)
	}
}

// The container is removed between the list and the inspect.
func (l *lab) testGone(t *testing.T) {
	e := l.open(t, nil)
	l.resolve(t, e, Query{Names: []string{"web"}})
	found := []chosen{{asked: "ab", listed: listed{id: strings.Repeat("ab", 32)}}}
	targets, gone := e.examine(t.Context(), found, true)
	if len(targets) != 0 || len(gone) != 1 || gone[0].Message != "no such container: ab" || gone[0].ExitCode != 2 {
		t.Errorf("%v, %v", targets, gone)
	}
	if targets, gone := e.examine(t.Context(), found, false); len(targets)+len(gone) != 0 {
		t.Errorf("with --all it is nobody's business: %v, %v", targets, gone)
	}
}
