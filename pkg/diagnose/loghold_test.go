package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// What speaks for a log that holds the exit, and how sure it makes.
func TestLogHold(t *testing.T) {
	long, moment := 6000, 40
	deaf := func(n, all int) *evidence.LogPath {
		return &evidence.LogPath{Connections: all, Deaf: n, Unsent: 1 << 20}
	}
	full := func(n, all int) *evidence.LogPath {
		p := deaf(n, all)
		p.Full = &n
		return p
	}
	for name, c := range map[string]struct {
		path    *evidence.LogPath
		driver  string
		slept   *int // of a writer to its output; nil: nobody writes
		verdict Verdict
		conf    Confidence
		found   bool
	}{
		"deaf, waits long":       {deaf(1, 1), "syslog", &long, Stuck, Likely, true},
		"deaf, waits a moment":   {deaf(1, 1), "syslog", &moment, Stuck, Assumed, true},
		"one of two is deaf":     {deaf(1, 2), "syslog", &long, Stuck, Assumed, true},
		"deaf, and goes on":      {deaf(1, 1), "syslog", nil, Stops, Assumed, true},
		"full, and goes on":      {full(1, 1), "syslog", nil, Stops, Assumed, true},
		"full, by fluentd":       {full(1, 1), "fluentd", nil, Stuck, Assumed, true},
		"one of two is full":     {full(1, 2), "fluentd", nil, Stops, Assumed, true},
		"not connected":          {deaf(0, 0), "fluentd", &long, Stuck, Assumed, true},
		"not connected, and on":  {deaf(0, 0), "fluentd", nil, Stops, Assumed, false},
		"syslog drops the lines": {deaf(0, 0), "syslog", &long, Stops, Assumed, false},
		"not looked at":          {nil, "json-file", &long, Stops, Assumed, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "write", args: [6]uint64{1}, cgt: []int{15}, change: func(p *evidence.Process) {
				if c.slept != nil {
					p.Tasks[0].Wchan = text("anon_pipe_write")
					p.Tasks[0].Again = &evidence.SecondLook{State: "S", SleptMillis: c.slept}
				}
			}})
			s.Targets[0].Log, s.Targets[0].Container.LogDriver = c.path, c.driver
			got := Judge(s, Options{}).Containers[0]
			found := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS327" })
			if got.Verdict != c.verdict || got.Confidence != c.conf || found != c.found {
				t.Errorf("%s %s, WS327 %t; want %s %s %t", got.Verdict, got.Confidence, found, c.verdict, c.conf, c.found)
			}
			if never := !got.Stop.Command.Returns && !got.Kill.Command.Returns && !got.Rm.Command.Returns; never != (c.verdict == Stuck) {
				t.Errorf("the commands: %+v %+v %+v", got.Stop.Command, got.Kill.Command, got.Rm.Command)
			}
		})
	}
}

// An address that is not one is not put into a command.
func TestCutConnections(t *testing.T) {
	if got := cutConnections("10.0.0.1:514"); !strings.HasSuffix(got, "ss -K dst 10.0.0.1 dport = :514") {
		t.Error(got)
	}
	if got := cutConnections("[fd00::1]:514"); !strings.HasSuffix(got, "ss -K dst '[fd00::1]' dport = :514") {
		t.Error(got)
	}
	for _, peer := range []string{"", "a;b:1", "10.0.0.1"} {
		if got := cutConnections(peer); got != "" {
			t.Errorf("%q: %s", peer, got)
		}
	}
}

// deafAtLast is a program that has waited for long in a write to a log that nobody
// reads.
func deafAtLast(t *evidence.Target) {
	slept, p := 6000, &t.Processes[0].Tasks[0]
	p.State, p.Wchan, p.Syscall = "S", text("anon_pipe_write"), &evidence.Syscall{Name: "write", Args: []uint64{1, 0, 0, 0, 0, 0}}
	p.Again = &evidence.SecondLook{State: "S", SleptMillis: &slept}
	t.Log, t.Container.LogDriver = &evidence.LogPath{Connections: 1, Deaf: 1, Unsent: 1 << 20}, "syslog"
}

// Who is not sent any signal does not come to an end that the log could hold; who is
// killed by dockerd alone does.
func TestLogHoldRefused(t *testing.T) {
	for name, c := range map[string]struct {
		daemon  bool // is denied, too
		verdict Verdict
		returns bool
	}{
		"dockerd as well": {true, Refused, true}, "the runtime alone": {false, Stuck, false},
	} {
		s := aboutToBeRefused(func(_ *evidence.Snapshot, t *evidence.Target) {
			deafAtLast(t)
			t.Senders[1].CapBnd = without()
			if c.daemon {
				t.Senders[0].CapEff = without()
			}
		})
		got := Judge(s, Options{}).Containers[0]
		if got.Verdict != c.verdict || got.Stop.Command.Returns != c.returns || got.Kill.Command.Returns != c.returns {
			t.Errorf("%s: %s, %+v, %+v", name, got.Verdict, got.Stop, got.Kill)
		}
		if !slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS327" }) {
			t.Errorf("%s: the log is not told", name)
		}
	}
}

// What --rm would do comes after the exit, which is not booked.
func TestLogHoldAutoRemove(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, cgt: []int{15}})
	deafAtLast(&s.Targets[0])
	s.Targets[0].Container.AutoRemove = true
	got := Judge(s, Options{}).Containers[0]
	if got.Verdict != Stuck || got.Stop.Freed.Status != bookedRemoved {
		t.Fatalf("%s %+v", got.Verdict, got.Stop.Freed)
	}
	for _, step := range got.Stop.Steps {
		if step.Action == removalStep {
			t.Errorf("removed, and not booked: %+v", got.Stop.Steps)
		}
	}
}
