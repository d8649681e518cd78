package watch

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// bench is a machine with a clock that stands where a test puts it.
type bench struct {
	*Machine
	now  Moment
	said []string
	all  []Report
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func newBench() *bench { return &bench{Machine: NewMachine(), now: Moment{Wall: noon}} }

// pass lets time pass, and does what is due on the way.
func (b *bench) pass(d time.Duration) {
	for end := b.now.Mono + d; ; {
		next, ok := b.Next()
		if !ok || next > end {
			b.now.Wall, b.now.Mono = b.now.Wall.Add(end-b.now.Mono), end
			return
		}
		next = max(next, b.now.Mono)
		b.now.Wall, b.now.Mono = b.now.Wall.Add(next-b.now.Mono), next
		b.Tick(b.now)
		b.collect()
	}
}

func (b *bench) collect() {
	for _, r := range b.Reports() {
		b.all, b.said = append(b.all, r), append(b.said, words(&r))
	}
}

// words is a report in a few words: those that the machine decides on.
func words(r *Report) string {
	parts := []string{r.Kind}
	for _, s := range []*string{r.Command, r.Stage, r.Outcome} {
		if s != nil && (s != r.Stage || r.Kind == KindOverrun) {
			parts = append(parts, *s)
		}
	}
	if r.ExitCode != nil {
		parts = append(parts, strconv.Itoa(*r.ExitCode))
	}
	if r.Reconciled {
		parts = append(parts, "reconciled")
	}
	return strings.Join(parts, " ")
}

// event handles an event that happens now.
func (b *bench) event(action, id string, more ...int) {
	b.at(b.now.Wall, action, id, more...)
}

func (b *bench) at(at time.Time, action, id string, more ...int) {
	e := engine.Event{At: at, Action: action, ID: id, Name: "name-" + id, Image: "image"}
	if len(more) > 0 && action == "kill" {
		e.Signal = more[0]
	} else if len(more) > 0 {
		e.Code = &more[0]
	}
	b.Take(e, b.now)
	b.collect()
}

// wants checks what was told, and that nothing is left to be done.
func (b *bench) wants(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(b.said, want) {
		t.Errorf("told:\n  %s\nwant:\n  %s", strings.Join(b.said, "\n  "), strings.Join(want, "\n  "))
	}
}

// running makes a container known as running.
func (b *bench) running(id string, timeout *int, stopSignal string) {
	started := b.now.Wall
	b.Reconcile(View{Asked: b.now.Mono, List: []engine.Brief{{ID: id, Name: "name-" + id, Status: "running"}},
		Inspected: map[string]*evidence.Container{id: {ID: id, Status: "running", StartedAt: &started, StopTimeout: timeout, StopSignal: stopSignal}}}, b.now)
	b.pass(10 * time.Second)
	b.collect()
}

// TestRecorded replays what a real engine (20.10.24) told of real stops, which
// scripts/watchtest has recorded.
func TestRecorded(t *testing.T) {
	for name, want := range map[string][]string{
		"stop-handled":     {"ended stop stops 0"},
		"stop-ignored":     {"overrun stop timeout", "ended stop killed 137"},
		"stop-other-code":  {"ended stop stops 143"},
		"stop-auto-remove": {"ended stop stops 0"},
		"stop-twice":       {"ended stop stops 0"},
		"stop-paused":      {"ended stop stops 0"},
		"kill":             {"ended kill dies 137"},
		"rm-force":         {"ended kill dies 137"},
		"kill-hup":         {"overrun stop timeout", "ended stop killed 137"},
		"restart":          {"ended stop stops 0", "ended kill dies 137"},
		"stop-and-start":   {"ended stop stops 0", "ended kill dies 137"},
		"came-back":        {"came-back signal", "ended kill dies 137"},
		"crash":            nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			for _, e := range recorded(t, name) {
				b.pass(e.At.Sub(b.now.Wall))
				b.Take(e, b.now)
				b.collect()
				// Each start is inspected, as the watcher does.
				for _, id := range b.Inspects() {
					c := &evidence.Container{ID: id, Name: "web", Status: "running", StartedAt: &e.At}
					if name == "came-back" || name == "crash" {
						c.StopSignal, c.RestartCount = "QUIT", restarts(b, e)
					}
					b.Configured(c, b.now)
					b.collect()
				}
			}
			b.pass(time.Minute)
			b.wants(t, want...)
			if len(b.known) > 0 || len(b.open) > 0 {
				t.Errorf("%d containers are remembered that were removed", len(b.known))
			}
		})
	}
}

// restarts is what an engine counts: 0 for the first start.
func restarts(b *bench, e engine.Event) int {
	if b.known[e.ID].last == nil {
		return 0
	}
	return 1
}

func recorded(t *testing.T, name string) []engine.Event {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []engine.Event
	for s := bufio.NewScanner(f); s.Scan(); {
		var m struct {
			Action string
			Actor  struct {
				ID         string
				Attributes map[string]string
			}
			TimeNano int64
		}
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		e := engine.Event{At: time.Unix(0, m.TimeNano).UTC(), Action: m.Action, ID: m.Actor.ID, Name: m.Actor.Attributes["name"], Image: m.Actor.Attributes["image"]}
		e.Signal, _ = strconv.Atoi(m.Actor.Attributes["signal"])
		if code, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
			e.Code = &code
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no events", name)
	}
	return out
}

func TestUnkillable(t *testing.T) {
	b := newBench()
	b.running("a", ptr(3), "")
	b.event("kill", "a", 15)
	b.pass(3 * time.Second)
	b.event("kill", "a", 9)
	b.Tick(b.now)
	b.collect()
	b.wants(t, "overrun stop timeout")
	b.pass(9900 * time.Millisecond)
	b.wants(t, "overrun stop timeout")
	b.pass(200 * time.Millisecond)
	b.wants(t, "overrun stop timeout", "overrun stop timeout+10")
	b.pass(10 * time.Minute)
	b.event("die", "a", 137)
	b.wants(t, "overrun stop timeout", "overrun stop timeout+10", "overrun stop never", "ended stop stuck 137")
	if r := b.all[2]; *r.AfterSeconds != 18 || *r.TimeoutSeconds != 3 || *r.TimeoutSource != "observed" || *r.SIGKILLAfter != 3 {
		t.Errorf("never: %+v", r)
	}
}

func TestUnkillableByKill(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("kill", "a", 9)
	b.pass(time.Minute)
	b.wants(t, "overrun kill timeout+10", "overrun kill never")
	// Another attempt is a stop of its own.
	b.event("kill", "a", 15)
	b.pass(10 * time.Second)
	b.event("kill", "a", 9)
	b.pass(time.Second)
	b.event("die", "a", 137)
	b.wants(t, "overrun kill timeout+10", "overrun kill never", "overrun stop timeout", "ended stop killed 137")
}

// A longer timeout than the configured one (-t) is not in the events.
func TestLongerTimeoutAskedFor(t *testing.T) {
	b := newBench()
	b.running("a", ptr(2), "")
	b.event("kill", "a", 15)
	b.pass(30 * time.Second)
	b.wants(t, "overrun stop assumed-timeout")
	b.event("kill", "a", 9)
	b.Tick(b.now)
	b.event("die", "a", 137)
	b.wants(t, "overrun stop assumed-timeout", "overrun stop timeout", "ended stop killed 137")
	if r := b.all[2]; *r.TimeoutSeconds != 30 || *r.TimeoutSource != "observed" {
		t.Errorf("the timeout was not corrected: %+v", r)
	}
}

// No SIGKILL comes from an engine that hangs. What the diagnosis says of the
// container decides whether it is hopeless.
func TestHopelessWithoutSIGKILL(t *testing.T) {
	for verdict, want := range map[diagnose.Verdict][]string{
		diagnose.Stuck:  {"overrun stop assumed-timeout", "overrun stop timeout+10", "overrun stop never"},
		diagnose.Killed: {"overrun stop assumed-timeout"},
	} {
		b := newBench()
		b.running("a", ptr(2), "")
		b.event("kill", "a", 15)
		b.pass(time.Second)
		b.Diagnosed("a", &diagnose.Container{ID: "a", Verdict: verdict, Processes: make([]diagnose.Process, 1)}, "", b.now)
		b.pass(time.Minute)
		b.wants(t, want...)
		if b.all[0].Diagnosis == nil || *b.all[0].DiagnosedAfter != 1 {
			t.Errorf("the diagnosis is missing: %+v", b.all[0])
		}
	}
}

func TestTimeoutForEver(t *testing.T) {
	b := newBench()
	b.running("a", ptr(-1), "")
	b.event("kill", "a", 15)
	b.pass(59 * time.Second)
	b.wants(t)
	b.pass(30 * time.Second)
	b.wants(t, "overrun stop assumed-timeout")
	if text := b.all[0].Headline; !strings.Contains(text, "its stop timeout is -1") {
		t.Error(text)
	}
	// It only needed its time.
	b.event("die", "a", 0)
	b.wants(t, "overrun stop assumed-timeout", "ended stop stops 0")

	b = newBench()
	b.running("a", ptr(-1), "")
	b.event("kill", "a", 15)
	b.pass(time.Second)
	b.Diagnosed("a", &diagnose.Container{ID: "a", Verdict: diagnose.Stuck, Processes: make([]diagnose.Process, 1)}, "", b.now)
	b.pass(58 * time.Second)
	b.wants(t)
	b.pass(time.Hour)
	b.wants(t, "overrun stop never")
}

// docker kill -s HUP is no stop, whatever becomes of it.
func TestSignalIsNoStop(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("kill", "a", 1)
	if b.Stopping("a") || b.CountStopping() != 0 || !slices.Equal(b.Living(1), []string{"a"}) {
		t.Error("SIGHUP counts as a stop")
	}
	b.event("kill", "a", 15)
	if !b.Stopping("a") || b.CountStopping() != 1 {
		t.Error("docker stop after SIGHUP is none")
	}
}

// docker kill -s TERM that was handled is forgotten: a stop an hour later is one
// of its own, and so is docker stop -s.
func TestSignalLongAgo(t *testing.T) {
	for name, c := range map[string]struct {
		first, second int
		before        []string
	}{
		"TERM, then docker stop":     {15, 15, []string{"overrun stop assumed-timeout"}},
		"HUP, then docker stop -s 2": {1, 2, nil},
	} {
		b := newBench()
		b.running("a", nil, "")
		b.event("kill", "a", c.first)
		b.pass(time.Hour)
		b.wants(t, c.before...)
		if b.CountStopping() != 0 {
			t.Errorf("%s: a stop is still under way after an hour", name)
		}
		b.event("kill", "a", c.second)
		b.pass(10 * time.Second)
		b.event("kill", "a", 9)
		b.Tick(b.now)
		b.collect()
		b.pass(time.Second)
		b.event("die", "a", 137)
		b.wants(t, append(c.before, "overrun stop timeout", "ended stop killed 137")...)
		if r := b.all[len(b.all)-1]; *r.AfterSeconds != 11 || *r.TimeoutSeconds != 10 {
			t.Errorf("%s: after %v s, timeout %v s", name, *r.AfterSeconds, *r.TimeoutSeconds)
		}
	}
}

// A second docker stop where the first one hangs waits for the same end.
func TestSecondStopOfAHangingOne(t *testing.T) {
	b := newBench()
	b.running("a", ptr(2), "")
	b.event("kill", "a", 15)
	b.pass(time.Second)
	b.Diagnosed("a", &diagnose.Container{ID: "a", Verdict: diagnose.Stuck, Processes: make([]diagnose.Process, 1)}, "", b.now)
	b.pass(4 * time.Second)
	b.event("kill", "a", 15)
	b.pass(time.Minute)
	b.wants(t, "overrun stop assumed-timeout", "overrun stop timeout+10", "overrun stop never")
	if got := *b.all[2].AfterSeconds; got != 17 {
		t.Errorf("never is told after %v s", got)
	}
}

func TestOwnStopSignal(t *testing.T) {
	b := newBench()
	b.running("a", nil, "SIGQUIT")
	b.event("kill", "a", 15) // docker kill -s TERM
	b.pass(time.Minute)
	b.wants(t)
	b.event("kill", "a", 3)
	b.pass(time.Second)
	b.event("die", "a", 0)
	b.wants(t, "ended stop stops 0")
}

// docker stop -s sends another signal than the container's.
func TestOtherSignal(t *testing.T) {
	b := newBench()
	b.running("a", ptr(5), "")
	b.event("kill", "a", 2)
	b.pass(time.Second)
	b.event("die", "a", 0)
	b.wants(t)
	b.event("stop", "a")
	b.wants(t, "ended stop stops 0")

	b = newBench()
	b.running("a", ptr(5), "")
	b.event("kill", "a", 2)
	b.pass(5 * time.Second)
	b.event("kill", "a", 9)
	b.Tick(b.now)
	b.event("die", "a", 137)
	b.wants(t, "overrun stop timeout", "ended stop killed 137")
}

// A container that dies hours after a reload has died of something else.
func TestLongAfterASignal(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("kill", "a", 1)
	b.pass(time.Hour)
	b.event("die", "a", 1)
	b.event("start", "a")
	b.Configured(&evidence.Container{ID: "a", Status: "running", RestartCount: 1}, b.now)
	b.collect()
	b.wants(t)
}

func TestKilledByOthers(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("kill", "a", 15)
	b.pass(time.Second)
	b.event("oom", "a")
	b.event("die", "a", 137)
	b.wants(t, "ended stop killed 137")
	if !b.all[0].OOM || !strings.Contains(b.all[0].Headline, "want of memory") {
		t.Error(b.all[0].Headline)
	}
}

// Two looks before the timeout, since SIGKILL takes away what there was to see.
func TestEarlyLooks(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("kill", "a", 15)
	b.pass(999 * time.Millisecond)
	if ids := b.Looks(); len(ids) != 0 {
		t.Errorf("looked at once: %q", ids)
	}
	b.pass(time.Millisecond)
	if ids := b.Looks(); !slices.Equal(ids, []string{"a"}) {
		t.Errorf("no look after a second: %q", ids)
	}
	b.pass(8600 * time.Millisecond)
	if ids := b.Looks(); !slices.Equal(ids, []string{"a"}) {
		t.Errorf("no look before the timeout: %q", ids)
	}
	b.pass(time.Hour)
	if ids := b.Looks(); len(ids) != 0 {
		t.Errorf("looked at again: %q", ids)
	}
	// After SIGKILL each stage has its own, begun before its time.
	b.event("kill", "a", 9)
	for _, at := range []time.Duration{7500 * time.Millisecond, 5 * time.Second} {
		b.pass(at - time.Millisecond)
		if ids := b.Looks(); len(ids) != 0 {
			t.Errorf("looked too early: %q", ids)
		}
		b.pass(time.Millisecond)
		if ids := b.Looks(); !slices.Equal(ids, []string{"a"}) {
			t.Errorf("no look before the stage: %q", ids)
		}
	}
}

// The shim is stopped for a while: the engine's SIGKILL comes when the stop has
// long been told as one that does not end. It is the same stop.
func TestSIGKILLAfterNever(t *testing.T) {
	b := newBench()
	b.running("a", ptr(2), "")
	b.event("kill", "a", 15)
	b.pass(time.Second)
	b.Diagnosed("a", &diagnose.Container{ID: "a", Verdict: diagnose.Stuck, Processes: make([]diagnose.Process, 1)}, "", b.now)
	b.pass(time.Minute)
	b.event("kill", "a", 9)
	b.event("die", "a", 137)
	b.wants(t, "overrun stop assumed-timeout", "overrun stop timeout+10", "overrun stop never", "ended stop stuck 137")
	if text := b.all[2].Headline; !strings.Contains(text, "does not return") {
		t.Error(text)
	}
}

// The waiting goes by the monotonic clock, and so does the length of a stop in
// which the wall clock was set.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, time.Hour} {
		b := newBench()
		b.running("a", nil, "")
		b.event("kill", "a", 15)
		b.pass(2 * time.Second)
		b.now.Wall = b.now.Wall.Add(jump)
		b.pass(2 * time.Second)
		b.wants(t)
		b.event("die", "a", 0)
		b.wants(t, "ended stop stops 0")
		if got := *b.all[0].AfterSeconds; got != 4 {
			t.Errorf("clock set by %s: it took %v s", jump, got)
		}
	}
}

// Events that come late, because the engine or we were held up, still say when
// things happened.
func TestLateEvents(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	at := b.now.Wall
	b.pass(5 * time.Second)
	b.at(at, "kill", "a", 15)
	b.at(at.Add(3*time.Second), "die", "a", 0)
	if got := *b.all[0].AfterSeconds; got != 3 {
		t.Errorf("it took %v s", got)
	}
}

func TestToldAgain(t *testing.T) {
	b := newBench()
	b.running("a", nil, "")
	b.event("kill", "a", 15)
	b.event("die", "a", 0)
	at := b.now.Wall
	b.pass(time.Second)
	b.at(at, "kill", "a", 15)
	b.at(at, "die", "a", 0)
	b.wants(t, "ended stop stops 0")
}

func TestMemoryIsBounded(t *testing.T) {
	b := newBench()
	for i := range maxKnown + 100 {
		id := fmt.Sprintf("%064d", i)
		b.event("start", id)
		b.event("kill", id, 15)
		b.event("die", id, 0)
		b.said, b.all = nil, nil
	}
	if len(b.known) > maxKnown || len(b.open) > 0 || len(b.seen.have) > len(b.seen.ring) {
		t.Errorf("%d known, %d open, %d seen", len(b.known), len(b.open), len(b.seen.have))
	}
}

func TestChosen(t *testing.T) {
	b := newBench()
	b.Chosen = Choose([]string{"/name-a", "bbbb"})
	for _, id := range []string{"a", "bbbbcccc", "c"} {
		b.event("start", id)
		b.event("kill", id, 15)
		b.event("die", id, 0)
	}
	b.wants(t, "ended stop stops 0", "ended stop stops 0")
}

// A container that is watched by its name stays so when it is renamed, as compose
// does it before it makes the next one.
func TestRenamed(t *testing.T) {
	b := newBench()
	b.Chosen = Choose([]string{"name-a"})
	b.event("start", "a")
	renamed := func(action string, more int) {
		b.Take(engine.Event{At: b.now.Wall, Action: action, ID: "a", Name: "old_a", Signal: more, Code: ptr(0)}, b.now)
		b.collect()
	}
	renamed("rename", 0)
	b.pass(time.Minute)
	list := []engine.Brief{{ID: "a", Name: "old_a", Status: "running"}}
	b.Reconcile(View{Asked: b.now.Mono, List: list}, b.now)
	b.collect()
	b.wants(t)
	renamed("kill", 15)
	renamed("die", 0)
	b.wants(t, "ended stop stops 0")
	if c := b.all[0].Container; c.Name != "old_a" {
		t.Errorf("told of %q", c.Name)
	}
}

// A container that gets a name which is watched is found by its next signal.
func TestRenamedInto(t *testing.T) {
	b := newBench()
	b.Chosen = Choose([]string{"name-a"})
	b.event("rename", "a")
	b.event("kill", "a", 15)
	b.event("die", "a", 0)
	b.wants(t, "ended stop stops 0")
}

// Podman tells of no signal: a stop is seen in the list, and its time is a guess.
func TestStopSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		timeout *int
		ends    time.Duration
		want    string
	}{
		"ends by itself":           {nil, time.Second, "ended stop stops 0"},
		"killed":                   {ptr(3), 3 * time.Second, "ended stop killed 137"},
		"outlives its time":        {ptr(3), 5 * time.Second, "overrun stop assumed-timeout, ended stop killed 137"},
		"had 0, and is seen at it": {ptr(0), 4 * time.Second, "ended stop killed 137"},
	} {
		b := newBench()
		at := func() engine.Event { return engine.Event{At: b.now.Wall, ID: "c1", Name: "web"} }
		c := b.add("c1")
		c.alive, c.stopTimeout = true, tt.timeout
		e := at()
		e.Action = engine.ActionStopping
		b.Take(e, b.now)
		b.pass(tt.ends)
		e = at()
		e.Action, e.Code = "die", ptr(137)
		if strings.HasSuffix(tt.want, "stops 0") {
			e.Code = ptr(0)
		}
		b.Take(e, b.now)
		b.collect()
		if got := strings.Join(b.said, ", "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
