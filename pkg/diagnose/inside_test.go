package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestTracerInside: SIGKILL to the init ends a tracer that lives in the container,
// and so frees what it holds; an outside one it does not reach.
func TestTracerInside(t *testing.T) {
	init := proc{pid: 100, ns: 1, call: "wait4"}
	gdb := proc{pid: 107, ppid: 100, ns: 7, call: "poll", threads: []evidence.Task{thread(108, "futex")}}
	traced := func(state, tracer string, tid int) proc {
		return proc{pid: 110, ppid: 107, ns: 10, state: state, change: func(p *evidence.Process) {
			p.TracerPID, p.TracerState, p.TracerCall = tid, tracer, "poll"
		}}
	}
	outside := with(gdb, func(q *proc) {
		q.ppid, q.change = 1, func(p *evidence.Process) { p.Outside = true }
	})
	root := func(k *evidence.Kernel, tracer string) proc {
		return with(init, func(q *proc) {
			q.state, q.change = "t", func(p *evidence.Process) { p.TracerPID, p.TracerState, p.TracerCall, p.Kernel = 107, tracer, "poll", k }
		})
	}
	atExit := &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, HeldAtExit: true}}}
	for _, c := range []struct {
		name  string
		procs []proc
		stuck bool
		conf  Confidence
	}{
		{"a debugger at its prompt", []proc{init, gdb, traced("t", "S", 107)}, false, Certain},
		{"its thread is the tracer", []proc{init, gdb, traced("t", "S", 108)}, false, Certain},
		{"a stopped tracer", []proc{init, gdb, traced("S", "T", 107)}, false, Certain},
		{"a zombie that it has not fetched", []proc{init, gdb, traced("Z", "S", 107)}, false, Certain},
		{"outside", []proc{init, outside, traced("t", "S", 107)}, true, Likely},
		{"outside, a zombie", []proc{init, outside, traced("Z", "S", 107)}, true, Likely},
		{"outside, a zombie seen twice", []proc{init, outside, with(traced("Z", "S", 107), func(q *proc) {
			once := q.change
			q.change = func(p *evidence.Process) { once(p); p.Tasks[0].Again = &evidence.SecondLook{State: "Z"} }
		})}, true, Certain},
		{"of the init", []proc{root(nil, "S"), gdb}, false, Likely},
		{"of the init, stopped itself", []proc{root(nil, "T"), gdb}, true, Assumed},
		{"of the init, asked for its exit", []proc{root(atExit, "S"), gdb}, true, Likely},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.procs...), Options{}).Containers[0]
			if (got.Verdict == Stuck) != c.stuck || got.Confidence != c.conf || (got.Kill.Outcome == "stuck") != c.stuck {
				t.Errorf("%s, %s (%s), kill %s; want stuck %v, %s", got.Verdict, got.Confidence, got.Headline, got.Kill.Outcome, c.stuck, c.conf)
			}
		})
	}
}

// TestLeaderLeft: a main thread that left with pthread_exit is no hang of a worker;
// of a container's init it is one, and of a process that is being killed.
func TestLeaderLeft(t *testing.T) {
	left := func(killed bool) func(*evidence.Process) {
		return func(p *evidence.Process) {
			p.Flags, p.State, p.Tasks[0].State = pfExiting, "Z", "Z"
			x := thread(p.PID+1, "futex")
			if killed {
				x.Pending = new(evidence.SigSet)
				*x.Pending = evidence.SetOf(evidence.SIGKILL)
			}
			p.Tasks = append(p.Tasks, x)
		}
	}
	init := proc{pid: 100, ns: 1, call: "wait4", cgt: []int{tTERM}}
	worker := proc{pid: 110, ppid: 100, ns: 10}
	for _, c := range []struct {
		name  string
		procs []proc
		says  bool
	}{
		{"a worker", []proc{init, with(worker, func(q *proc) { q.change = left(false) })}, false},
		{"a worker that is being killed", []proc{init, with(worker, func(q *proc) { q.change = left(true) })}, true},
		{"the init", []proc{with(init, func(q *proc) { q.change = left(false) })}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.procs...), Options{}).Containers[0]
			if says := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS206" }); says != c.says || (got.Verdict == Stuck) != c.says {
				t.Errorf("%s (%s), WS206 %v; want %v", got.Verdict, got.Headline, says, c.says)
			}
		})
	}
}

// TestStrangerInD: who came in from outside keeps the namespace from emptying, and
// is in nobody's way elsewhere.
func TestStrangerInD(t *testing.T) {
	frozen := func(ns uint64, frames ...string) func(*evidence.Process) {
		return func(p *evidence.Process) {
			p.Outside, p.PIDNS, p.State, p.Tasks[0].State, p.Tasks[0].Stack = true, ns, "D", "D", frames
			p.Tasks[0].Again = &evidence.SecondLook{State: "D", SleptMillis: status(60000)}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*evidence.Process)
		want   Verdict
	}{
		{"in its namespace", frozen(5, "percpu_rwsem_wait", "vfs_write"), Stuck},
		{"a shim elsewhere", frozen(4, "percpu_rwsem_wait", "vfs_write"), Killed},
		{"a shim elsewhere that cannot be read", frozen(4), Killed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "pause", change: func(p *evidence.Process) { p.PIDNS = 5 }},
				proc{pid: 120, ppid: 1, ns: 20, change: c.change})
			if got := Judge(s, Options{}).Containers[0]; got.Verdict != c.want {
				t.Errorf("%s (%s), want %s", got.Verdict, got.Headline, c.want)
			}
		})
	}
}

// TestForeverHangs: with timeout -1 no SIGKILL follows, whatever hangs.
func TestForeverHangs(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, call: "pause", cgt: []int{tTERM}}, proc{pid: 110, ppid: 100, ns: 10, change: func(p *evidence.Process) {
		p.State, p.Tasks[0].State, p.Tasks[0].Stack = "D", "D", []string{"percpu_rwsem_wait", "vfs_write"}
	}})
	ever := -1
	got := Judge(s, Options{Timeout: &ever}).Containers[0]
	if got.Verdict != Stuck || got.Stop.Command.Returns {
		t.Errorf("%s, command %+v", got.Verdict, got.Stop.Command)
	}
	for _, x := range got.Stop.Steps {
		if strings.HasPrefix(x.Action, "SIGKILL") {
			t.Errorf("an invented step: %+v", x)
		}
	}
}

// TestTracerUnknown: state t with TracerPid 0 names nobody to kill.
func TestTracerUnknown(t *testing.T) {
	held := proc{pid: 100, ns: 1, call: "pause", state: "t"}
	zap := proc{pid: 100, ns: 1, change: func(p *evidence.Process) {
		p.Flags, p.Tasks[0].Stack = pfExiting, []string{"do_wait", "zap_pid_ns_processes"}
	}}
	for _, procs := range [][]proc{{held}, {zap, {pid: 110, ppid: 100, ns: 10, state: "t"}}} {
		for _, f := range Judge(snapshot(procs...), Options{}).Containers[0].Findings {
			for _, x := range f.Fixes {
				if strings.HasSuffix(x.Command, "-KILL 0") {
					t.Errorf("%s: %s", f.Code, x.Command)
				}
			}
		}
	}
}

// TestZombieInitTimeout: the engine books a zombie init after the container's own
// stop timeout; a command that gives up before that ends with an error.
func TestZombieInitTimeout(t *testing.T) {
	for _, c := range []struct {
		own         int
		flag        *int
		stop, kill  float64
		stat, kstat int // -1: a race
	}{
		{10, nil, 10, 10, 0, -1},
		{60, nil, 60, 10, 0, 1},
		{60, status(3), 15, 10, 1, 1},
		{3, nil, 3, 3, 0, 0},
	} {
		s := snapshot(proc{pid: 100, ns: 1, state: "Z", change: func(p *evidence.Process) { p.TracerPID, p.TracerState = 7, "T" }})
		s.Targets[0].Container.StopTimeout = &c.own
		got := Judge(s, Options{Timeout: c.flag}).Containers[0]
		checkCommand(t, "stop", got.Stop.Command, c.stop, c.stat)
		if c.kstat < 0 {
			if got.Kill.Command.ExitStatus != nil {
				t.Errorf("kill: %+v, want a race", got.Kill.Command)
			}
			continue
		}
		checkCommand(t, "kill", got.Kill.Command, c.kill, c.kstat)
	}
}

// TestExitInS: waits of an exit that show S, which no signal ends.
func TestExitInS(t *testing.T) {
	dying := func(again *evidence.SecondLook, stack ...string) proc {
		return proc{pid: 100, ns: 1, change: func(p *evidence.Process) {
			p.Flags, p.Tasks[0].Stack, p.Tasks[0].Again = pfExiting, stack, again
		}}
	}
	seen := func(ms int) *evidence.SecondLook { return &evidence.SecondLook{State: "S", SleptMillis: &ms} }
	uring := []string{"io_uring_cancel_generic", "do_exit", "do_group_exit"}
	for _, c := range []struct {
		name string
		q    proc
		want Verdict
		conf Confidence
	}{
		{"io_uring, once", dying(nil, uring...), Stuck, Assumed},
		{"io_uring, a moment", dying(seen(30), uring...), Stuck, Assumed},
		{"io_uring, for long", dying(seen(60000), uring...), Stuck, Likely},
		{"io_uring, it moved", dying(&evidence.SecondLook{State: "S", Moved: true}, uring...), Killed, Likely},
		{"a stack that may not be read", dying(nil), Unknown, Assumed},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, Judge(snapshot(c.q), Options{}).Containers[0], c.want, c.conf) })
	}
}
