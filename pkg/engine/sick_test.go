package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/scripts/bed"
)

// deniedEnv makes this test binary ask the engine that it names, as the user it
// then is, and print the answer.
const deniedEnv = "WHYSTUCK_TEST_ASK_AS_NOBODY"

func TestMain(m *testing.M) {
	if host := os.Getenv(deniedEnv); host != "" {
		askAsNobody(host)
		return
	}
	os.Exit(m.Run())
}

func askAsNobody(host string) {
	e, err := Open(context.Background(), Options{Host: host, HomeDir: "/nonexistent", Getenv: func(string) string { return "" }})
	if err != nil {
		fmt.Println("cannot open:", err)
		return
	}
	_, _, err = e.Resolve(context.Background(), Query{Names: []string{"web"}})
	var asError *Error
	if errors.As(err, &asError) {
		fmt.Printf("ANSWER %d %s %s\n", asError.ExitCode, e.Describe().Trouble, asError.Message)
	}
}

func (l *lab) testDenied(t *testing.T) {
	dir := t.TempDir()
	for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "test")
	if err := os.WriteFile(bin, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin)
	cmd.Dir, cmd.Env = dir, []string{deniedEnv + "=" + l.Host()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ANSWER 4 denied no permission on "+l.Host()) {
		t.Errorf("%v: %s", err, out)
	}
}

// A forwarder listens on the socket: it answers, and its files are not looked for.
func (l *lab) testForwarded(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", strings.TrimPrefix(l.Host(), "unix://"))
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(out, in) }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	e := l.open(t, func(o *Options) { o.Host = "unix://" + path })
	got := l.resolve(t, e, Query{Names: []string{"web"}})
	if c := got[0].Container; c.ID != l.web || c.RuntimeStart != 0 {
		t.Errorf("%+v", c)
	}
	if h, err := e.homeOf(t.Context(), thorough); !errors.Is(err, errNoHome) {
		t.Errorf("files of an engine behind a forwarder: %+v, %v", h, err)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := bed.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// hold stops a process until the test ends.
func hold(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGCONT) })
	// Each thread stops when it next runs, which takes its time on a busy machine.
	for deadline := time.Now().Add(10 * time.Second); !allStopped(t, pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not stop", pid)
		}
	}
}

func allStopped(t *testing.T, pid int) bool {
	t.Helper()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		t.Fatalf("no threads of %d: %v", pid, err)
	}
	for _, file := range stats {
		if b, err := os.ReadFile(file); err == nil && !strings.Contains(string(b), ") T ") {
			return false
		}
	}
	return true
}

// A shim that does not answer keeps the container locked: the list comes, inspect
// does not.
func (l *lab) testLocked(t *testing.T) {
	procs := scanProcesses("/proc")
	for _, s := range shims("/proc", procs) {
		if s.id == l.web {
			hold(t, s.pid)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	locked := make(chan struct{})
	go func() { l.Docker(ctx, "kill", "-s", "WINCH", "web"); close(locked) }()
	time.Sleep(500 * time.Millisecond)
	e := l.open(t, nil)
	began := time.Now()
	targets := l.resolve(t, e, Query{Names: []string{"web", "db"}})
	if took := time.Since(began); took > 1800*time.Millisecond {
		t.Errorf("took %s", took)
	}
	web, db := targets[0], targets[1]
	c := web.Container
	if c.Inspected || c.InspectTrouble != "timeout" || c.Source != "engine-files" || c.Status != "running" || c.Name != "web" || c.PID == 0 || web.PID != c.PID || c.StopSignal != "SIGQUIT" || *c.StopTimeout != 7 || c.RuntimeStart == 0 {
		t.Errorf("the locked one: %+v", c)
	}
	if len(web.Gaps) != 1 || web.Gaps[0].Kind != "timeout" {
		t.Errorf("gaps: %+v", web.Gaps)
	}
	if !db.Container.Inspected || len(db.Gaps) != 0 {
		t.Errorf("the other one: %+v", db.Container)
	}
	if d := e.Describe(); d.Trouble != "" {
		t.Errorf("the engine itself is well: %+v", d)
	}
	if got := e.Sources(); !slices.Equal(got, []string{"docker-api", "engine-files"}) {
		t.Errorf("sources: %v", got)
	}
	cancel()
	<-locked
}

func (l *lab) testHung(t *testing.T) {
	before := l.resolve(t, l.open(t, nil), Query{All: true})
	hold(t, l.PID())
	e := l.open(t, nil)
	began := time.Now()
	targets, errs, err := e.Resolve(t.Context(), Query{Names: []string{"web", l.db[:12], "created", "done", "paused", "nope"}})
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	if err != nil || asked(targets) != "web "+l.db[:12]+" created done paused" || len(errs) != 1 || errs[0].Message != "no such container: nope" {
		t.Fatalf("%v, %v, %v", asked(targets), errs, err)
	}
	if d := e.Describe(); d.Trouble != "timeout" || d.Name != "docker" || d.Version != "" {
		t.Errorf("%+v", d)
	}
	if got := e.Sources(); !slices.Equal(got, []string{"engine-files"}) {
		t.Errorf("sources: %v", got)
	}
	// The files say what the API said, but for what they do not hold.
	all := l.resolve(t, e, Query{All: true})
	if asked(all) != asked(before) {
		t.Fatalf("all: %s, by the API: %s", asked(all), asked(before))
	}
	for i := range all {
		want := *before[i].Container
		want.Source, want.Inspected = "engine-files", false
		if diff := cmp.Diff(&want, all[i].Container); diff != "" {
			t.Errorf("%s: by the API - and by the files +:\n%s", all[i].Asked, diff)
		}
	}
}
