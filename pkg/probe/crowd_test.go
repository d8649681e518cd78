package probe

import (
	"context"
	"os"
	"strconv"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// crowd starts a container of n alike siblings, 60 with a handler and the five
// odd ones of testdata/lab.c.
func crowd(t *testing.T, n int) (init int, odd []int) {
	t.Helper()
	needRoot(t)
	cmd, words := running(t, nil, "crowd", strconv.Itoa(n))
	init = cmd.Process.Pid
	for _, w := range words {
		pid, err := strconv.Atoi(w)
		if err != nil {
			t.Fatal(err)
		}
		odd = append(odd, pid)
	}
	p := New(Config{})
	r := p.newReader()
	pids := append([]int{init}, r.childrenOf(init)...)
	r.close()
	if len(pids) != 1+n+60+5 || len(odd) != 5 {
		t.Fatalf("%d processes and %d odd ones started", len(pids), len(odd))
	}
	for _, pid := range pids[1:] {
		if pid != odd[0] && pid != odd[1] {
			eventually(t, "a crowd asleep", func() bool { return asleep(pid) })
		}
	}
	cgroupFor(t, anyHierarchy(), pids...)
	return init, odd
}

// TestCrowd: of many alike siblings some get the full look, and so does whoever
// is odd, however little stat shows of it.
func TestCrowd(t *testing.T) {
	init, odd := crowd(t, 300)
	target := lookAt(t, init)
	if len(target.Processes) != 366 {
		t.Fatalf("%d processes, want 366; gaps %+v", len(target.Processes), target.Gaps)
	}
	briefs, handlers := 0, 0
	for i := range target.Processes {
		p := &target.Processes[i]
		if p.Signals.Caught.Has(evidence.SIGTERM) {
			handlers++
		}
		if p.Brief {
			briefs++
			checkBrief(t, p)
		} else if p.PIDNS == 0 || len(p.NSPIDs) == 0 || p.Argv == nil && mayTouch(p) {
			t.Errorf("neither brief nor full: %+v", *p)
		}
	}
	full := alikeOldest + alikeYoungest
	if want := 300 - full + 60 - full; briefs != want || handlers != 60 {
		t.Errorf("%d in brief and %d with a handler, want %d and 60", briefs, handlers, want)
	}
	if gapOf(target, evidence.GapSkipped, "status") == nil {
		t.Errorf("no word of what was not read: %+v", target.Gaps)
	}
	for i, fits := range []func(p *evidence.Process) bool{
		func(p *evidence.Process) bool { return p.State == "T" },
		func(p *evidence.Process) bool { return p.State == "D" && p.Tasks[0].Again != nil },
		func(p *evidence.Process) bool { return p.Tasks[0].Syscall.Name == "rt_sigtimedwait" },
		func(p *evidence.Process) bool { return len(p.Tasks) == 2 },
		func(p *evidence.Process) bool { return p.Tasks[0].Blocked.Has(evidence.SIGTERM) },
	} {
		if p := process(t, target, odd[i]); p.Brief || !fits(p) {
			t.Errorf("odd one %d: %+v", i, *p)
		}
	}
	if process(t, target, init).Brief {
		t.Error("the init was looked at briefly")
	}
}

// checkBrief holds a brief look against what status says.
func checkBrief(t *testing.T, p *evidence.Process) {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseStatus(data)
	if err != nil {
		t.Fatal(err)
	}
	if low(*s.SigIgn) != p.Signals.Ignored || low(*s.SigCgt) != p.Signals.Caught || *p.Tasks[0].Blocked != *s.SigBlk || s.Threads != p.Threads {
		t.Errorf("status of %d says %+v, the brief look %+v", p.PID, s, *p.Signals)
	}
	if p.Argv != nil || p.NSPIDs != nil || p.Tasks[0].Syscall != nil || p.Tasks[0].Wchan == nil || *p.Tasks[0].Wchan == "" {
		t.Errorf("not what a brief look brings: %+v", *p)
	}
}

// TestSmallCrowd: up to crowdSize members nothing is left out.
func TestSmallCrowd(t *testing.T) {
	init, _ := crowd(t, crowdSize-66)
	target := lookAt(t, init)
	for i := range target.Processes {
		if target.Processes[i].Brief {
			t.Fatalf("of %d processes one was looked at briefly", len(target.Processes))
		}
	}
	if len(target.Processes) != crowdSize {
		t.Errorf("%d processes, want %d", len(target.Processes), crowdSize)
	}
}

// TestVouched: what stat cannot show and a sample has costs the set its brief look.
func TestVouched(t *testing.T) {
	caught := evidence.SetOf(evidence.SIGTERM)
	cases := map[string]struct {
		change func(p *evidence.Process)
		want   bool
	}{
		"alike":                     {func(*evidence.Process) {}, true},
		"a real-time signal caught": {func(p *evidence.Process) { p.Signals.Caught = p.Signals.Caught.With(40) }, true},
		"a tracer":                  {func(p *evidence.Process) { p.TracerPID = 7 }, false},
		"other masks in status":     {func(p *evidence.Process) { p.Signals.Caught = 0 }, false},
		"no masks in status":        {func(p *evidence.Process) { p.Signals = nil }, false},
		"the init of a namespace":   {func(p *evidence.Process) { p.NSPIDs = []int{p.PID, 1} }, false},
		"one namespace deeper":      {func(p *evidence.Process) { p.NSPIDs = []int{p.PID, 5, 3} }, false},
		"no NSpid":                  {func(p *evidence.Process) { p.NSPIDs = nil }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			target := &evidence.Target{PID: 1}
			var set []sibling
			for pid := 100; pid < 140; pid++ {
				set = append(set, sibling{pid, stat{Legacy: legacyMasks{Caught: caught}}})
				target.Processes = append(target.Processes, evidence.Process{PID: pid, NSPIDs: []int{pid, pid - 90}, Signals: &evidence.Signals{Caught: caught}})
			}
			c.change(&target.Processes[3])
			l := New(Config{}).newLook(context.Background(), target)
			defer l.cancel()
			if got := l.vouched(set); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestDivide: only plain leaves of a large set of alike siblings are set apart.
func TestDivide(t *testing.T) {
	l := New(Config{}).newLook(context.Background(), &evidence.Target{PID: 10})
	defer l.cancel()
	base := stat{State: "S", Threads: 1, PPID: 10, Comm: "w"}
	all := []sibling{{10, stat{State: "S", Threads: 1, Comm: "w"}}}
	for pid := 100; pid < 200; pid++ {
		all = append(all, sibling{pid, base})
	}
	odd := map[int]func(*stat){
		101: func(s *stat) { s.State = "R" }, 102: func(s *stat) { s.Threads = 2 }, 103: func(s *stat) { s.Legacy.Pending = 1 },
		104: func(s *stat) { s.Legacy.Blocked = 1 }, 105: func(s *stat) { s.Flags = pfExiting }, 106: func(s *stat) { s.Comm = "x" },
		107: func(s *stat) { s.Legacy.Caught = 1 }, 108: func(s *stat) { s.PPID = 109 }, 110: func(s *stat) { s.State = "Z" },
	}
	for pid, change := range odd {
		change(&all[pid-99].st)
	}
	sets, rest := l.divide(all)
	if len(sets) != 1 || len(sets[0]) != 90 || len(rest) != 11 { // the init, nine odd ones and a parent
		t.Errorf("%d sets, the first of %d; %d others: %v", len(sets), len(sets[0]), len(rest), rest)
	}
	for _, s := range sets[0] {
		if odd[s.pid] != nil || s.pid == 109 || s.pid == 10 {
			t.Errorf("%d is in the set", s.pid)
		}
	}
}
