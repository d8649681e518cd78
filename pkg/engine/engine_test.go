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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

// lab is one private engine with the containers that the tests ask for.
type lab struct {
	*bed.Daemon
	web, db, done, failed, created, paused string // ids
}

func startLab(t *testing.T) *lab {
	t.Helper()
	d := bed.StartDaemon(t)
	l := &lab{Daemon: d}
	ctx := t.Context()
	if err := d.Import(ctx, "lab", map[string]string{"/siglab": bed.StaticProgram(t)}, `ENTRYPOINT ["/siglab"]`, "STOPSIGNAL SIGQUIT"); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		id, err := d.Run(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	l.web = run("--name", "web", "--label", labelProject+"=shop", "--label", labelService+"=web", "--stop-timeout", "7",
		"-e", "SECRET=x", "-e", "TINI_SUBREAPER=1", "--restart", "on-failure:2", "--init", "lab", "exit")
	l.db = run("--name", "db", "--label", labelProject+"=shop", "--label", labelService+"=db", "--pid", "host", "--cap-drop", "KILL", "lab", "ign")
	l.done = run("--name", "done", "--label", labelProject+"=shop", "lab", "list")
	l.failed = run("--name", "failed", "lab", "no-such-mode")
	l.paused = run("--name", "paused", "lab", "default")
	out, errOut, code := d.Docker(ctx, "create", "--name", "created", "--label", bed.Label, "lab", "default")
	if code != 0 {
		t.Fatal(errOut)
	}
	l.created = strings.TrimSpace(out)
	if _, errOut, code := d.Docker(ctx, "pause", "paused"); code != 0 {
		t.Fatal(errOut)
	}
	if _, errOut, code := d.Docker(ctx, "wait", "done", "failed"); code != 0 {
		t.Fatal(errOut)
	}
	return l
}

func (l *lab) open(t *testing.T, change func(*Options)) *Engine {
	t.Helper()
	o := Options{Host: l.Host(), HomeDir: t.TempDir(), Getenv: func(string) string { return "" }}
	if change != nil {
		change(&o)
	}
	e, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// resolve asks for names and wants no error of any kind.
func (l *lab) resolve(t *testing.T, e *Engine, q Query) []evidence.Target {
	t.Helper()
	targets, errs, err := e.Resolve(t.Context(), q)
	if err != nil || len(errs) > 0 {
		t.Fatalf("%+v: %v, %v", q, errs, err)
	}
	return targets
}

func (l *lab) inspect(t *testing.T, name, format string) string {
	t.Helper()
	out, errOut, code := l.Docker(t.Context(), "inspect", "-f", format, name)
	if code != 0 {
		t.Fatal(errOut)
	}
	return strings.TrimSpace(out)
}

func asked(targets []evidence.Target) string {
	var out []string
	for _, t := range targets {
		out = append(out, t.Asked)
	}
	return strings.Join(out, " ")
}

// TestRealEngine is one engine for all that wants a healthy or a sick one.
func TestRealEngine(t *testing.T) {
	l := startLab(t)
	t.Run("fields", l.testFields)
	t.Run("names", l.testNames)
	t.Run("select", l.testSelect)
	t.Run("describe", l.testDescribe)
	t.Run("history", l.testHistory)
	t.Run("context", l.testContext)
	t.Run("old API", l.testOldAPI)
	t.Run("denied", l.testDenied)
	t.Run("forwarded", l.testForwarded)
	t.Run("locked container", l.testLocked)
	t.Run("hung engine", l.testHung)
	t.Run("forgotten", l.testForgotten)
	t.Run("other engine", l.testOtherEngine)
	t.Run("gone meanwhile", l.testGone)
}

func (l *lab) testFields(t *testing.T) {
	targets := l.resolve(t, l.open(t, nil), Query{Names: []string{"web", "db", "done", "failed", "created", "paused"}})
	if len(targets) != 6 {
		t.Fatal(targets)
	}
	web, c := targets[0], targets[0].Container
	pid, _ := strconv.Atoi(l.inspect(t, "web", "{{.State.Pid}}"))
	if web.Kind != "container" || web.PID != pid || c.PID != pid || c.ID != l.web || c.Name != "web" || c.Image != "lab" || c.Status != "running" || !c.Inspected || c.Source != "docker-api" {
		t.Errorf("web: %+v, %+v", web, c)
	}
	if c.StopSignal != "SIGQUIT" || c.StopTimeout == nil || *c.StopTimeout != 7 || c.Init == nil || !*c.Init || c.RestartPolicy != "on-failure" || c.RestartMax != 2 || c.Project != "shop" || c.Service != "web" {
		t.Errorf("web's configuration: %+v", c)
	}
	if diff := cmp.Diff(map[string]string{"TINI_SUBREAPER": "1"}, c.Env); diff != "" {
		t.Error(diff)
	}
	if p, ok := scanProcesses("/proc").get(pid); !ok || c.RuntimeStart == 0 || c.RuntimeStart != p.start {
		t.Errorf("start ticks: the runtime has %d, the kernel %d", c.RuntimeStart, p.start)
	}
	if db := targets[1].Container; db.PidMode != "host" || !slices.Equal(db.CapDrop, []string{"KILL"}) && !slices.Equal(db.CapDrop, []string{"CAP_KILL"}) || db.StopTimeout != nil || db.Init != nil {
		t.Errorf("db: %+v", db)
	}
	for i, want := range map[int]struct {
		status string
		code   *int
	}{2: {"exited", ptr(0)}, 3: {"exited", ptr(2)}, 4: {"created", nil}, 5: {"paused", nil}} {
		c := targets[i].Container
		if c.Status != want.status || cmp.Diff(want.code, c.ExitCode) != "" || (targets[i].PID != 0) != (want.status == "paused") {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
}

func (l *lab) testNames(t *testing.T) {
	e := l.open(t, nil)
	for _, name := range []string{"web", "/web", l.web, l.web[:12], l.web[:20]} {
		if got := l.resolve(t, e, Query{Names: []string{name}}); len(got) != 1 || got[0].Container.ID != l.web || got[0].Asked != name {
			t.Errorf("%q: %+v", name, got)
		}
	}
	targets, errs, err := e.Resolve(t.Context(), Query{Names: []string{"", "wbe", "web", strings.Repeat("f", 64), "nope/nope"}})
	if err != nil || asked(targets) != "web" || len(errs) != 4 || errs[1].Message != "no such container: wbe" || errs[1].ExitCode != 2 {
		t.Errorf("%v, %v, %v", asked(targets), errs, err)
	}
	// Seven containers and sixteen digits: an ambiguous first digit may not be
	// there. A container that is named like another's prefix always is.
	out, errOut, code := l.Docker(t.Context(), "create", "--name", l.web[:6], "lab")
	if code != 0 {
		t.Fatal(errOut)
	}
	defer l.Docker(t.Context(), "rm", strings.TrimSpace(out))
	if got := l.resolve(t, e, Query{Names: []string{l.web[:6]}}); got[0].Container.ID != strings.TrimSpace(out) {
		t.Errorf("the name does not beat the prefix: %+v", got[0].Container)
	}
	for digit := range 16 {
		prefix := fmt.Sprintf("%x", digit)
		targets, errs, err := e.Resolve(t.Context(), Query{Names: []string{prefix}})
		_, errOut, code := l.Docker(t.Context(), "inspect", "--type", "container", prefix)
		if err != nil || (code == 0) != (len(targets) == 1) {
			t.Errorf("%s: %v, %v, %v; docker: %s", prefix, asked(targets), errs, err, errOut)
		}
		if several := strings.Contains(strings.ToLower(errOut), "multiple ids"); several != (len(errs) == 1 && strings.Contains(errs[0].Message, "several containers")) {
			t.Errorf("%s: %v; docker: %s", prefix, errs, errOut)
		}
	}
}

func (l *lab) testSelect(t *testing.T) {
	e := l.open(t, nil)
	for want, q := range map[string]Query{
		"created db failed paused web": {All: true},
		"db web":                       {Project: "shop"},
		"web":                          {Project: "shop", Service: "web"},
		"db":                           {Service: "db"},
	} {
		if got := asked(l.resolve(t, e, q)); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	if _, errs, err := e.Resolve(t.Context(), Query{Project: "nope"}); err != nil || len(errs) != 1 || errs[0].ExitCode != 2 {
		t.Errorf("no such project: %v, %v", errs, err)
	}
	var asError *Error
	if _, _, err := e.Resolve(t.Context(), Query{}); !errors.Is(err, ErrNothingAsked) || !errors.As(err, &asError) || asError.ExitCode != 2 {
		t.Errorf("nothing asked: %v", err)
	}
	names, err := e.Names(t.Context())
	slices.Sort(names)
	if err != nil || strings.Join(names, " ") != "db paused web" {
		t.Errorf("names for completion: %v, %v", names, err)
	}
}

func (l *lab) testDescribe(t *testing.T) {
	e := l.open(t, nil)
	l.resolve(t, e, Query{Names: []string{"web"}})
	out, _, _ := l.Docker(t.Context(), "version", "-f", "{{.Server.Version}} {{.Server.APIVersion}}")
	d := e.Describe()
	if got := d.Version + " " + d.APIVersion; d.Name != "docker" || got != strings.TrimSpace(out) || d.Trouble != "" || d.Endpoint != l.Host() || d.DefaultStopTimeout != nil {
		t.Errorf("%+v, docker says %s", d, out)
	}
	if got := e.Sources(); !slices.Equal(got, []string{"docker-api"}) {
		t.Errorf("sources: %v", got)
	}
}

func (l *lab) testHistory(t *testing.T) {
	// Its name begins with the other's id: the engine's filter gives both.
	longer := l.db + "x"
	if id, err := l.Run(t.Context(), "--name", longer, "lab", "exit"); err != nil {
		t.Fatal(err)
	} else {
		defer l.Docker(context.WithoutCancel(t.Context()), "rm", "-f", id)
	}
	for _, name := range []string{"db", longer} {
		if _, errOut, code := l.Docker(t.Context(), "kill", "-s", "USR2", name); code != 0 && name == "db" {
			t.Fatal(errOut)
		}
	}
	e := l.open(t, nil)
	events, err := e.History(t.Context(), l.db)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range events {
		got = append(got, fmt.Sprint(ev.Action, ev.Signal))
		if age := time.Since(ev.At); age < 0 || age > time.Hour {
			t.Errorf("%s was %s ago", ev.Action, age)
		}
	}
	if strings.Join(got, " ") != "create0 start0 kill12 die0" && strings.Join(got, " ") != "create0 start0 kill12" {
		t.Errorf("history of db: %v", got)
	}
	if events, err := e.History(t.Context(), strings.Repeat("f", 64)); err != nil || len(events) != 0 {
		t.Errorf("history of nobody: %v, %v", events, err)
	}
	l.Docker(t.Context(), "start", "db") // USR2 has ended it
}

func (l *lab) testContext(t *testing.T) {
	home := t.TempDir()
	putContext(t, filepath.Join(home, ".docker"), "here", l.Host())
	e := l.open(t, func(o *Options) { o.Host, o.Context, o.HomeDir = "", "here", home })
	if got := l.resolve(t, e, Query{Names: []string{"web"}}); got[0].Container.ID != l.web {
		t.Errorf("%+v", got)
	}
}

func (l *lab) testOldAPI(t *testing.T) {
	version := func(v string) func(*Options) {
		return func(o *Options) {
			o.Getenv = func(name string) string { return map[string]string{"DOCKER_API_VERSION": v}[name] }
		}
	}
	e := l.open(t, version("1.30"))
	l.resolve(t, e, Query{Names: []string{"web"}})
	if d := e.Describe(); d.APIVersion != "1.30" || d.Version == "" {
		t.Errorf("%+v", d)
	}
	var asError *Error
	_, _, err := l.open(t, version("1.99")).Resolve(t.Context(), Query{Names: []string{"web"}})
	if !errors.As(err, &asError) || asError.ExitCode != 4 || !strings.Contains(asError.Message, "too new") {
		t.Errorf("got %v", err)
	}
}

// deniedEnv makes this test binary ask an engine as the user it then is.
const deniedEnv = "WHYSTUCK_TEST_ASK_AS_NOBODY"

func TestAskAsNobody(t *testing.T) {
	host := os.Getenv(deniedEnv)
	if host == "" {
		t.Skip("is run by TestRealEngine/denied")
	}
	e, err := Open(t.Context(), Options{Host: host, HomeDir: "/nonexistent", Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = e.Resolve(t.Context(), Query{Names: []string{"web"}})
	var asError *Error
	if !errors.As(err, &asError) {
		t.Fatalf("uid %d was let in: %v", os.Geteuid(), err)
	}
	fmt.Printf("ANSWER %d %s %s\n", asError.ExitCode, e.Describe().Trouble, asError.Message)
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
	cmd := exec.CommandContext(t.Context(), bin, "-test.run=^TestAskAsNobody$")
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

// Without any engine: one line each that says what to do.
func TestNoEngine(t *testing.T) {
	dir := shortDir(t)
	dead := filepath.Join(dir, "dead")
	listener, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = listener.Close()
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rude.Close()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 mail.example.org ESMTP\r\n"))
			_ = c.Close()
		}
	}()
	for host, c := range map[string]struct{ trouble, says string }{
		"unix://" + dead:                          {"refused", "nothing answers at unix://" + dead + " (from -H): start the engine"},
		"unix://" + dir + "/none":                 {"gone", "no engine at unix://" + dir + "/none (from -H): start it, name another with -H or -c"},
		"unix://" + dir + "/silent":               {"timeout", "no answer from the engine at unix://" + dir + "/silent (from -H) within 200ms"},
		"tcp://127.0.0.1:1":                       {"refused", "nothing answers at tcp://127.0.0.1:1"},
		"tcp://" + rude.Addr().String():           {"refused", "does not answer as an engine does"},
		"tcp://no-such-host.invalid:2375":         {"", "what is at tcp://no-such-host.invalid:2375"},
		"unix:///proc/self/status/not-a-dir/sock": {"gone", "no engine at"},
	} {
		e, err := Open(t.Context(), Options{Host: host, Getenv: func(string) string { return "" }, HomeDir: dir, CallTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = e.Resolve(t.Context(), Query{Names: []string{"web"}})
		var asError *Error
		if !errors.As(err, &asError) || asError.ExitCode != 4 || c.trouble != "" && (!strings.Contains(asError.Message, c.says) || e.Describe().Trouble != c.trouble) {
			t.Errorf("%s: %v, trouble %q", host, err, e.Describe().Trouble)
			continue
		}
		if strings.ContainsAny(asError.Message, "\n\t") {
			t.Errorf("more than a line: %q", asError.Message)
		}
		if _, err := e.Names(t.Context()); err == nil {
			t.Errorf("%s: completion got names", host)
		}
		if _, err := e.History(t.Context(), "x"); err == nil {
			t.Errorf("%s: there is a history", host)
		}
	}
}
