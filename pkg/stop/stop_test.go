package stop

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe"
)

func ptr[T any](v T) *T { return &v }

// looked is a container with one process that has the given handlers.
func looked(caught ...int) *evidence.Snapshot {
	none := evidence.SetOf()
	p := evidence.Process{PID: 500, PPID: 400, NSPIDs: []int{500, 1}, StartTicks: 1, Comm: "app", Argv: []string{"app"}, State: "S", Threads: 1,
		Signals: &evidence.Signals{Caught: evidence.SetOf(caught...), Queued: -1}, Tasks: []evidence.Task{{TID: 500, State: "S", Blocked: &none, Syscall: &evidence.Syscall{Name: "pause", NR: 34, Args: make([]uint64, 6)}}}}
	return &evidence.Snapshot{Format: evidence.SnapshotFormat, Schema: evidence.SnapshotSchema, Host: evidence.Host{UptimeTicks: 1_000_000},
		Targets: []evidence.Target{{Asked: "web", Kind: evidence.KindContainer, PID: 500, HostPIDNS: ptr(false), Identity: &evidence.Identity{Alive: true, Here: true},
			Container: &evidence.Container{ID: "abc", Name: "web", Status: "running", Inspected: true, Source: "docker-api", PID: 500}, Processes: []evidence.Process{p}}}}
}

// forecastOf is what Prepare makes of a snapshot.
func forecastOf(s *evidence.Snapshot, o Options) diagnose.Container {
	c := diagnose.Judge(s, o.judged()).Containers[0]
	o.forecastOwn(s, &c, 0)
	return c
}

const second = time.Second

func TestForecastOfAChain(t *testing.T) {
	chain := []Link{{evidence.SIGINT, 10 * second}, {evidence.SIGTERM, 5 * second}, {Signal: evidence.SIGKILL}}
	for name, c := range map[string]struct {
		caught  []int
		chain   []Link
		verdict diagnose.Verdict
		after   *float64
		steps   int
	}{
		"nothing is heard":       {nil, chain, diagnose.Killed, ptr(15.0), 3},
		"the first is heard":     {[]int{evidence.SIGINT}, chain, diagnose.Stops, nil, 1},
		"the second is heard":    {[]int{evidence.SIGTERM}, chain, diagnose.Stops, nil, 2},
		"no SIGKILL at the end":  {nil, chain[:2], diagnose.Stuck, nil, 2},
		"SIGKILL and no more":    {nil, chain[2:], diagnose.Abrupt, ptr(0.0), 2},
		"one signal and no more": {nil, []Link{{Signal: evidence.SIGTERM}}, diagnose.Stuck, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := forecastOf(looked(c.caught...), Options{Chain: c.chain})
			if got.Verdict != c.verdict || got.Stop.Outcome != string(c.verdict) || len(got.Stop.Steps) != c.steps {
				t.Errorf("%s (%s), %+v; want %s in %d steps", got.Verdict, got.Headline, got.Stop.Steps, c.verdict, c.steps)
			}
			if c.after != nil {
				if d := cmp.Diff(c.after, got.Stop.AfterSeconds); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestForecastOfKillAfter(t *testing.T) {
	never := Options{Timeout: ptr(-1), KillAfter: ptr(3 * second)}
	if got := forecastOf(looked(), never); got.Verdict != diagnose.Killed || *got.Stop.AfterSeconds != 3 || *got.Stop.ExitCode != 137 || !got.Stop.Command.Returns {
		t.Errorf("%s %+v", got.Verdict, got.Stop)
	}
	late := Options{Timeout: ptr(2), KillAfter: ptr(3 * second)}
	if got := forecastOf(looked(), late); got.Verdict != diagnose.Killed || *got.Stop.AfterSeconds != 2 {
		t.Errorf("a SIGKILL after the engine's own: %s %+v", got.Verdict, got.Stop)
	}
	if got := forecastOf(looked(evidence.SIGTERM), never); got.Verdict != diagnose.Stops {
		t.Errorf("one that stops: %s", got.Verdict)
	}
}

func TestActs(t *testing.T) {
	c := &diagnose.Container{Stop: &diagnose.StopForecast{TimeoutSeconds: 7}}
	endless := &diagnose.Container{Stop: &diagnose.StopForecast{TimeoutSeconds: -1}}
	for name, tt := range map[string]struct {
		o    Options
		c    *diagnose.Container
		new  bool // the engine's stop takes a signal
		want []act
	}{
		"plain":                {Options{}, c, false, []act{{stop: true}}},
		"its own signal":       {Options{Signal: 15}, c, false, []act{{stop: true}}},
		"signal, new engine":   {Options{Signal: 2, Emulate: true}, c, true, []act{{stop: true, opt: engine.StopOptions{Signal: 2}}}},
		"signal, emulated":     {Options{Signal: 2, Emulate: true}, c, false, []act{{sig: 2}, {at: 7 * second, sig: 9}}},
		"emulated, no timeout": {Options{Signal: 2, Emulate: true}, endless, false, []act{{sig: 2}}},
		"not emulated unasked": {Options{Signal: 2}, c, false, []act{{stop: true, opt: engine.StopOptions{Signal: 2}}}},
		"kill after":           {Options{Timeout: ptr(-1), KillAfter: ptr(3 * second)}, c, false, []act{{stop: true, opt: engine.StopOptions{Timeout: ptr(-1)}}, {at: 3 * second, sig: 9}}},
		"kill after, emulated": {Options{Signal: 2, Emulate: true, KillAfter: ptr(3 * second)}, c, false, []act{{sig: 2}, {at: 3 * second, sig: 9}, {at: 7 * second, sig: 9}}},
		"kill after in chain":  {Options{Chain: []Link{{2, 10 * second}, {Signal: 15}}, KillAfter: ptr(3 * second)}, c, false, []act{{sig: 2}, {at: 3 * second, sig: 9}, {at: 10 * second, sig: 15}}},
		"chain":                {Options{Chain: []Link{{2, second}, {15, 2 * second}, {Signal: 9}}}, c, false, []act{{sig: 2}, {at: second, sig: 15}, {at: 3 * second, sig: 9}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, tt.o.acts(tt.c, 15, tt.new), cmp.AllowUnexported(act{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	for name, tt := range map[string]struct {
		o       Options
		timeout int
		want    time.Duration
	}{
		"default":           {Options{}, 10, 30 * second},
		"at once":           {Options{}, 0, 20 * second},
		"for ever":          {Options{}, -1, time.Minute},
		"asked for":         {Options{Deadline: 3 * second}, 10, 3 * second},
		"chain":             {Options{Chain: []Link{{2, 10 * second}, {15, 5 * second}, {Signal: 9}}}, 10, 35 * second},
		"killed before":     {Options{KillAfter: ptr(2 * second)}, 10, 22 * second},
		"killed at the end": {Options{KillAfter: ptr(90 * second)}, -1, 110 * second},
	} {
		t.Run(name, func(t *testing.T) {
			c := &diagnose.Container{Stop: &diagnose.StopForecast{TimeoutSeconds: tt.timeout}}
			if got := tt.o.deadline(c); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// observed plays the end of a run without a container.
func observed(c diagnose.Container, f facts, o diagnose.Observed, l left) diagnose.Container {
	if f.deadOf == nil {
		f.deadOf = map[int]int{}
	}
	r := &run{p: &Prepared{}, c: &c, t: &evidence.Target{PID: 500, HostPIDNS: ptr(false)}, facts: f, survived: o, sent: time.Now()}
	r.outcome(l)
	r.compare()
	c.Observed = &r.survived
	return c
}

func TestOutcome(t *testing.T) {
	gone := left{state: engine.State{Status: "exited", ExitCode: ptr(0)}}
	lives := left{state: engine.State{Status: "running", PID: 500}}
	lives.after.Seen = []int{500}
	booked := left{state: engine.State{Status: "exited", ExitCode: ptr(255)}}
	booked.after.Seen = []int{501}
	bookedRunning := left{state: engine.State{Status: "running", PID: 500}}
	gone137 := left{state: engine.State{Status: "exited", ExitCode: ptr(137)}}
	unseen := left{state: engine.State{Status: "exited", ExitCode: ptr(0)}}
	unseen.after.Blind = true
	unseenBack := left{state: engine.State{Status: "running", PID: 777}}
	unseenBack.after.Blind = true
	halfway := left{state: engine.State{Status: "stopping", PID: 500}}
	halfway.after.Seen = []int{500}
	back := left{state: engine.State{Status: "running", PID: 777}}
	failed := errors.New("cannot stop container: x: tried to kill container, but did not receive an exit event")
	said := func(v diagnose.Verdict) diagnose.Container {
		return diagnose.Container{Verdict: v, Stop: &diagnose.StopForecast{Signal: "SIGTERM", TimeoutSeconds: 10, KilledUnheard: []int{501}}}
	}
	yes, no := ptr(true), ptr(false)
	for name, tt := range map[string]struct {
		said   diagnose.Verdict
		f      facts
		cut    string
		l      left
		want   diagnose.Verdict
		agreed *bool
	}{
		"stops":                      {diagnose.Stops, facts{stopDone: true}, "", gone, diagnose.Stops, yes},
		"killed by the engine":       {diagnose.Killed, facts{stopDone: true, killed: true}, "", gone, diagnose.Killed, yes},
		"killed by somebody":         {diagnose.Stops, facts{stopDone: true, deadOf: map[int]int{500: 9}}, "", gone, diagnose.Killed, no},
		"cut off":                    {diagnose.Abrupt, facts{stopDone: true, deadOf: map[int]int{500: 0, 501: 9}}, "", gone, diagnose.Abrupt, yes},
		"not cut off":                {diagnose.Abrupt, facts{stopDone: true, deadOf: map[int]int{500: 0, 501: 0}}, "", gone, diagnose.Stops, no},
		"cut off, nobody saw":        {diagnose.Abrupt, facts{stopDone: true, deadOf: map[int]int{500: 0}}, "", gone, diagnose.Stops, nil},
		"lives":                      {diagnose.Stuck, facts{stopDone: true, stopErr: failed}, "", lives, diagnose.Stuck, yes},
		"lives, not foreseen":        {diagnose.Stops, facts{stopDone: true, stopErr: failed}, "", lives, diagnose.Stuck, no},
		"booked as over":             {diagnose.Stuck, facts{stopDone: true}, "", booked, diagnose.Stuck, yes},
		"gone and not known":         {diagnose.Ghost, facts{stopDone: true, stopErr: failed}, "", bookedRunning, diagnose.Ghost, nil},
		"refused":                    {diagnose.Refused, facts{stopDone: true, stopErr: errors.New("x: operation not permitted")}, "", lives, diagnose.Refused, yes},
		"refused, in Podman's words": {diagnose.Refused, facts{stopDone: true, stopErr: errors.New("sending SIGKILL to container x: sending signal to container x: failed: exit status 1")}, "", lives, diagnose.Refused, yes},
		"Podman's words, unforeseen": {diagnose.Stops, facts{stopDone: true, stopErr: errors.New("sending signal to container x: failed: exit status 1")}, "", lives, diagnose.Stuck, no},
		"interrupted":                {diagnose.Killed, facts{}, "interrupted", lives, diagnose.Unknown, nil},
		"deadline before its end":    {diagnose.Killed, facts{}, "deadline", lives, diagnose.Unknown, nil},
		"came back":                  {diagnose.Stops, facts{stopDone: true}, "", back, diagnose.Stops, yes},
		"137, own end not seen":      {diagnose.Killed, facts{stopDone: true}, "", gone137, diagnose.Killed, yes},
		"exits with 137 itself":      {diagnose.Stops, facts{stopDone: true, deadOf: map[int]int{500: 0}}, "", gone137, diagnose.Stops, yes},
		"could not be looked at":     {diagnose.Stops, facts{stopDone: true}, "", unseen, diagnose.Unknown, nil},
		"back, not looked at":        {diagnose.Stops, facts{stopDone: true}, "", unseenBack, diagnose.Unknown, nil},
		"Podman's stopping":          {diagnose.Killed, facts{}, "interrupted", halfway, diagnose.Unknown, nil},
		"nothing was foreseen":       {diagnose.Unknown, facts{stopDone: true}, "", gone, diagnose.Stops, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.want == diagnose.Ghost { // the cgroup has to be seen to be empty
				tt.agreed = yes
			}
			c := observed(said(tt.said), tt.f, diagnose.Observed{Cut: tt.cut}, tt.l)
			if c.Observed.Outcome != string(tt.want) {
				t.Errorf("observed %s, want %s", c.Observed.Outcome, tt.want)
			}
			if d := cmp.Diff(tt.agreed, c.Agreed); d != "" {
				t.Errorf("agreed: %s", d)
			}
		})
	}
}

// A deadline before the end says "stuck" only where nothing can end it any more, or
// where that was forecast.
func TestOutlived(t *testing.T) {
	lives := left{state: engine.State{Status: "running", PID: 500}}
	lives.after.Seen = []int{500}
	long := time.Now().Add(-30 * second)
	stop, term, kill := act{stop: true}, act{sig: evidence.SIGTERM}, act{at: 5 * second, sig: evidence.SIGKILL}
	for name, tt := range map[string]struct {
		timeout int
		sent    time.Time
		acts    []act
		said    diagnose.Verdict
		want    diagnose.Verdict
	}{
		"after its SIGKILL":            {10, long, []act{stop}, diagnose.Killed, diagnose.Stuck},
		"before it":                    {10, time.Now(), []act{stop}, diagnose.Killed, diagnose.Unknown},
		"for ever, a handler":          {-1, long, []act{stop}, diagnose.Stops, diagnose.Unknown},
		"for ever, as foreseen":        {-1, long, []act{stop}, diagnose.Stuck, diagnose.Stuck},
		"for ever and --kill-after":    {-1, long, []act{stop, kill}, diagnose.Killed, diagnose.Stuck},
		"one signal, a handler":        {-1, long, []act{term}, diagnose.Stops, diagnose.Unknown},
		"a chain that ends by SIGKILL": {-1, long, []act{term, kill}, diagnose.Stops, diagnose.Stuck},
	} {
		t.Run(name, func(t *testing.T) {
			c := &diagnose.Container{Verdict: tt.said, Stop: &diagnose.StopForecast{Signal: "SIGTERM", TimeoutSeconds: tt.timeout}}
			r := &run{p: &Prepared{}, c: c, t: &evidence.Target{PID: 500, HostPIDNS: ptr(false)}, survived: diagnose.Observed{Cut: "deadline"}, sent: tt.sent, acts: tt.acts}
			if got := r.verdict(lives); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// A request that failed before the engine had read it stops nobody, and nobody is
// stuck or has refused it.
func TestNothingSent(t *testing.T) {
	lives := left{state: engine.State{Status: "running", PID: 500}}
	lives.after.Seen = []int{500}
	for _, err := range []error{engine.ErrNoStopSignal, errors.New("dial unix /run/docker.sock: connect: permission denied")} {
		r := &run{p: &Prepared{}, c: &diagnose.Container{Verdict: diagnose.Stops}, t: &evidence.Target{PID: 500, HostPIDNS: ptr(false)}, sent: time.Now()}
		p := &pendingAct{act: act{stop: true}, order: &engine.Order{}}
		r.pending = append(r.pending, p)
		r.replied(reply{p, err})
		if got := r.verdict(lives); got != diagnose.Unknown || !r.nothingSent() || r.facts.asked {
			t.Errorf("%v: %s, nothing sent %v, asked %v", err, got, r.nothingSent(), r.facts.asked)
		}
	}
}

// What the look could not see is not said to be gone.
func TestProofOfTheUnseen(t *testing.T) {
	r := &run{t: &evidence.Target{PID: 500, Processes: []evidence.Process{{PID: 500}}}, base: probe.Baseline{Shim: 400}}
	l := left{state: engine.State{Status: "exited"}, after: probe.After{Blind: true, NoCgroup: true, NoNamespace: true}}
	for _, c := range r.checks(l) {
		if c.What != "engine" && c.OK != nil {
			t.Errorf("%s: %v, %s", c.What, *c.OK, c.Says)
		}
	}
	if l.gone() {
		t.Error("gone")
	}
	// Of one whose PID was never known nobody can say that it is another now.
	r = &run{t: &evidence.Target{}}
	l = left{state: engine.State{Status: "running", PID: 7}}
	if l.restarted(r) {
		t.Error("restarted")
	}
}

// The engine's waits count from the signal; a code that differs is no agreement.
func TestAgreement(t *testing.T) {
	c := diagnose.Container{Verdict: diagnose.Killed, Stop: &diagnose.StopForecast{Signal: "SIGTERM", TimeoutSeconds: 10, AfterSeconds: ptr(10.0), ExitCode: ptr(137)}}
	end := func(sent, died float64, code int) diagnose.Container {
		return observed(c, facts{stopDone: true, killed: true, signalled: &sent, initDied: &died, dieCode: &code}, diagnose.Observed{}, left{state: engine.State{Status: "exited"}})
	}
	for name, tt := range map[string]struct {
		got  diagnose.Container
		want bool
	}{
		"in time":           {end(0.1, 10.2, 137), true},
		"a busy engine":     {end(6, 16.5, 137), true},
		"too early":         {end(0.1, 4, 137), false},
		"another exit code": {end(0.1, 10.2, 0), false},
	} {
		if tt.got.Agreed == nil || *tt.got.Agreed != tt.want {
			t.Errorf("%s: agreed %v", name, tt.got.Agreed)
		}
	}
}
