package probe

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestMasks(t *testing.T) {
	cmd, _ := running(t, nil, "masks")
	pid := cmd.Process.Pid
	eventually(t, "pause", func() bool { return asleep(pid) && inCall(t, pid, "pause") })
	p := process(t, lookAtPID(t, pid), pid)
	if p.Signals == nil || !p.Signals.Caught.Has(evidence.SIGTERM) || !p.Signals.Ignored.Has(evidence.SIGHUP) {
		t.Fatalf("signals %+v", p.Signals)
	}
	task := p.Tasks[0]
	if task.Blocked == nil || *task.Blocked != evidence.SetOf(evidence.SIGUSR1) {
		t.Errorf("blocked %v, want SIGUSR1", task.Blocked)
	}
	if !p.Signals.Pending.Has(evidence.SIGUSR1) || p.Signals.Queued < 1 {
		t.Errorf("SIGUSR1 is not pending: %+v", p.Signals)
	}
	if task.Syscall == nil || task.Syscall.Name != "pause" {
		t.Errorf("system call %+v, want pause", task.Syscall)
	}
	if len(p.Argv) != 2 || p.Argv[1] != "masks" || !strings.Contains(p.Exe, "whystuck-lab") {
		t.Errorf("argv %q, exe %q", p.Argv, p.Exe)
	}
	if p.CoreDumping == nil || *p.CoreDumping || p.Seccomp == nil || p.CapEff == nil || len(p.UID) != 4 {
		t.Errorf("core %v seccomp %v caps %v uid %v", p.CoreDumping, p.Seccomp, p.CapEff, p.UID)
	}
}

// The kernel takes awaited signals out of the visible mask, so only the call
// tells a process in sigwait from one that handles nothing.
func TestSigwait(t *testing.T) {
	cmd, _ := running(t, nil, "sigwait")
	var task evidence.Task
	eventually(t, "do_sigtimedwait", func() bool { // a task on its way to sleep has no wchan yet
		task = process(t, lookAtPID(t, cmd.Process.Pid), cmd.Process.Pid).Tasks[0]
		return task.Wchan != nil && bareSymbol(*task.Wchan) == "do_sigtimedwait"
	})
	if task.Syscall == nil || task.Syscall.Name != "rt_sigtimedwait" || task.Syscall.Args[0] == 0 {
		t.Errorf("system call %+v", task.Syscall)
	}
	if *task.Blocked != 0 {
		t.Errorf("blocked %v: this kernel does not hide it any more", task.Blocked)
	}
}

func TestSigwaitInOneThread(t *testing.T) {
	cmd, _ := running(t, nil, "sigwait-thread")
	eventually(t, "both threads asleep", func() bool {
		p := process(t, lookAtPID(t, cmd.Process.Pid), cmd.Process.Pid)
		var calls []string
		for _, task := range p.Tasks {
			if task.Syscall != nil {
				calls = append(calls, task.Syscall.Name)
			}
		}
		slices.Sort(calls)
		return slices.Equal(calls, []string{"pause", "rt_sigtimedwait"})
	})
}

func TestSignalFD(t *testing.T) {
	tests := map[string]struct {
		call    string
		watched *bool
		how     string
	}{
		"read":   {"read", ptr(true), "read"},
		"epoll":  {"epoll_wait", ptr(true), "epoll"},
		"nested": {"epoll_wait", ptr(true), "epoll"},
		"other":  {"epoll_wait", ptr(false), ""},
		"none":   {"pause", ptr(false), ""},
		"poll":   {"poll", nil, "poll"},
	}
	for how, want := range tests {
		t.Run(how, func(t *testing.T) {
			cmd, words := running(t, nil, "signalfd", how)
			pid := cmd.Process.Pid
			eventually(t, "sleep", func() bool { return asleep(pid) && inCall(t, pid, want.call) })
			p := process(t, lookAtPID(t, pid), pid)
			if len(p.SignalFDs) != 1 {
				t.Fatalf("signalfds %+v", p.SignalFDs)
			}
			got := p.SignalFDs[0]
			if strconv.Itoa(got.FD) != words[0] || got.Mask != evidence.SetOf(evidence.SIGTERM, evidence.SIGINT) {
				t.Errorf("fd %d mask %v, want fd %s", got.FD, got.Mask, words[0])
			}
			if (got.Watched == nil) != (want.watched == nil) || on(got.Watched) != on(want.watched) || got.How != want.how {
				t.Errorf("watched %v by %q, want %v by %q", got.Watched, got.How, want.watched, want.how)
			}
		})
	}
}

func TestVforkParentGetsASecondLook(t *testing.T) {
	cmd, _ := running(t, nil, "vfork")
	pid := cmd.Process.Pid
	eventually(t, "D", func() bool { return stateOf(pid) == "D" })
	target := lookAtPID(t, pid)
	p := process(t, target, pid)
	task := p.Tasks[0]
	if task.State != "D" || task.Again == nil || task.Again.State != "D" || task.Again.Moved {
		t.Fatalf("task %+v, again %+v", task, task.Again)
	}
	if task.Again.AfterMillis < 25 {
		t.Errorf("second look after %d ms", task.Again.AfterMillis)
	}
	if len(target.Processes) != 2 {
		t.Errorf("%d processes, want the child too", len(target.Processes))
	}
	if os.Geteuid() == 0 && len(task.Stack) == 0 {
		t.Error("no stack of a D task as root")
	}
	if p.Argv != nil || p.Exe != "" || gapOf(target, evidence.GapSkipped, "cmdline") == nil {
		t.Errorf("the memory of a D process was read: argv %q; gaps %+v", p.Argv, target.Gaps)
	}
}

func TestStopped(t *testing.T) {
	cmd := child(t, nil, "sleep", "60")
	pid := cmd.Process.Pid
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "T", func() bool { return stateOf(pid) == "T" })
	p := process(t, lookAtPID(t, pid), pid)
	if p.State != "T" || p.Tasks[0].Again != nil {
		t.Errorf("%+v", p)
	}
}

func TestZombieLeader(t *testing.T) {
	cmd, _ := running(t, nil, "zombie")
	pid := cmd.Process.Pid
	var p *evidence.Process
	eventually(t, "Z, and the thread asleep", func() bool {
		p = process(t, lookAtPID(t, pid), pid)
		return p.State == "Z" && len(p.Tasks) == 2 && p.Tasks[1].State == "S"
	})
	if p.State != "Z" || p.Threads != 2 || len(p.Tasks) != 2 {
		t.Fatalf("state %s, %d threads, tasks %+v", p.State, p.Threads, p.Tasks)
	}
	if p.Tasks[0].State != "Z" || p.Tasks[1].State != "S" || p.Tasks[1].Syscall == nil {
		t.Errorf("tasks %+v", p.Tasks)
	}
	if p.Argv != nil {
		t.Error("the memory of a dying process was read")
	}
}

func TestOddName(t *testing.T) {
	cmd, _ := running(t, nil, "name")
	p := process(t, lookAtPID(t, cmd.Process.Pid), cmd.Process.Pid)
	if want := "a) S 1\n(\\x"; p.Comm != want || p.Tasks[0].Comm != want {
		t.Errorf("comm %q and %q, want %q", p.Comm, p.Tasks[0].Comm, want)
	}
	if p.PPID != os.Getpid() {
		t.Errorf("parent %d, want %d", p.PPID, os.Getpid())
	}
}

func TestBusy(t *testing.T) {
	cmd, _ := running(t, nil, "spin")
	p := process(t, lookAtPID(t, cmd.Process.Pid), cmd.Process.Pid)
	task := p.Tasks[0]
	if task.State != "R" || task.Again == nil || task.Wchan == nil || *task.Wchan != "" {
		t.Errorf("task %+v", task)
	}
	if task.Syscall != nil && !task.Syscall.Running && task.Syscall.NR != -1 {
		t.Errorf("system call %+v of a busy task", task.Syscall)
	}
}

func TestThreadIDNamesItsProcess(t *testing.T) {
	cmd, _ := running(t, nil, "threads", "3")
	pid := cmd.Process.Pid
	tids, _, err := numbers(fmt.Sprintf("/proc/%d/task", pid), 10)
	if err != nil || len(tids) != 4 {
		t.Fatalf("threads %v, %v", tids, err)
	}
	target := lookAtPID(t, tids[3])
	if target.PID != pid || len(process(t, target, pid).Tasks) != 4 {
		t.Errorf("PID %d, want %d", target.PID, pid)
	}
}

func TestNoSuchProcess(t *testing.T) {
	cmd := child(t, nil, "true")
	_ = cmd.Wait()
	_, err := New(Config{}).PID(context.Background(), "x", cmd.Process.Pid)
	if err == nil || err.Error() != fmt.Sprintf("no such process: %d", cmd.Process.Pid) {
		t.Errorf("error %v", err)
	}
}

// A process of the host's own namespace is judged with what it started, in
// whatever namespace and by whatever thread.
func TestDescendants(t *testing.T) {
	needRoot(t)
	cmd, _ := running(t, nil, "tree")
	pid := cmd.Process.Pid
	var target *evidence.Target
	eventually(t, "four processes", func() bool {
		target = lookAtPID(t, pid)
		return len(target.Processes) == 4
	})
	if target.Kind != evidence.KindProcess || target.PID != pid || !on(target.HostPIDNS) {
		t.Errorf("kind %s, PID %d, host %v", target.Kind, target.PID, target.HostPIDNS)
	}
	nested := 0
	for _, p := range target.Processes {
		if len(p.NSPIDs) == 2 && p.NSPID() == 1 {
			nested++
		}
	}
	if nested != 1 {
		t.Errorf("%d processes of a nested namespace, want 1", nested)
	}
}

// Any member leads to the whole namespace, one that joined from outside too.
func TestPIDNamespace(t *testing.T) {
	needRoot(t)
	init, _ := running(t, pidNamespace(), "tree")
	guest, words := running(t, nil, "join", strconv.Itoa(init.Process.Pid))
	joined, _ := strconv.Atoi(words[0])
	for _, asked := range []int{init.Process.Pid, joined} {
		target := lookAtPID(t, asked)
		if target.Kind != evidence.KindPIDNS || target.PID != init.Process.Pid || on(target.HostPIDNS) {
			t.Fatalf("kind %s, PID %d, want %d, host %v", target.Kind, target.PID, init.Process.Pid, target.HostPIDNS)
		}
		if p := process(t, target, guest.Process.Pid); !p.Outside || len(target.Processes) != 6 {
			t.Errorf("%d processes, want tree's four, the guest and its parent outside", len(target.Processes))
		}
		if p := process(t, target, joined); p.PPID != guest.Process.Pid || p.Outside {
			t.Errorf("guest %+v", p)
		}
	}
}

func TestContainerByCgroup(t *testing.T) {
	needRoot(t)
	init, _ := running(t, pidNamespace(), "tree")
	guest, words := running(t, nil, "join", strconv.Itoa(init.Process.Pid))
	execd, _ := strconv.Atoi(words[0])
	cgroupFor(t, anyHierarchy(), init.Process.Pid, execd)
	target := lookAt(t, init.Process.Pid)
	id := target.Identity
	if !id.Alive || !id.Here || !on(id.CgroupMatches) || id.StartMatches != nil || id.Vanished {
		t.Errorf("identity %+v", id)
	}
	if target.HostPIDNS == nil || *target.HostPIDNS {
		t.Errorf("host PID namespace: %v", target.HostPIDNS)
	}
	if got := process(t, target, execd); got.Outside || got.PPID != guest.Process.Pid {
		t.Errorf("exec'd process %+v", got)
	}
	// The parent outside alone will reap the exec'd one, and is named.
	if got := process(t, target, guest.Process.Pid); !got.Outside || len(target.Processes) != 3 {
		t.Errorf("%d processes, want the cgroup's two and the parent outside: nothing warrants a scan", len(target.Processes))
	}
}

func TestFrozenV1(t *testing.T) {
	needRoot(t)
	need(t, "cgroup v1 freezer", exists("/sys/fs/cgroup/freezer/cgroup.procs"))
	cmd := child(t, pidNamespace(), "sleep", "60")
	dir := cgroupFor(t, "freezer", cmd.Process.Pid)
	parent := dir[:strings.LastIndex(dir, "/")]
	set := func(dir, state string) {
		if err := os.WriteFile(dir+"/freezer.state", []byte(state), 0); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string, self, above bool, by string) {
		t.Helper()
		var c *evidence.Cgroup
		eventually(t, name+" frozen", func() bool {
			c = lookAt(t, cmd.Process.Pid).Cgroup
			return c.Freezer == "FROZEN"
		})
		if stateOf(cmd.Process.Pid) != "D" || on(c.SelfFreezing) != self || on(c.ParentFreezing) != above || !strings.HasSuffix(by, c.FrozenBy) || c.FrozenBy == "" {
			t.Errorf("%s: %+v, self %v, parent %v", name, c, on(c.SelfFreezing), on(c.ParentFreezing))
		}
	}
	t.Cleanup(func() { set(dir, "THAWED"); set(parent, "THAWED") })
	set(dir, "FROZEN")
	check("itself", true, false, dir)
	set(dir, "THAWED")
	set(parent, "FROZEN")
	check("parent", false, true, parent)
	set(parent, "THAWED")
	if c := lookAt(t, cmd.Process.Pid).Cgroup; c.Freezer != "THAWED" || c.FrozenBy != "" {
		t.Errorf("thawed: %+v", c)
	}
}

func TestFrozenV2(t *testing.T) {
	needRoot(t)
	h := anyHierarchy()
	need(t, "cgroup v2", h != "freezer")
	cmd := child(t, pidNamespace(), "sleep", "60")
	dir := cgroupFor(t, h, cmd.Process.Pid)
	parent := dir[:strings.LastIndex(dir, "/")]
	if c := lookAt(t, cmd.Process.Pid).Cgroup; c.FreezeV2 == nil || *c.FreezeV2 || c.FrozenV2 == nil || *c.FrozenV2 {
		t.Errorf("before: %+v", c)
	}
	t.Cleanup(func() { _ = os.WriteFile(parent+"/cgroup.freeze", []byte("0"), 0) })
	if err := os.WriteFile(parent+"/cgroup.freeze", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "frozen", func() bool {
		c := lookAt(t, cmd.Process.Pid).Cgroup
		return on(c.FreezeV2) && on(c.FrozenV2) && c.FrozenBy != "" && strings.HasSuffix(parent, c.FrozenBy)
	})
}

// An init that dies waits for whoever joined its namespace: a zombie in no
// cgroup of the container, whose parent outside does not reap it.
func TestInitWaitsForAGuest(t *testing.T) {
	needRoot(t)
	init := child(t, pidNamespace(), "sleep", "60")
	pid := init.Process.Pid
	dir := cgroupFor(t, anyHierarchy(), pid)
	guest, words := running(t, nil, "join", strconv.Itoa(pid))
	zombie, _ := strconv.Atoi(words[0])
	if err := init.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "zap", func() bool { return stateOf(zombie) == "Z" })
	target := lookAt(t, pid)
	t.Cleanup(func() { _ = guest.Process.Kill() }) // before the init's own wait
	p := process(t, target, pid)
	if p.Flags&pfExiting == 0 || !slices.Contains(p.Tasks[0].Stack, "zap_pid_ns_processes") {
		t.Errorf("init flags %#x, stack %v", p.Flags, p.Tasks[0].Stack)
	}
	if z := process(t, target, zombie); !z.Outside || z.State != "Z" || z.PIDNS != p.PIDNS {
		t.Errorf("guest %+v", z)
	}
	if g := process(t, target, guest.Process.Pid); !g.Outside {
		t.Errorf("the guest's parent %+v", g)
	}
	if target.Cgroup == nil || !strings.HasSuffix(dir, target.Cgroup.Path) {
		t.Errorf("cgroup %+v", target.Cgroup)
	}
	if !target.Identity.Here || !target.Identity.Alive {
		t.Errorf("identity %+v", target.Identity)
	}
}

func TestTracer(t *testing.T) {
	cmd := child(t, nil, "sleep", "60")
	tracer, _ := running(t, nil, "trace", strconv.Itoa(cmd.Process.Pid))
	target := lookAtPID(t, cmd.Process.Pid)
	p := process(t, target, cmd.Process.Pid)
	if p.State != "t" || p.TracerPID != tracer.Process.Pid || !strings.HasPrefix(p.TracerComm, "whystuck-lab") {
		t.Errorf("state %s, tracer %d %q", p.State, p.TracerPID, p.TracerComm)
	}
	if a := p.Tasks[0].Again; a == nil || a.State != "t" || a.Moved {
		t.Errorf("it is held, and the second look says %+v", a)
	}
	if q := process(t, target, tracer.Process.Pid); !q.Outside || len(q.Tasks) != 1 {
		t.Errorf("tracer %+v", q)
	}
}

func TestIdentity(t *testing.T) {
	needRoot(t)
	cmd := child(t, pidNamespace(), "sleep", "60")
	pid := cmd.Process.Pid
	look := func(start uint64) *evidence.Target {
		target := &evidence.Target{PID: pid, Container: &evidence.Container{ID: containerID, PID: pid, RuntimeStart: start}}
		New(Config{}).Container(context.Background(), target)
		return target
	}
	foreign := look(0)
	if id := foreign.Identity; id.Here || !strings.Contains(id.Reason, "another process") || len(foreign.Processes) != 0 {
		t.Errorf("a PID of another kernel: %+v, %d processes", id, len(foreign.Processes))
	}
	start := lookAtPID(t, pid).Processes[0].StartTicks
	if id := look(start).Identity; !id.Here || !id.Alive || !on(id.StartMatches) {
		t.Errorf("start as recorded: %+v", id)
	}
	if id := look(start + 1).Identity; !id.Here || id.Alive || on(id.StartMatches) || id.Reason == "" {
		t.Errorf("a number that was given away: %+v", id)
	}
	usual := New(Config{}).mountOf(map[string]string{"unified": "", ".": "", "freezer": "freezer"}[anyHierarchy()])
	dir := usual + "/machine.slice/libpod-" + containerID + ".scope"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir); _ = os.Remove(usual + "/machine.slice") })
	if id := look(0).Identity; !id.Here || id.Alive {
		t.Errorf("its cgroup is here, but the PID is not in it: %+v", id)
	}
}

// An init that ends while we look is no ghost: the engine has to be asked again.
func TestEndsDuringTheLook(t *testing.T) {
	needRoot(t)
	init := child(t, pidNamespace(), "sleep", "0.3")
	busy, _ := running(t, nil, "spin") // brings about the second look
	cgroupFor(t, anyHierarchy(), init.Process.Pid, busy.Process.Pid)
	done := make(chan error, 1)
	target := &evidence.Target{PID: init.Process.Pid, Container: &evidence.Container{ID: containerID}}
	go func() { done <- init.Wait() }()
	New(Config{Interval: 700 * time.Millisecond}).Container(context.Background(), target)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if id := target.Identity; id.Alive || !id.Vanished || gapOf(target, evidence.GapGone, "proc/N") == nil {
		t.Errorf("identity %+v, gaps %+v", id, target.Gaps)
	}
	if len(target.Processes) != 1 || target.Processes[0].PID != busy.Process.Pid {
		t.Errorf("%d processes", len(target.Processes))
	}
}

// --pid=container:X: who shares the namespace is seen, as an outsider.
func TestSharedNamespace(t *testing.T) {
	needRoot(t)
	other, _ := running(t, pidNamespace(), "masks")
	_, words := running(t, nil, "join", strconv.Itoa(other.Process.Pid))
	pid, _ := strconv.Atoi(words[0])
	cgroupFor(t, anyHierarchy(), pid)
	target := &evidence.Target{PID: pid, Container: &evidence.Container{ID: containerID, PidMode: "container:x"}}
	New(Config{}).Container(context.Background(), target)
	if p := process(t, target, other.Process.Pid); !p.Outside || p.NSPID() != 1 {
		t.Errorf("the other container's init %+v", p)
	}
	if p := process(t, target, pid); p.Outside {
		t.Errorf("member %+v", p)
	}
}

func TestGone(t *testing.T) {
	cmd := child(t, nil, "true")
	_ = cmd.Wait()
	target := lookAt(t, cmd.Process.Pid)
	if id := target.Identity; id.Alive || id.Here || id.Reason == "" {
		t.Errorf("%+v", id)
	}
}

func TestHost(t *testing.T) {
	h := New(Config{}).Host()
	if h.Kernel == "" || h.Arch == "" || h.UptimeTicks == 0 || h.EUID != os.Geteuid() {
		t.Errorf("%+v", h)
	}
	start := lookAtPID(t, os.Getpid()).Processes[0].StartTicks
	age := time.Duration(New(Config{}).Host().UptimeTicks-start) * 10 * time.Millisecond
	if age < 0 || age > time.Hour {
		t.Errorf("by uptime and start ticks this test is %v old", age)
	}
}

// A process that has joined the namespace from outside is seen by the survey, with
// its parent, and without it not: a healthy container does not pay for a scan.
func TestSurvey(t *testing.T) {
	needRoot(t)
	init, _ := running(t, pidNamespace(), "masks")
	_, words := running(t, nil, "join", strconv.Itoa(init.Process.Pid))
	joined, _ := strconv.Atoi(words[0])
	cgroupFor(t, anyHierarchy(), init.Process.Pid)
	for _, survey := range []bool{false, true} {
		p := New(Config{})
		if survey {
			p.Survey(context.Background())
		}
		target := &evidence.Target{PID: init.Process.Pid, Container: &evidence.Container{ID: containerID}}
		p.Container(context.Background(), target)
		i := slices.IndexFunc(target.Processes, func(q evidence.Process) bool { return q.PID == joined })
		if survey && !p.survey.Wait().whole {
			t.Skip("the host has more processes than a survey goes through")
		}
		if survey != (i >= 0) {
			t.Fatalf("survey %v: the newcomer is process %d of %d", survey, i, len(target.Processes))
		}
		if survey && (!target.Processes[i].Outside || !slices.ContainsFunc(target.Processes, func(q evidence.Process) bool { return q.PID == target.Processes[i].PPID })) {
			t.Errorf("newcomer %+v, or its parent is not there", target.Processes[i])
		}
	}
}

// Where no cgroup can be seen a whole survey takes the place of a scan of the host
// for each container.
func TestSurveyWithoutCgroups(t *testing.T) {
	needRoot(t)
	init, _ := running(t, pidNamespace(), "masks")
	_, words := running(t, nil, "join", strconv.Itoa(init.Process.Pid))
	joined, _ := strconv.Atoi(words[0])
	cgroupFor(t, anyHierarchy(), init.Process.Pid)
	for _, c := range []struct{ whole, empty, found bool }{{true, false, true}, {false, true, true}, {true, true, false}} {
		p := New(Config{Sys: t.TempDir()})
		p.Survey(context.Background())
		p.survey.Wait().whole = c.whole
		if c.empty {
			p.survey.Wait().byNS = nil
		}
		target := &evidence.Target{PID: init.Process.Pid, Container: &evidence.Container{ID: containerID}}
		p.Container(context.Background(), target)
		if found := slices.ContainsFunc(target.Processes, func(q evidence.Process) bool { return q.PID == joined }); found != c.found {
			t.Errorf("%+v: found %v, among %d", c, found, len(target.Processes))
		}
	}
}

// BenchmarkSurvey is what the look for newcomers costs, beside the engine's answer.
func BenchmarkSurvey(b *testing.B) {
	for b.Loop() {
		p := New(Config{})
		p.Survey(context.Background())
		p.survey.Wait()
	}
}
