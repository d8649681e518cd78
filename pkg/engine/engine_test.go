package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	if err := d.Import(ctx, "lab", map[string]string{"/siglab": bed.StaticProgram(t)}, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		id, err := d.Run(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	l.web = run("--name", "web", "--label", labelProject+"=shop", "--label", labelService+"=web", "--stop-timeout", "7", "--stop-signal", "SIGQUIT",
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
	t.Run("socket activation", l.testSocketActivation)
	t.Run("parts", l.testParts)
	t.Run("locked container", l.testLocked)
	t.Run("hung engine", l.testHung)
	t.Run("forgotten", l.testForgotten)
	t.Run("cgroup left", l.testCgroupLeft)
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
