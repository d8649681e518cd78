package diagnose

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Where everything is late an exit that is not booked yet is nobody's fault, unless
// something proves that it does not come.
func TestExitUnderWay(t *testing.T) {
	late := &evidence.Load{CPUs: 2, Averages: []float64{40}}
	for name, c := range map[string]struct {
		change func(*evidence.Target)
		busy   Verdict
		code   string // on a host in good order
	}{
		"the shim has still to tell": {func(*evidence.Target) {}, Unknown, "WS301"},
		"nobody left to tell":        {func(t *evidence.Target) { t.Shims = nil }, Ghost, "WS301"},
		"no telling whether it left": {func(t *evidence.Target) { t.Shims, t.ShimsSought = nil, false }, Unknown, "WS301"},
		"its end stands behind an exec's": {func(t *evidence.Target) {
			client := proc{pid: 95, state: "T"}.build()
			t.Clients = []evidence.Part{{Role: evidence.RoleClient, PID: 95, Process: &client}}
		}, Ghost, "WS320"},
		"what an exec has left lives": {func(t *evidence.Target) { t.Processes = []evidence.Process{proc{pid: 97, ns: 1}.build()} }, Ghost, "WS320"},
		"what is left lives, without a namespace": {func(t *evidence.Target) {
			t.Processes, t.Container.PidMode = []evidence.Process{proc{pid: 97, ns: 1}.build()}, "host"
		}, Unknown, "WS320"},
		"it is being handled": {func(t *evidence.Target) {
			t.Container.InspectTrouble, t.StayedMillis = evidence.GapTimeout, nil
		}, Unknown, "WS321"},
		"its log's receiver does not read": {func(t *evidence.Target) {
			t.Container.InspectTrouble, t.StayedMillis = evidence.GapTimeout, nil
			t.Container.LogDriver, t.Log = "syslog", &evidence.LogPath{Connections: 1, Deaf: 1}
		}, Stuck, "WS321"},
		"a runtime that has just begun": {func(t *evidence.Target) {
			t.Container.InspectTrouble, t.StayedMillis = evidence.GapTimeout, nil
			runc := proc{pid: 96, startedSecsAgo: 1}.build()
			t.Shims[0].Below = []evidence.Process{runc}
		}, Unknown, "WS319"},
	} {
		for _, load := range []*evidence.Load{nil, late} {
			s := snapshot(proc{pid: 100, ns: 1})
			shim, ms := proc{pid: 90, startedSecsAgo: 60}.build(), 1100
			x := &s.Targets[0]
			x.Processes, x.Identity.Alive, x.StayedMillis = nil, false, &ms
			x.ShimsSought, x.Shims = true, []evidence.Part{{Role: evidence.RoleShim, PID: 90, Process: &shim}}
			c.change(x)
			s.Host.Load, s.Host.Engine = load, &evidence.Engine{}
			got := Judge(s, Options{}).Containers[0]
			accused := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == c.code })
			if load == nil && !accused || load != nil && (got.Verdict != c.busy || accused != (c.busy != Unknown)) {
				t.Errorf("%s, %+v: %s %s %+v", name, load, got.Verdict, got.Headline, got.Findings)
			}
		}
	}
}

// Who has left no trace may have ended just now: nothing is said of another kernel
// where the engine could not be asked again.
func TestEndedWithoutTrace(t *testing.T) {
	for _, moved := range []bool{false, true} {
		s := snapshot(proc{pid: 100, ns: 1})
		s.Targets[0].Processes, s.Targets[0].Moved = nil, moved
		s.Targets[0].Identity = &evidence.Identity{Reason: "no such process"}
		got := Judge(s, Options{}).Containers[0]
		if got.Verdict != Unknown || (len(got.Findings) == 0) != moved {
			t.Errorf("moved %v: %s %+v", moved, got.Headline, got.Findings)
		}
	}
}

// A lock that is held on such a host may be no more than slow.
func TestLateLock(t *testing.T) {
	for want, load := range map[Confidence]*evidence.Load{Likely: nil, Assumed: {CPUs: 2, Averages: []float64{40}}} {
		s := snapshot(proc{pid: 100, ns: 1, call: "pause"})
		s.Targets[0].Container.InspectTrouble, s.Host.Load = evidence.GapTimeout, load
		if got := Judge(s, Options{}).Containers[0]; got.Confidence != want || got.Findings[0].Code != "WS303" {
			t.Errorf("%s %s, want %s", got.Confidence, got.Headline, want)
		}
	}
}
