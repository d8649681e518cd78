package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestHolder: who holds what a task waits for, by the kernel's word, by its log, or
// by who else is there.
func TestHolder(t *testing.T) {
	ago := func(ms int) int { return uptime*10 - ms }
	culprit := evidence.OtherTask{PID: 7, TID: 8, Comm: "cat", State: "S", Container: strings.Repeat("0f", 32), Name: "other",
		Stack: []string{"request_wait_answer", "fuse_lookup"}, About: &evidence.About{Path: "/mnt/y", Device: "0:74", FSType: "fuse.x"}}
	elsewhere := culprit
	elsewhere.About = &evidence.About{Device: "0:75", FSType: "fuse.x"}
	for _, c := range []struct {
		name    string
		blocker int
		log     []evidence.HungLine
		others  []evidence.OtherTask
		want    string // in the summary of WS212, "": no such finding
		source  string
	}{
		{"the kernel says so", 8, nil, []evidence.OtherTask{elsewhere}, "behind cat (PID 7, container other)", "kernel: task->blocker"},
		{"the log says so", 0, []evidence.HungLine{{TID: 100, Owner: 8, Lock: "rw-semaphore", AtMillis: ago(3000)}}, []evidence.OtherTask{elsewhere}, "behind cat", "kernel log: likely owner of the rw-semaphore"},
		{"the log is of another sleep", 0, []evidence.HungLine{{TID: 100, Owner: 8, Lock: "mutex", AtMillis: ago(30000)}}, []evidence.OtherTask{elsewhere}, "", ""},
		{"it waits for the server of the same mount", 0, nil, []evidence.OtherTask{culprit}, "behind cat", "/proc, every task of the host"},
		{"another mount", 0, nil, []evidence.OtherTask{elsewhere}, "", ""},
		{"nobody", 0, nil, nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := fuseWaiter("D", 9000, "path_openat", "do_filp_open")
			change := q.change
			q.change = func(p *evidence.Process) {
				change(p)
				if c.blocker != 0 {
					p.Kernel = &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, State: 2, Blocker: c.blocker}}}
				}
			}
			s := snapshot(q)
			s.Targets[0].HungLog = c.log
			s.Targets[0].Others = &evidence.Others{Tasks: c.others, Count: len(c.others), Whole: true}
			got := Judge(s, Options{}).Containers[0]
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == "WS212" })
			if i < 0 != (c.want == "") {
				t.Fatalf("%+v", got.Findings)
			}
			if i >= 0 && (!strings.Contains(got.Findings[i].Summary, c.want) || got.Findings[i].Evidence[0].Source != c.source || !strings.Contains(got.Headline, "behind cat")) {
				t.Errorf("%q by %+v, headline %q", got.Findings[i].Summary, got.Findings[i].Evidence, got.Headline)
			}
		})
	}
}

// TestNoKillForTheStuck: docker kill is a way out where nobody listens, for a stop
// without an end too, and none where SIGKILL does not end it.
func TestNoKillForTheStuck(t *testing.T) {
	for _, c := range []struct {
		name    string
		state   string
		timeout int
		want    bool
	}{{"killed", "S", 10, true}, {"waits for ever", "S", -1, true}, {"stuck", "D", 10, false}} {
		s := snapshot(proc{pid: 100, ns: 1, call: "pause", state: c.state, change: func(p *evidence.Process) {
			p.Tasks[0].Stack = []string{"sb_start_write"}
			p.Tasks[0].Again = &evidence.SecondLook{State: c.state}
		}})
		got := Judge(s, Options{Timeout: &c.timeout}).Containers[0]
		kills := false
		for _, f := range got.Findings {
			kills = kills || slices.ContainsFunc(f.Fixes, func(x Fix) bool { return x.Command == "docker kill web" })
		}
		if kills != c.want {
			t.Errorf("%s: docker kill is a fix: %v", c.name, kills)
		}
	}
}
