package diagnose

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// A defect is shown where the version has it and the case meets it, and only
// there.
func TestDefects(t *testing.T) {
	works := proc{pid: 100, ns: 1, call: "pause", cgt: []int{tTERM}}
	drops := proc{pid: 100, ns: 1, call: "pause"}
	for _, c := range []struct {
		name, version string
		p             proc
		want          bool
	}{
		{"a handler at work", "24.0.2", works, true},
		{"mended", "24.0.3", works, false},
		{"nothing at work", "24.0.2", drops, false},
		{"no version", "", works, false},
	} {
		s := snapshot(c.p)
		s.Host.Engine = &evidence.Engine{Name: "docker", Version: c.version}
		got := Judge(s, Options{}).Containers[0]
		if has := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS326" }); has != c.want {
			t.Errorf("%s: %v, want %v", c.name, has, c.want)
		}
	}
}

// With a stop timeout of -1 a lost exit heals at once, or never, by version.
func TestGhostForMinusOne(t *testing.T) {
	for version, returns := range map[string]bool{"29.7.0": false, "28.5.2": true} {
		s := snapshot(proc{pid: 100, ns: 1})
		s.Targets[0].Processes = nil
		s.Host.Engine = &evidence.Engine{Name: "docker", Version: version}
		s.Targets[0].Identity = &evidence.Identity{Here: true}
		forever := -1
		s.Targets[0].PID, s.Targets[0].Container.StopTimeout = 100, &forever
		got := Judge(s, Options{}).Containers[0]
		if got.Verdict != Ghost || got.Stop.Command.Returns != returns {
			t.Errorf("%s: %s, returns %v, want %v", version, got.Verdict, got.Stop.Command.Returns, returns)
		}
	}
}

// A lost exit is booked after the engine's own default, where it has one.
func TestGhostHealsAfterTheDefault(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1})
	s.Targets[0].Processes, s.Targets[0].PID = nil, 100
	s.Targets[0].Identity = &evidence.Identity{Here: true}
	three := 3
	s.Host.Engine = &evidence.Engine{Name: "docker", Version: "29.7.2", DefaultStopTimeout: &three}
	minute := 60
	got := Judge(s, Options{Timeout: &minute}).Containers[0]
	if got.Stop == nil || got.Stop.Command.AfterSeconds == nil || *got.Stop.Command.AfterSeconds != 3 {
		t.Errorf("%+v", got.Stop)
	}
}
