package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestStopTimes: timeouts and what the command itself does, as measured with
// `docker stop -t N`, `docker kill` and `docker rm -f`.
func TestStopTimes(t *testing.T) {
	deaf := proc{pid: 100, ns: 1, call: "pause"}
	hung := with(deaf, func(q *proc) {
		q.change = func(p *evidence.Process) {
			p.State, p.Tasks[0].State = "D", "D"
			p.Tasks[0].Stack = []string{"percpu_rwsem_wait", "mnt_want_write", "path_openat"}
			p.Tasks[0].Again = &evidence.SecondLook{State: "D"}
		}
	})
	cases := []struct {
		name                string
		q                   proc
		timeout             int
		verdict             Verdict
		stopAfter, killEnds float64 // of the commands; -1: never returns
		status              int
	}{
		{"deaf", deaf, 3, Killed, 3, 0, 0},
		{"deaf, timeout 0", deaf, 0, Killed, 0, 0, 0},
		{"deaf, timeout -1", deaf, -1, Stuck, -1, 0, 0},
		{"in D", hung, 3, Stuck, 17, 12, 1},
		{"in D, timeout -1", hung, -1, Stuck, -1, 12, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.q), Options{Timeout: &c.timeout}).Containers[0]
			if got.Verdict != c.verdict {
				t.Fatalf("got %s (%s), want %s", got.Verdict, got.Headline, c.verdict)
			}
			checkCommand(t, "stop", got.Stop.Command, c.stopAfter, c.status)
			checkCommand(t, "kill", got.Kill.Command, c.killEnds, c.status)
			checkCommand(t, "rm -f", got.Rm.Command, c.killEnds, c.status)
		})
	}
}

func checkCommand(t *testing.T, what string, got Command, after float64, status int) {
	t.Helper()
	if after < 0 {
		if got.Returns {
			t.Errorf("%s: returns, want never", what)
		}
		return
	}
	if !got.Returns || got.AfterSeconds == nil || *got.AfterSeconds != after || got.ExitStatus == nil || *got.ExitStatus != status {
		t.Errorf("%s: got %+v, want %g s, status %d", what, got, after, status)
	}
}

// TestNoEngine: where no engine stops it no command gives up, and none is told of.
func TestNoEngine(t *testing.T) {
	for _, kind := range []string{evidence.KindProcess, evidence.KindPIDNS} {
		s := snapshot(proc{pid: 100, ns: 1, change: func(p *evidence.Process) {
			p.State, p.Tasks[0].State, p.Tasks[0].Stack = "D", "D", []string{"percpu_rwsem_wait", "vfs_write"}
		}})
		s.Targets[0].Kind = kind
		s.Targets[0].Container = nil
		got := Judge(s, Options{}).Containers[0]
		if got.Kill == nil || got.Kill.Outcome != "stuck" || got.Kill.Command.AfterSeconds != nil || got.Kill.Status != nil {
			t.Errorf("%s: kill %+v", kind, got.Kill)
		}
		if got.Stop != nil && (len(got.Stop.Steps) != 2 || got.Stop.Command.AfterSeconds != nil || got.Stop.Freed != nil) {
			t.Errorf("%s: stop %+v", kind, got.Stop)
		}
	}
}

// TestTracerTimes: when docker gives up depends on what the tracer asked for; what
// the kernel does not tell is not told. Measured with tracers that do not wait.
func TestTracerTimes(t *testing.T) {
	held := func(k *evidence.Kernel, stack ...string) proc {
		return proc{pid: 100, ns: 1, call: "pause", state: "t", change: func(p *evidence.Process) {
			p.TracerPID, p.TracerState, p.Kernel, p.Tasks[0].Stack = 7, "T", k, stack
		}}
	}
	asked := func(atExit bool) *evidence.Kernel {
		return &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, HeldAtExit: atExit}}}
	}
	cases := []struct {
		name       string
		q          proc
		stop, kill float64 // 0: not told
		says       string
	}{
		{"it keeps the zombie", held(asked(false)), 15, 10, "is zombie and can not be killed"},
		{"it holds the exit", held(asked(true)), 17, 12, noExitEvent},
		{"it holds the exit already", held(nil, "ptrace_stop", "ptrace_notify", "do_exit"), 17, 12, noExitEvent},
		{"/proc alone", held(nil), 0, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			three := 3
			got := Judge(snapshot(c.q), Options{Timeout: &three}).Containers[0]
			want(t, got, Stuck, Likely)
			for what, x := range map[string]struct {
				Command
				after float64
			}{"stop": {got.Stop.Command, c.stop}, "kill": {got.Kill.Command, c.kill}, "rm": {got.Rm.Command, c.kill}} {
				if c.says == "" {
					if x.AfterSeconds != nil || x.Error != nil {
						t.Errorf("%s: more is told than is known: %+v", what, x.Command)
					}
					continue
				}
				checkCommand(t, what, x.Command, x.after, 1)
				if x.Error == nil || !strings.Contains(*x.Error, c.says) {
					t.Errorf("%s: %v", what, x.Error)
				}
			}
		})
	}
}

// TestKillable: a D that SIGKILL ends is not accused, a transient one neither.
func TestKillable(t *testing.T) {
	inD := func(stack []string, change func(*evidence.Process)) proc {
		return proc{pid: 100, ns: 1, call: "pause", change: func(p *evidence.Process) {
			p.State, p.Tasks[0].State = "D", "D"
			p.Tasks[0].Stack = stack
			p.Tasks[0].Again = &evidence.SecondLook{State: "D", SleptMillis: status(60000)}
			if change != nil {
				change(p)
			}
		}}
	}
	cases := []struct {
		name string
		q    proc
		want Verdict
		conf Confidence
	}{
		{"vfork parent", inD([]string{"kernel_clone", "__do_sys_vfork"}, nil), Killed, Certain},
		{"autofs", inD([]string{"autofs_wait", "autofs_mount_wait"}, nil), Killed, Certain},
		{"frozen file system", inD([]string{"percpu_rwsem_wait", "vfs_write"}, nil), Stuck, Likely},
		{"frozen file system, for a time that is not known", inD([]string{"percpu_rwsem_wait", "vfs_write"}, func(p *evidence.Process) { p.Tasks[0].Again.SleptMillis = nil }), Stuck, Assumed},
		{"it moved between two looks", inD([]string{"percpu_rwsem_wait"}, func(p *evidence.Process) { p.Tasks[0].Again.Moved = true }), Killed, Certain},
		{"unknown frame, kernel says killable", inD([]string{"strange_wait"}, func(p *evidence.Process) {
			p.Kernel = &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, State: 0x2102}}}
		}), Killed, Certain},
		{"unknown frame", inD([]string{"strange_wait"}, nil), Stuck, Assumed},
		{"SIGKILL pending", inD([]string{"autofs_wait"}, func(p *evidence.Process) { p.Signals.Pending = evidence.SetOf(evidence.SIGKILL) }), Stuck, Certain},
		{"compiler suffix", inD([]string{"percpu_rwsem_wait.isra.0"}, nil), Stuck, Likely},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want(t, Judge(snapshot(c.q), Options{}).Containers[0], c.want, c.conf)
		})
	}
}

// TestStates: what keeps an init from taking a signal that it would handle.
func TestStates(t *testing.T) {
	handler := proc{pid: 100, ns: 1, call: "pause", cgt: []int{tTERM}}
	state := func(s string, change func(*evidence.Process)) proc {
		return with(handler, func(q *proc) {
			q.state = s
			q.change = change
		})
	}
	cases := []struct {
		name    string
		q       proc
		verdict Verdict
		conf    Confidence
		finding string
	}{
		{"stopped", state("T", nil), Killed, Certain, "WS202"},
		{"held by a stopped tracer", state("t", func(p *evidence.Process) { p.TracerPID, p.TracerState = 7, "T" }), Stuck, Likely, "WS203"},
		{"held by a tracer that waits", state("t", func(p *evidence.Process) { p.TracerPID, p.TracerState, p.TracerCall = 7, "S", "wait4" }), Killed, Likely, "WS203"},
		{"running under a stopped tracer", state("S", func(p *evidence.Process) { p.TracerPID, p.TracerState = 7, "T" }), Stuck, Likely, "WS203"},
		{"zombie leader", state("Z", func(p *evidence.Process) { p.Tasks = append(p.Tasks, thread(101, "futex")) }), Stuck, Likely, "WS206"},
		{"emptying its namespace", state("S", func(p *evidence.Process) {
			p.Flags, p.Tasks[0].Stack = pfExiting, []string{"do_wait", "zap_pid_ns_processes"}
		}), Stuck, Certain, "WS205"},
		{"emptying its namespace, looked at by BPF", state("S", func(p *evidence.Process) {
			yes, no := true, false
			p.Kernel = &evidence.Kernel{GroupExit: &yes, Unkillable: &no}
			p.Flags, p.Tasks[0].Stack = pfExiting, []string{"do_wait", "zap_pid_ns_processes"}
		}), Stuck, Certain, "WS205"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.q), Options{}).Containers[0]
			want(t, got, c.verdict, c.conf)
			if !slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == c.finding }) {
				t.Errorf("no %s in %+v", c.finding, got.Findings)
			}
		})
	}
}

// TestEngineStates: the engine's own states, without a living init.
func TestEngineStates(t *testing.T) {
	cases := []struct {
		name    string
		change  func(*evidence.Snapshot)
		verdict Verdict
		stop    bool
	}{
		{"exited", func(s *evidence.Snapshot) { s.Targets[0].Container.Status, s.Targets[0].Processes = "exited", nil }, NotRunning, false},
		{"exited, and a process lives", func(s *evidence.Snapshot) { s.Targets[0].Container.Status = "exited" }, Ghost, false},
		{"running, no such process", func(s *evidence.Snapshot) { s.Targets[0].Identity.Alive, s.Targets[0].Processes = false, nil }, Ghost, true},
		{"running, not read in time", func(s *evidence.Snapshot) {
			s.Targets[0].Processes, s.Targets[0].Gaps = nil, []evidence.Gap{{Path: "/proc/100/status", Kind: evidence.GapTimeout}}
		}, Unknown, false},
		{"forgotten", func(s *evidence.Snapshot) { s.Targets[0].Kind = evidence.KindOrphan }, Ghost, false},
		{"not of this kernel", func(s *evidence.Snapshot) { s.Targets[0].Identity.Here = false }, Unknown, false},
		{"inspect hangs", func(s *evidence.Snapshot) {
			s.Host.Engine = &evidence.Engine{Name: "docker"}
			s.Targets[0].Container.Inspected = false
			s.Targets[0].Container.InspectTrouble = evidence.GapTimeout
		}, Stuck, true},
		{"engine silent", func(s *evidence.Snapshot) { s.Host.Engine = &evidence.Engine{Name: "docker", Trouble: "timeout"} }, Stuck, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "pause"})
			c.change(s)
			got := Judge(s, Options{}).Containers[0]
			if got.Verdict != c.verdict || (got.Stop != nil) != c.stop {
				t.Errorf("got %s, stop %v (%s); want %s, stop %v", got.Verdict, got.Stop, got.Headline, c.verdict, c.stop)
			}
		})
	}
}

// TestKillSignal: `docker kill -s SIG`.
func TestKillSignal(t *testing.T) {
	base := proc{pid: 100, ns: 1, call: "pause"}
	cases := []struct {
		name    string
		procs   []proc
		sig     int
		outcome string
		by      []int
	}{
		{"handler", []proc{with(base, func(q *proc) { q.cgt = []int{evidence.SIGHUP} })}, evidence.SIGHUP, "handled", []int{100}},
		{"no handler, PID 1", []proc{base}, evidence.SIGHUP, "discarded", nil},
		{"ignored", []proc{with(base, func(q *proc) { q.ign = []int{evidence.SIGHUP} })}, evidence.SIGHUP, "ignored", nil},
		{"blocked", []proc{with(base, func(q *proc) { q.blk = []int{evidence.SIGHUP} })}, evidence.SIGHUP, "blocked", nil},
		{"not PID 1", []proc{with(base, func(q *proc) { q.ns = 0 })}, evidence.SIGHUP, "dies", []int{100}},
		{"behind tini", []proc{tini, with(app, func(q *proc) { q.cgt = []int{evidence.SIGUSR1} })}, evidence.SIGUSR1, "handled", []int{110}},
		{"behind tini, default", []proc{tini, plainApp}, evidence.SIGUSR1, "dies", []int{110}},
		{"SIGSTOP is forced on PID 1", []proc{base}, evidence.SIGSTOP, "stops", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.procs...), Options{Kill: c.sig}).Containers[0].Signal
			if got.Outcome != c.outcome || !slices.Equal(got.ReceivedBy, append([]int{}, c.by...)) {
				t.Errorf("got %s by %v (%s), want %s by %v", got.Outcome, got.ReceivedBy, got.Effect, c.outcome, c.by)
			}
		})
	}
}

// TestSettings: restart policy, removal, odd stop signals.
func TestSettings(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, call: "pause", cgt: []int{tTERM, evidence.SIGINT}})
	k := s.Targets[0].Container
	k.RestartPolicy, k.StopSignal = "always", "SIGTERM"
	if got := Judge(s, Options{Signal: evidence.SIGHUP}).Containers[0].Stop.Then; got != "stays" {
		t.Errorf("another signal that is dropped, so that SIGKILL follows: then %s, want stays", got)
	}
	if got := Judge(s, Options{Signal: evidence.SIGINT}).Containers[0].Stop; got.SignalSource != "flag" {
		t.Errorf("the signal's source: %q", got.SignalSource)
	}
	if got := Judge(s, Options{}).Containers[0].Stop; got.SignalSource != "container" {
		t.Errorf("the signal's source: %q", got.SignalSource)
	}
	if got := Judge(s, Options{Signal: evidence.SIGINT}).Containers[0].Stop.Then; got != "restarted" {
		t.Errorf("another signal under restart always: then %s, want restarted", got)
	}
	if got := Judge(s, Options{}).Containers[0].Stop.Then; got != "stays" {
		t.Errorf("its own signal: then %s, want stays", got)
	}
	k.AutoRemove = true
	if got := Judge(s, Options{}).Containers[0].Stop.Then; got != "removed" {
		t.Errorf("auto remove: then %s", got)
	}
	k.StopSignal = "SIGNONSENSE"
	got := Judge(s, Options{}).Containers[0]
	if got.Stop.Signal != "SIGTERM" || !slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS501" }) {
		t.Errorf("unparsable stop signal: %s, %v", got.Stop.Signal, got.Findings)
	}
}

// TestHostileNames: nothing from a container stands in a command or patch that
// could be pasted.
func TestHostileNames(t *testing.T) {
	s := snapshot(dash, with(app, func(q *proc) { q.argv = []string{"app\x1b[2J", "$(rm -rf /)"} }))
	s.Targets[0].Container.Name = "web; rm -rf /"
	for _, f := range Judge(s, Options{}).Containers[0].Findings {
		for _, x := range f.Fixes {
			if strings.Contains(x.Command, "rm -rf") || strings.Contains(x.Patch, "\x1b") {
				t.Errorf("%s prints a hostile command: %q %q", f.Code, x.Command, x.Patch)
			}
		}
	}
}

// TestTitles: every rule has a title and a severity.
func TestTitles(t *testing.T) {
	for code, x := range titles {
		if len(code) != 5 || x.title == "" || x.severity == "" {
			t.Errorf("%s: %+v", code, x)
		}
	}
}
