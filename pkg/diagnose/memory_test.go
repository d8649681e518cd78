package diagnose

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestMemory: the killer that is disabled, and the limit that slows down. Constructed
// for v2, whose memory controller the beds do not have.
func TestMemory(t *testing.T) {
	n := func(v uint64) *uint64 { return &v }
	for _, c := range []struct {
		name string
		m    evidence.Memory
		want string
		fix  string
	}{
		{"under OOM", evidence.Memory{Usage: n(8 << 20), Limit: n(8 << 20), OOMKillDisable: ptr(true), UnderOOM: ptr(true), Path: "/docker/x"}, "WS216", "docker update --memory 75497472 --memory-swap 75497472 web"},
		{"disabled, and enough", evidence.Memory{OOMKillDisable: ptr(true), UnderOOM: ptr(false)}, "", ""},
		{"above high", evidence.Memory{Usage: n(9 << 20), High: n(8 << 20), Path: "/docker/x"}, "WS217", "echo max | sudo tee /sys/fs/cgroup/docker/x/memory.high"},
		{"below high", evidence.Memory{Usage: n(7 << 20), High: n(8 << 20)}, "", ""},
		{"no high", evidence.Memory{Usage: n(7 << 20)}, "", ""},
		{"a path that a shell would take apart", evidence.Memory{Usage: n(9 << 20), High: n(8 << 20), Path: "/a b"}, "WS217", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "pause"})
			s.Targets[0].Memory = &c.m
			got := Judge(s, Options{}).Containers[0]
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == "WS216" || f.Code == "WS217" })
			if i < 0 != (c.want == "") || i >= 0 && got.Findings[i].Code != c.want {
				t.Fatalf("%+v", got.Findings)
			}
			if i >= 0 && c.fix != "" && got.Findings[i].Fixes[0].Command != c.fix {
				t.Errorf("%+v", got.Findings[i].Fixes)
			}
		})
	}
}

// TestSlowHost: it is told with what does not stop cleanly, and else kept quiet.
func TestSlowHost(t *testing.T) {
	slow := &evidence.Load{CPUs: 2, Averages: []float64{18, 12, 6}, Pressure: map[string]evidence.Pressure{"cpu": {Some10: 98}, "io": {Full10: 55}},
		Blocked: &evidence.Blocked{Tasks: 7, ByWait: map[string]int{"folio_wait_writeback": 5, "odd": 2}, Whole: true}}
	for _, c := range []struct {
		name string
		cgt  []int
		load *evidence.Load
		want bool
	}{
		{"slow, and it is killed", nil, slow, true},
		{"slow, and it stops", []int{15}, slow, false},
		{"the load has just begun", nil, &evidence.Load{CPUs: 2, Averages: []float64{3, 3, 3}, Running: 40, Pressure: map[string]evidence.Pressure{"cpu": {Some10: 98}}, Blocked: slow.Blocked}, true},
		{"busy", nil, &evidence.Load{CPUs: 2, Averages: []float64{3, 3, 3}, Pressure: map[string]evidence.Pressure{"cpu": {Some10: 98}}}, false},
		{"not looked at", nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "pause", cgt: c.cgt})
			s.Host.Load = c.load
			r := Judge(s, Options{})
			if got := slices.ContainsFunc(r.Host.Findings, func(f Finding) bool { return f.Code == "WS218" }); got != c.want {
				t.Errorf("told: %v", got)
			}
			if c.want {
				last := r.Host.Findings[0].Evidence[len(r.Host.Findings[0].Evidence)-1]
				if last.Value != "7" || last.Says != "tasks of the host in uninterruptible sleep; 5: a page is locked by an input or output that does not end; 2: in odd" {
					t.Errorf("%+v", last)
				}
			}
		})
	}
}
