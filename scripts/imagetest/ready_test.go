package imagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
)

// testRun holds what concerns a single run: by what it is ready, what docker run's
// flags do, load, repetition, the log's bound.
func (l *lab) testRun(t *testing.T) {
	l.image(t, "late", `ENTRYPOINT ["/late.sh"]`)
	l.image(t, "serve", `ENTRYPOINT ["/serve.sh"]`)
	l.image(t, "mark", `ENTRYPOINT ["/mark.sh"]`)
	l.image(t, "ill", `HEALTHCHECK --interval=300ms --retries=2 CMD ["/bin/test", "-e", "/tmp/up"]`, `ENTRYPOINT ["/mark.sh"]`)
	l.image(t, "well", `HEALTHCHECK --interval=300ms --retries=30 CMD ["/bin/test", "-e", "/tmp/up"]`, `ENTRYPOINT ["/mark.sh"]`)
	l.image(t, "brief", `ENTRYPOINT ["/brief.sh"]`)
	l.image(t, "flood", `ENTRYPOINT ["/flood.sh"]`)
	l.image(t, "dice", `ENTRYPOINT ["/dice.sh"]`)
	l.image(t, "app", `ENTRYPOINT ["/siglab"]`, `CMD ["exit"]`)
	t.Run("group", func(t *testing.T) {
		for _, c := range readyCases() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				l.ready(t, c)
			})
		}
		for name, f := range map[string]func(*testing.T){
			"flags": l.flags, "entrypoint": l.entrypoint, "flooded": l.flooded, "repeat": l.repeat,
			"load": l.load, "absent": l.absent,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t)
			})
		}
	})
	t.Run("overhead", l.overhead)
	l.nothingLeft(t)
}

// readyCase is one way of being ready.
type readyCase struct {
	name string
	args []string
	by   string
	// from and to bound the seconds until it is ready.
	from, to float64
	finding  string // where it does not become ready
	code     int
	// besides: a finding of one that does become ready.
	besides string
}

func readyCases() []readyCase {
	return []readyCase{
		{name: "settled", args: []string{"app"}, by: "settled", from: 1, to: 4},
		{name: "settled-longer", args: []string{"--settle", "3s", "app"}, by: "settled", from: 3, to: 7},
		{name: "log", args: []string{"--ready-log", "now serv.*", "late"}, by: "log", from: 2, to: 6},
		{name: "log-on-a-terminal", args: []string{"-t", "--ready-log", "now serving$", "late"}, by: "log", from: 2, to: 6},
		{name: "log-of-a-flood", args: []string{"--ready-log", "^x+$", "--stop-timeout", "1", "flood"}, by: "log", from: 0, to: 6, code: 1},
		{name: "port", args: []string{"--ready-port", "8080", "--stop-timeout", "1", "serve"}, by: "port 8080", from: 2, to: 6, code: 1},
		{name: "port-on-the-host", args: []string{"--network", "host", "--ready-port", "8080", "--stop-timeout", "1", "serve"}, by: "port 8080", from: 2, to: 6, code: 1},
		{name: "port-of-somebody-else", args: []string{"--network", "host", "--ready-port", "1", "--ready-timeout", "1500ms", "app"}, finding: "WS531", code: 1},
		{name: "command", args: []string{"--ready-cmd", "test -e /tmp/up", "mark"}, by: "command", from: 2, to: 6},
		{name: "command-as-a-list", args: []string{"--ready-cmd", `["/bin/test", "-e", "/tmp/up"]`, "mark"}, by: "command", from: 2, to: 6},
		{name: "command-that-is-not-there", args: []string{"--ready-cmd", `["/nowhere"]`, "--ready-timeout", "2s", "app"}, finding: "WS531", code: 1},
		{name: "time", args: []string{"--ready-after", "2s", "app"}, by: "time", from: 2, to: 5},
		{name: "log-and-time", args: []string{"--ready-after", "3s", "--ready-log", "READY", "app"}, by: "log, time", from: 3, to: 6},
		{name: "healthy", args: []string{"well"}, by: "healthcheck", from: 2, to: 7},
		{name: "unhealthy", args: []string{"--stop-timeout", "1", "ill"}, finding: "WS531", code: 1},
		{name: "late", args: []string{"--ready-log", "no such line", "--ready-timeout", "2s", "app"}, finding: "WS531", code: 1},
		{name: "gone-while-waiting", args: []string{"--ready-log", "no such line", "brief"}, finding: "WS530", code: 1},
		{name: "gone-when-ready", args: []string{"--settle", "100ms", "brief", "--", "x"}, by: "settled", from: 0, to: 3, code: 1, besides: "WS537"},
	}
}

func (l *lab) ready(t *testing.T, want readyCase) {
	t.Helper()
	c, a := l.one(t, want.args...)
	s := c.Startup
	if s == nil || a.code != want.code {
		t.Fatalf("exit code %d, want %d; startup %+v, %v\n%s", a.code, want.code, s, codes(c), a.stderr)
	}
	if want.finding != "" {
		if s.Ready || !slices.Contains(codes(c), want.finding) {
			t.Errorf("ready %v, findings %v, want %s: %s", s.Ready, codes(c), want.finding, c.Headline)
		}
		return
	}
	if !s.Ready || s.By != want.by || s.AfterSeconds == nil || *s.AfterSeconds < want.from || *s.AfterSeconds > want.to {
		t.Errorf("ready %v by %q after %v; want %q after %g to %g s: %s", s.Ready, s.By, value64(s.AfterSeconds), want.by, want.from, want.to, c.Headline)
	}
	if want.besides != "" && !slices.Contains(codes(c), want.besides) {
		t.Errorf("findings %v, want %s", codes(c), want.besides)
	}
	if c.Disagreed() {
		t.Errorf("foretold %s (%s), seen %+v", c.Verdict, c.Confidence, c.Observed)
	}
}

func value64(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

// flags: docker run's flags arrive, long and short. The load looks at the
// container while it is there.
func (l *lab) flags(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "seen")
	env := filepath.Join(dir, "env")
	if err := os.WriteFile(env, []byte("# a comment\nFILE=1\nBOTH=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, a := l.one(t, "--load", "docker inspect $WHYSTUCK_CONTAINER >"+out+"; kill -0 $WHYSTUCK_PID && echo alive >>"+out+"; sleep 100",
		"-e", "FLAG=a b", "--env-file", env, "-e", "BOTH=flag", "-v", dir+":/host:ro", "-v", "/data", "--tmpfs", "/run:size=1m", "-u", "12:34", "-w", "/tmp",
		"-h", "elsewhere", "-m", "64m", "--pids-limit", "50", "--ulimit", "nofile=77:99", "--cap-drop", "all", "--cap-add", "kill",
		"--read-only", "--init", "-t", "-i", "--stop-signal", "INT", "--stop-timeout", "3", "--security-opt", "no-new-privileges", "--device", "/dev/null:/dev/nil:r",
		"app", "--", "-s", "2", "exit")
	if c.Observed == nil || c.Observed.Outcome != string(diagnose.Stops) || a.code != 0 {
		t.Errorf("exit code %d, %+v, %v\n%s", a.code, c.Observed, codes(c), a.stderr)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("the load has not run: %v\n%s", err, a.stderr)
	}
	seen := strings.Join(strings.Fields(string(b)), " ")
	for _, want := range []string{
		`"FLAG=a b"`, `"FILE=1"`, `"BOTH=flag"`, `"` + dir + `:/host:ro"`, `"Volumes": { "/data": {} }`, `"/run": "size=1m"`, `"User": "12:34"`, `"WorkingDir": "/tmp"`,
		`"Hostname": "elsewhere"`, `"Memory": 67108864`, `"PidsLimit": 50`, `"Name": "nofile", "Hard": 99, "Soft": 77`, `"CapDrop": [ "ALL" ]`, `"CapAdd": [ "CAP_KILL" ]`,
		`"ReadonlyRootfs": true`, `"Init": true`, `"Tty": true`, `"OpenStdin": true`, `"StopSignal": "INT"`, `"StopTimeout": 3`, `"no-new-privileges"`,
		`"PathInContainer": "/dev/nil"`, `"NetworkMode": "none"`, `"io.whystuck.image": "pid=`, `"max-size"`, "alive",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %s in what docker inspect says", want)
		}
	}
}

// entrypoint: --entrypoint and its removal, and the arguments behind --.
func (l *lab) entrypoint(t *testing.T) {
	if c, a := l.one(t, "--entrypoint", "/bin/sh", "app", "--", "-c", "exec /siglab exit"); a.code != 0 || len(c.Processes) != 1 || c.Processes[0].Comm != "siglab" {
		t.Errorf("exit code %d, %+v", a.code, c.Processes)
	}
	if c, a := l.one(t, "--entrypoint", "", "app", "--", "/siglab", "exit143"); a.code != 0 || c.Observed == nil || c.Observed.ExitCode == nil || *c.Observed.ExitCode != 143 {
		t.Errorf("exit code %d, %+v", a.code, c.Observed)
	}
	if _, a := l.one(t, "--init", "app", "--", "default"); a.code != 0 {
		t.Errorf("with --init: exit code %d", a.code)
	}
}

// flooded: a log without an end fills no disk.
func (l *lab) flooded(t *testing.T) {
	out := filepath.Join(t.TempDir(), "size")
	c, _ := l.one(t, "--stop-timeout", "1", "--ready-after", "4s", "--load", "du -k $(docker inspect -f '{{.LogPath}}' $WHYSTUCK_CONTAINER) >"+out, "flood")
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	size, _, _ := strings.Cut(string(b), "\t")
	if len(size) > 4 || size == "0" { // below 10 MB
		t.Errorf("its log has %s KB", size)
	}
	if c.Observed == nil || c.Observed.Outcome != string(diagnose.Killed) {
		t.Errorf("%+v", c.Observed)
	}
}

// repeat: what is not the same every time shows.
func (l *lab) repeat(t *testing.T) {
	c, a := l.one(t, "--repeat", "6", "--settle", "200ms", "--stop-timeout", "1", "dice")
	if len(c.Runs) != 6 {
		t.Fatalf("%d runs\n%s", len(c.Runs), a.stderr)
	}
	ends := map[string]int{}
	for i := range c.Runs {
		ends[c.Runs[i].Words()]++
		if r := &c.Runs[i]; r.Agreed == nil || !*r.Agreed {
			t.Errorf("run %d: foretold %s, seen %s", i, r.Verdict, r.Observed)
		}
	}
	// The worst is what is reported, and that they differ, where they did.
	if bad := ends["killed"] > 0; bad != (a.code == 1) || bad != (c.Observed.Outcome == "killed") {
		t.Errorf("%v: exit code %d, shown is %s", ends, a.code, c.Observed.Outcome)
	}
	if differ := len(ends) > 1; differ != slices.Contains(codes(c), "WS535") {
		t.Errorf("%v: findings %v", ends, codes(c))
	}
}

// load: both kinds run during the stop, and the one on this host ends with it, with
// all that it has started.
func (l *lab) load(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	c, a := l.one(t, "--stop-timeout", "2", "--load", "(sleep 3; : >"+dir+"/survived) & while :; do date >>"+dir+"/ran; sleep 0.1; done",
		"--load-exec", "echo x >/data/ran", "-v", dir+":/data", "app", "--", "default")
	if c.Observed == nil || a.code != 1 {
		t.Fatalf("exit code %d, %+v\n%s", a.code, c.Observed, a.stderr)
	}
	b, err := os.ReadFile(dir + "/ran")
	if err != nil || len(b) < 200 { // some 20 lines of 30 bytes
		t.Errorf("the load ran %d bytes, %v", len(b), err)
	}
	time.Sleep(time.Until(began.Add(8 * time.Second)))
	if _, err := os.Stat(dir + "/survived"); err == nil {
		t.Error("what the load started has outlived the stop")
	}
}

// overhead: what a run takes beyond the settle time and the same four calls to the
// engine by themselves.
func (l *lab) overhead(t *testing.T) {
	e, err := engine.Open(t.Context(), engine.Options{Host: l.d.Host(), Getenv: func(string) string { return "" }, CallTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const pause = 500 * time.Millisecond
	var all []time.Duration
	for i := range 5 {
		began := time.Now()
		r := e.Runner()
		id, err := r.Create(t.Context(), fmt.Sprintf("own-%d", i), &engine.Spec{Image: "app"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context(), id); err != nil {
			t.Error(err)
		}
		time.Sleep(pause) // its handler is installed by then
		if err := e.Stop(t.Context(), id, engine.StopOptions{}, &engine.Order{}); err != nil {
			t.Error(err)
		}
		if err := r.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		own := time.Since(began) - pause
		_, a := l.one(t, "--settle", "1s", "app")
		all = append(all, a.took-own-time.Second)
	}
	slices.Sort(all)
	t.Logf("beside 1 s of settling and the engine's own create, start, stop and remove: %d to %d ms, median %d", all[0].Milliseconds(), all[4].Milliseconds(), all[2].Milliseconds())
	if all[0] > 300*time.Millisecond {
		t.Errorf("overhead %s, at best of five", all[0])
	}
}

// absent: an image that is not there is a wrong call, and the others are tried.
func (l *lab) absent(t *testing.T) {
	a := l.whystuck(t, "--json", "--pull", "never", "no-such-image", "app")
	if a.code != 2 || len(a.report.Containers) != 1 || len(a.report.Errors) != 1 || a.report.Errors[0].Target != "no-such-image" {
		t.Errorf("exit code %d, %+v", a.code, a.report.Errors)
	}
}
