package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// partIn is a part of the engine whose process is in a state; one in D has slept
// there over two looks.
func partIn(role string, pid int, state string) evidence.Part {
	p := proc{pid: pid, state: state}.build()
	if state == "D" {
		ms := 8000
		p.Tasks[0].Again = &evidence.SecondLook{AfterMillis: 30, State: "D", SleptMillis: &ms}
		p.Tasks[0].Stack = []string{"percpu_rwsem_wait", "mnt_want_write", "do_mkdirat"}
	}
	return evidence.Part{Role: role, PID: pid, Process: &p}
}

// tracedPart is a part in t whose tracer is in a call: strace waits in wait4 for
// what it lets go on at once, gdb at its prompt in poll.
func tracedPart(role string, pid int, call string) evidence.Part {
	p := partIn(role, pid, "t")
	p.Process.TracerPID, p.Process.TracerState, p.Process.TracerCall = 77, "S", call
	return p
}

// TestCauses: what stands between the docker command and the container, one fault
// at a time, and none.
func TestCauses(t *testing.T) {
	shim := partIn(evidence.RoleShim, 90, "S")
	shim.Process.Comm = "containerd-shim"
	runc := proc{pid: 95, ppid: 90, state: "D"}.build()
	runc.Comm = "runc"
	runc.Tasks = partIn("", 95, "D").Process.Tasks
	locked := func(s *evidence.Snapshot) { s.Targets[0].Container.InspectTrouble = evidence.GapTimeout }
	engine := func(s *evidence.Snapshot, trouble string, parts ...evidence.Part) {
		s.Host.Engine.Trouble, s.Host.Engine.Parts = trouble, parts
	}
	daemon := func(state string) evidence.Part { return partIn(evidence.RoleDaemon, 50, state) }
	for _, c := range []struct {
		name    string
		change  func(*evidence.Snapshot)
		code    string // "" for none
		verdict Verdict
		returns bool
	}{
		{"nothing", func(s *evidence.Snapshot) { engine(s, "", daemon("S"), partIn(evidence.RoleContainerd, 60, "S")) }, "", Killed, true},
		{"dockerd writes to a disk", func(s *evidence.Snapshot) { engine(s, "", daemon("D")) }, "", Killed, true},
		{"another listens", func(s *evidence.Snapshot) { engine(s, "foreign") }, "WS304", Stuck, true},
		{"dockerd down", func(s *evidence.Snapshot) { engine(s, "refused") }, "WS309", Stuck, true},
		{"no permission on the socket", func(s *evidence.Snapshot) { engine(s, "denied", daemon("S")) }, "", Killed, true},
		{"a certificate that is not trusted", func(s *evidence.Snapshot) {
			engine(s, "refused")
			s.Host.Engine.Endpoint = "tcp://docker:2376"
		}, "", Killed, true},
		{"dockerd stopped", func(s *evidence.Snapshot) { engine(s, "timeout", daemon("T")) }, "WS310", Stuck, false},
		{"dockerd traced", func(s *evidence.Snapshot) { engine(s, "timeout", daemon("t")) }, "WS310", Stuck, false},
		{"dockerd straced", func(s *evidence.Snapshot) { engine(s, "", tracedPart(evidence.RoleDaemon, 50, "wait4")) }, "", Killed, true},
		{"dockerd straced, and busy", func(s *evidence.Snapshot) { engine(s, "timeout", tracedPart(evidence.RoleDaemon, 50, "wait4")) }, "WS304", Stuck, false},
		{"dockerd in a debugger that let it answer", func(s *evidence.Snapshot) { engine(s, "", tracedPart(evidence.RoleDaemon, 50, "poll")) }, "", Killed, true},
		{"dockerd in a debugger", func(s *evidence.Snapshot) { engine(s, "timeout", tracedPart(evidence.RoleDaemon, 50, "poll")) }, "WS310", Stuck, false},
		{"containerd straced", func(s *evidence.Snapshot) {
			engine(s, "", daemon("S"), tracedPart(evidence.RoleContainerd, 60, "wait4"))
		}, "", Killed, true},
		{"containerd in a debugger", func(s *evidence.Snapshot) {
			engine(s, "", daemon("S"), tracedPart(evidence.RoleContainerd, 60, "poll"))
		}, "WS313", Stuck, false},
		{"shim straced", func(s *evidence.Snapshot) {
			s.Targets[0].Shims = []evidence.Part{tracedPart(evidence.RoleShim, 90, "wait4")}
		}, "", Killed, true},
		{"shim straced, seen twice", func(s *evidence.Snapshot) {
			p := tracedPart(evidence.RoleShim, 90, "wait4")
			p.Process.Tasks[0].Again = &evidence.SecondLook{AfterMillis: 30, State: "t", Moved: true}
			s.Targets[0].Shims = []evidence.Part{p}
		}, "", Killed, true},
		{"shim held by a tracer that waits", func(s *evidence.Snapshot) {
			p := tracedPart(evidence.RoleShim, 90, "wait4")
			p.Process.Tasks[0].Again = &evidence.SecondLook{AfterMillis: 30, State: "t"}
			s.Targets[0].Shims = []evidence.Part{p}
		}, "WS314", Stuck, false},
		{"shim in a debugger", func(s *evidence.Snapshot) {
			s.Targets[0].Shims = []evidence.Part{tracedPart(evidence.RoleShim, 90, "poll")}
		}, "WS314", Stuck, false},
		{"runc straced", func(s *evidence.Snapshot) {
			locked(s)
			shim.Below = []evidence.Process{*tracedPart("", 95, "wait4").Process}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS319", Stuck, false},
		{"runc asleep", func(s *evidence.Snapshot) {
			locked(s)
			shim.Below = []evidence.Process{*partIn("", 95, "S").Process}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS319", Stuck, false},
		{"runc asleep, and no lock held", func(s *evidence.Snapshot) {
			shim.Below = []evidence.Process{*partIn("", 95, "S").Process}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "", Killed, true},
		{"a container's program that is called runc", func(s *evidence.Snapshot) {
			locked(s)
			shim.Below = []evidence.Process{s.Targets[0].Processes[0]}
			shim.Below[0].State = "T"
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS303", Stuck, false},
		{"a container's program that is called runc and hangs", func(s *evidence.Snapshot) {
			locked(s)
			own := *partIn("", s.Targets[0].PID, "D").Process
			shim.Below = []evidence.Process{own}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS303", Stuck, false},
		{"runc in a debugger", func(s *evidence.Snapshot) {
			locked(s)
			shim.Below = []evidence.Process{*tracedPart("", 95, "poll").Process}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS319", Stuck, false},
		{"dockerd in D", func(s *evidence.Snapshot) { engine(s, "timeout", daemon("D")) }, "WS311", Stuck, false},
		{"dockerd busy", func(s *evidence.Snapshot) { engine(s, "timeout", daemon("R")) }, "WS304", Stuck, false},
		{"containerd down", func(s *evidence.Snapshot) {
			engine(s, "", daemon("S"), evidence.Part{Role: evidence.RoleContainerd, Trouble: "refused"})
		}, "WS312", Ghost, true},
		{"containerd stopped", func(s *evidence.Snapshot) { engine(s, "", daemon("S"), partIn(evidence.RoleContainerd, 60, "T")) }, "WS313", Stuck, false},
		{"containerd just started", func(s *evidence.Snapshot) {
			fresh := partIn(evidence.RoleContainerd, 60, "S")
			fresh.Process.StartTicks = uptime - 400
			engine(s, "", daemon("S"), fresh)
		}, "WS324", Unknown, true},
		{"all just started", func(s *evidence.Snapshot) {
			d, fresh := daemon("S"), partIn(evidence.RoleContainerd, 60, "S")
			d.Process.StartTicks, fresh.Process.StartTicks = uptime-450, uptime-400
			engine(s, "", d, fresh)
		}, "", Killed, true},
		{"shim stopped", func(s *evidence.Snapshot) { s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "T")} }, "WS314", Stuck, false},
		{"shim stopped, and given up by containerd", func(s *evidence.Snapshot) {
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "T")}
			s.Targets[0].Container.BundleGone = true
			s.Targets[0].Processes, s.Targets[0].Identity.Alive = nil, false
		}, "WS314", Ghost, true},
		{"shim stopped, no bundle, and the init lives", func(s *evidence.Snapshot) {
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "T")}
			s.Targets[0].Container.BundleGone = true
		}, "WS314", Stuck, false},
		{"an exited container whose start hangs", func(s *evidence.Snapshot) {
			locked(s)
			s.Targets[0].Container.Status = "exited"
			shim.Below = []evidence.Process{runc}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS322", Stuck, false},
		{"conmon stopped", func(s *evidence.Snapshot) {
			s.Host.Engine.Name = "podman"
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "T")}
		}, "WS314", Unknown, true},
		{"shim in D", func(s *evidence.Snapshot) {
			locked(s)
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "D")}
		}, "WS315", Stuck, false},
		{"shim in D, for its fork that is not yet runc", func(s *evidence.Snapshot) {
			locked(s)
			shim.Below = []evidence.Process{runc}
			shim.Below[0].Comm = shim.Process.Comm
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS315", Stuck, false},
		{"shim in D for a moment", func(s *evidence.Snapshot) { s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "D")} }, "", Killed, true},
		{"runc in D", func(s *evidence.Snapshot) {
			locked(s)
			shim.Below = []evidence.Process{runc}
			s.Targets[0].Shims = []evidence.Part{shim}
		}, "WS319", Stuck, false},
		{"lock held, nobody knows by whom", locked, "WS303", Stuck, false},
		{"two shims", func(s *evidence.Snapshot) {
			s.Targets[0].ShimsSought = true
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "S"), partIn(evidence.RoleShim, 91, "S")}
		}, "WS317", Killed, true},
		{"a stopped shim of an earlier run", func(s *evidence.Snapshot) {
			s.Targets[0].ShimsSought = true
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 89, "T"), partIn(evidence.RoleShim, 90, "S")}
		}, "WS317", Killed, true},
		{"a shim and its cleaner", func(s *evidence.Snapshot) {
			s.Targets[0].ShimsSought = true
			s.Targets[0].Shims = []evidence.Part{partIn(evidence.RoleShim, 90, "S"), partIn(evidence.RoleCleaner, 91, "S")}
		}, "", Killed, true},
		{"no shim", func(s *evidence.Snapshot) { s.Targets[0].ShimsSought = true }, "WS316", Unknown, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ppid: 90, ns: 1, call: "pause"})
			s.Host.Engine = &evidence.Engine{Name: "docker", Version: "20.10.24", Endpoint: "unix:///var/run/docker.sock"}
			c.change(s)
			r := Judge(s, Options{})
			got := r.Containers[0]
			codes := ""
			for _, f := range slices.Concat(r.Host.Findings, got.Findings) {
				if f.Code > "WS300" && f.Code < "WS330" {
					codes += f.Code
				}
			}
			if codes != c.code || got.Verdict != c.verdict || got.Stop.Command.Returns != c.returns {
				t.Errorf("%s %s, returns %v (%s); want %s %s, returns %v", got.Verdict, codes, got.Stop.Command.Returns, got.Headline, c.verdict, c.code, c.returns)
			}
			if got.Kill == nil || got.Rm == nil || got.Kill.Command.Returns != c.returns || got.Rm.Command.Returns != c.returns {
				t.Errorf("kill %+v, rm %+v", got.Kill, got.Rm)
			}
		})
	}
}

// A runc that has been there for longer than its work takes is the reason, as far
// as can be seen; a young one may be at its work on a busy host.
func TestRuntimeWaits(t *testing.T) {
	for age, want := range map[float64]Confidence{60: Likely, 2: Assumed} {
		s := snapshot(proc{pid: 100, ppid: 90, ns: 1, call: "pause"})
		s.Targets[0].Container.InspectTrouble = evidence.GapTimeout
		shim := partIn(evidence.RoleShim, 90, "S")
		shim.Below = []evidence.Process{proc{pid: 95, startedSecsAgo: age}.build()}
		s.Targets[0].Shims = []evidence.Part{shim}
		got := Judge(s, Options{}).Containers[0]
		if f := got.Findings[0]; f.Code != "WS319" || got.Confidence != want || f.Fixes[0].Command != "sudo kill -KILL 95" {
			t.Errorf("%v s old: %s, %+v", age, got.Confidence, f)
		}
	}
}

// A shim that was there before the end and long after it is left over. One that is
// just going is not, and one that is younger than the end keeps the next run.
func TestLeftShim(t *testing.T) {
	for _, c := range []struct {
		age, ended float64 // seconds
		want       bool
	}{{100, 60, true}, {100, 3, false}, {3, 60, false}, {100, 0, false}} {
		age, want := c.age, c.want
		s := snapshot(proc{pid: 100, ns: 1})
		k := s.Targets[0].Container
		code := 255
		k.Status, k.ExitCode = "exited", &code
		if c.ended != 0 {
			at := s.TakenAt.Add(-time.Duration(c.ended * float64(time.Second)))
			k.FinishedAt = &at
		}
		shim := proc{pid: 90, startedSecsAgo: age}.build()
		s.Targets[0].Processes, s.Targets[0].ShimsSought = nil, true
		s.Targets[0].Shims = []evidence.Part{{Role: evidence.RoleShim, PID: 90, Process: &shim}}
		got := Judge(s, Options{}).Containers[0]
		if has := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS318" }); has != want || got.Verdict != NotRunning {
			t.Errorf("%v s old: %v, %s", age, has, got.Verdict)
		}
	}
}

// Passing states are accused only when a second question found them again.
func TestPassingStates(t *testing.T) {
	for _, status := range []string{"removing", "running", "created"} {
		for _, moved := range []bool{false, true} {
			s := snapshot(proc{pid: 100, ns: 1})
			s.Targets[0].Processes, s.Targets[0].Container.Status = nil, status
			s.Targets[0].Identity.Alive = false
			ms := 1100
			s.Targets[0].StayedMillis, s.Targets[0].Moved = &ms, moved
			got := Judge(s, Options{}).Containers[0]
			accused := slices.ContainsFunc(got.Findings, func(f Finding) bool { return strings.HasPrefix(f.Code, "WS3") })
			if accused == moved {
				t.Errorf("%s, moved %v: %s %s", status, moved, got.Verdict, got.Headline)
			}
		}
	}
}

// What is booked as exited, and was seen with processes, may have been caught in
// its stop or its restart.
func TestEndingIsNoGhost(t *testing.T) {
	for _, moved := range []bool{false, true} {
		s := snapshot(proc{pid: 100, ns: 1})
		s.Targets[0].Container.Status, s.Targets[0].Moved = "exited", moved
		if got := Judge(s, Options{}).Containers[0]; (got.Verdict == NotRunning) != moved {
			t.Errorf("moved %v: %s %s", moved, got.Verdict, got.Headline)
		}
	}
}

// What may not be seen (hidepid) is not gone.
func TestHiddenIsNoGhost(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1})
	s.Targets[0].Processes = nil
	s.Targets[0].Gaps = []evidence.Gap{{Path: "/proc/100", Kind: evidence.GapDenied}}
	got := Judge(s, Options{}).Containers[0]
	if got.Verdict != Unknown || !strings.Contains(got.Headline, "may not be seen") {
		t.Errorf("%s: %s", got.Verdict, got.Headline)
	}
}

// A whystuck in a container of its own does not see the host's processes, and says
// that and not that the engine is elsewhere.
func TestNestedObserver(t *testing.T) {
	for nested, want := range map[bool]string{true: "PID namespace of its own", false: "not on this kernel"} {
		s := snapshot(proc{pid: 100, ns: 1})
		s.Targets[0].Processes = nil
		s.Targets[0].Identity = &evidence.Identity{Nested: nested, Reason: "another kernel"}
		got := Judge(s, Options{}).Containers[0]
		if got.Verdict != Unknown || len(got.Findings) != 1 || got.Findings[0].Code != "WS305" || !strings.Contains(got.Headline, want) || strings.Contains(got.Findings[0].Fixes[0].Text, "--pid=host") != nested {
			t.Errorf("nested %v: %s: %+v", nested, got.Headline, got.Findings)
		}
	}
}

// A removal takes its time: it is told and not accused while dockerd goes on.
func TestSlowRemoval(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1})
	ms := 1100
	s.Targets[0].Processes, s.Targets[0].Container.Status, s.Targets[0].StayedMillis = nil, "removing", &ms
	got := Judge(s, Options{}).Containers[0]
	i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == "WS308" })
	if i < 0 || got.Findings[i].Severity != SeverityWarning || got.Confidence != Assumed {
		t.Errorf("%s: %+v", got.Confidence, got.Findings)
	}
}

// Nobody is sent to a docker command that does not get through.
func TestNoDockerWhereItHangs(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, call: "pause", ign: []int{tTERM}})
	s.Host.Engine = &evidence.Engine{Name: "docker", Trouble: "timeout", Parts: []evidence.Part{partIn(evidence.RoleDaemon, 50, "T")}}
	for _, f := range Judge(s, Options{}).Containers[0].Findings {
		for _, x := range f.Fixes {
			if x.When == FixNow && strings.HasPrefix(x.Command, "docker ") {
				t.Errorf("%s: %s", f.Code, x.Command)
			}
		}
	}
}

// What goes into a command is a number of ours, and no word from elsewhere.
func TestCauseCommands(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, call: "pause"})
	s.Host.Engine = &evidence.Engine{Name: "docker", Endpoint: "unix:///tmp/x; rm -rf /", Trouble: "refused"}
	for _, f := range Judge(s, Options{}).Host.Findings {
		for _, x := range f.Fixes {
			if strings.Contains(x.Command, "rm -rf") {
				t.Errorf("a command with a foreign word: %s", x.Command)
			}
		}
	}
}
