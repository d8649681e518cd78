package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

// require skips where the iterator cannot be had. Root alone is not enough: the
// machine's kernel may lack BTF.
func require(t testing.TB) {
	t.Helper()
	bed.Require(t, "root")
	if err := Available(); err != nil {
		if strings.Contains(os.Getenv(bed.RequireEnv), "root") {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: %v", err)
	}
}

// states builds testdata/states.c.
func states(t testing.TB) string {
	t.Helper()
	bed.Require(t, "gcc")
	bin := filepath.Join(t.TempDir(), "states")
	out, err := exec.Command("gcc", "-O1", "-static", "-pthread", "-o", bin, "testdata/states.c").CombinedOutput()
	if err != nil {
		t.Fatalf("building testdata/states.c: %v\n%s", err, out)
	}
	return bin
}

// start runs a command until the test ends, and returns its PID.
func start(t testing.TB, attr *syscall.SysProcAttr, argv ...string) int {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// settle waits until the look at pid is as ok wants it.
func settle(t testing.TB, s *Session, pid int, ok func(evidence.Process) bool) evidence.Process {
	t.Helper()
	var p evidence.Process
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		p = look(t, s, pid)
		if p.Kernel != nil && ok(p) {
			return p
		}
	}
	t.Fatalf("PID %d never came into the state; last seen %+v", pid, p.Kernel)
	return p
}

// look takes from /proc what the package needs, and adds the kernel's evidence.
func look(t testing.TB, s *Session, pid int) evidence.Process {
	t.Helper()
	p := evidence.Process{PID: pid}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	p.State = string(fields[0])
	p.StartTicks, _ = strconv.ParseUint(string(fields[19]), 10, 64)
	tids, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, dir := range tids {
		tid, _ := strconv.Atoi(filepath.Base(dir))
		wchan, _ := os.ReadFile(dir + "/wchan")
		w := string(wchan)
		p.Tasks = append(p.Tasks, evidence.Task{TID: tid, Wchan: &w})
	}
	target := &evidence.Target{Processes: []evidence.Process{p}}
	if err := s.Annotate(context.Background(), []*evidence.Target{target}); err != nil {
		t.Fatal(err)
	}
	return target.Processes[0]
}

func session(t testing.TB) *Session {
	t.Helper()
	require(t)
	s := Start(context.Background())
	t.Cleanup(s.Close)
	return s
}

func leader(p evidence.Process) evidence.KernelTask {
	for _, k := range p.Kernel.Tasks {
		if k.TID == p.PID {
			return k
		}
	}
	return evidence.KernelTask{}
}

const (
	term = 1 << (evidence.SIGTERM - 1)
	usr1 = 1 << (evidence.SIGUSR1 - 1)
)

func handles(name string) func(evidence.Process) bool {
	return func(p evidence.Process) bool { _, ok := p.Kernel.Handlers[name]; return ok && p.State == "S" }
}

func sleeps(p evidence.Process) bool {
	return p.State == "S" && leader(p).RealBlocked|leader(p).Blocked != 0
}

func inSigtimedwait(p evidence.Process) bool {
	return len(p.Tasks) > 0 && strings.HasPrefix(*p.Tasks[0].Wchan, "do_sigtimedwait")
}

func TestHandlerFlags(t *testing.T) {
	s, bin := session(t), states(t)
	for mode, want := range map[string]uint64{"resethand": 0x80000000, "restart": 0x10000000} {
		p := settle(t, s, start(t, nil, bin, mode), handles("SIGTERM"))
		const public = 0xd0000000 // RESETHAND, NODEFER, RESTART: libc adds others
		if h := p.Kernel.Handlers["SIGTERM"]; h.Flags&public != want || h.Address == 0 {
			t.Errorf("%s: %+v, want flags %#x", mode, h, want)
		}
		wantLast := mode == "restart"
		if h, ok := p.Kernel.Handlers["SIGRTMAX"]; ok != wantLast || ok && h.Flags&public != 0x40000000 {
			t.Errorf("%s: SIGRTMAX %+v, %v: the last of the 64", mode, h, ok)
		}
		if gaps := s.Resolve(context.Background(), &p, evidence.SIGTERM); len(gaps) > 0 {
			t.Errorf("%s: gaps %v", mode, gaps)
		}
		if h := p.Kernel.Handlers["SIGTERM"]; h.Symbol != "on_term" || h.File != bin || h.Offset == 0 {
			t.Errorf("%s: resolved to %+v, want on_term in %s", mode, h, bin)
		}
	}
}

func TestIgnoredIsNotCaught(t *testing.T) {
	s, bin := session(t), states(t)
	p := settle(t, s, start(t, nil, bin, "ignore"), func(p evidence.Process) bool { return p.State == "S" })
	if len(p.Kernel.Handlers) != 0 {
		t.Errorf("handlers %v of a program that ignores SIGTERM", p.Kernel.Handlers)
	}
}

func TestMasks(t *testing.T) {
	s, bin := session(t), states(t)
	cases := []struct {
		mode            string
		blocked, real   evidence.SigSet
		pending, shared evidence.SigSet
		awaited         evidence.SigSet
		notAwaited      bool
	}{
		{mode: "blocked", blocked: term, notAwaited: true},
		{mode: "pending", blocked: term | usr1, pending: usr1, shared: term, notAwaited: true},
		{mode: "sigwait", real: term, awaited: term},
		{mode: "sigwait-half", blocked: usr1, real: term | usr1, awaited: term},
	}
	for _, c := range cases {
		t.Run(c.mode, func(t *testing.T) {
			p := settle(t, s, start(t, nil, bin, c.mode), func(p evidence.Process) bool {
				return sleeps(p) && (c.notAwaited || inSigtimedwait(p))
			})
			k := leader(p)
			if k.Blocked != c.blocked || k.RealBlocked != c.real || k.Pending != c.pending || p.Kernel.SharedPending != c.shared {
				t.Errorf("%+v, shared %v", k, p.Kernel.SharedPending)
			}
			switch got := p.Tasks[0].Awaited; {
			case c.notAwaited && got != nil:
				t.Errorf("awaits %v, but does not wait for signals", *got)
			case !c.notAwaited && (got == nil || *got != c.awaited):
				t.Errorf("awaits %v, want %v", got, c.awaited)
			}
		})
	}
}

// A signal that is awaited without having been blocked is in no mask: it must stay
// unknown, not "awaits nothing".
func TestAwaitedUnblockedIsUnknown(t *testing.T) {
	s, bin := session(t), states(t)
	p := settle(t, s, start(t, nil, bin, "sigwait-open"), inSigtimedwait)
	if p.Tasks[0].Awaited != nil {
		t.Errorf("awaits %v", *p.Tasks[0].Awaited)
	}
	if k := leader(p); k.RealBlocked != 0 || k.Blocked != 0 {
		t.Errorf("%+v", k)
	}
}

func TestStates(t *testing.T) {
	s, bin := session(t), states(t)
	cases := []struct {
		mode, proc string
		want       uint64 // bits that must be set
		not        uint64
	}{
		// TASK_UNINTERRUPTIBLE | TASK_WAKEKILL | TASK_FREEZABLE: dies of SIGKILL.
		{mode: "vfork", proc: "D", want: 0x102},
		{mode: "stopped", proc: "T", want: 0x104}, // TASK_STOPPED
		{mode: "blocked", proc: "S", want: 0x1, not: 0x102},
	}
	for _, c := range cases {
		p := settle(t, s, start(t, nil, bin, c.mode), func(p evidence.Process) bool { return p.State == c.proc })
		if k := leader(p); k.State&c.want != c.want || k.State&c.not != 0 {
			t.Errorf("%s: state %#x, want %#x in it and %#x not", c.mode, k.State, c.want, c.not)
		} else {
			t.Logf("%s: state %#x", c.mode, k.State)
		}
	}
}

func TestInitOfNamespace(t *testing.T) {
	s, bin := session(t), states(t)
	inside := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	for want, attr := range map[bool]*syscall.SysProcAttr{true: inside, false: nil} {
		p := settle(t, s, start(t, attr, bin, "restart"), handles("SIGTERM"))
		if u := p.Kernel.Unkillable; u == nil || *u != want {
			t.Errorf("unkillable %v, want %v", u, want)
		}
		if g := p.Kernel.GroupExit; g == nil || *g {
			t.Errorf("group exit %v", g)
		}
	}
}

// A leader that has exited is a zombie with neither memory nor handlers; the
// group's come from its other threads.
func TestLeaderExited(t *testing.T) {
	s, bin := session(t), states(t)
	p := settle(t, s, start(t, nil, bin, "leaderless"), func(p evidence.Process) bool { return p.State == "Z" })
	if k := leader(p); k.TID != p.PID {
		t.Errorf("the leader is not among %+v", p.Kernel.Tasks)
	}
	if _, ok := p.Kernel.Handlers["SIGTERM"]; !ok || len(p.Kernel.Tasks) != 2 {
		t.Errorf("handlers %v, tasks %+v", p.Kernel.Handlers, p.Kernel.Tasks)
	}
}

func TestLockOwner(t *testing.T) {
	s, bin := session(t), states(t)
	dir := t.TempDir()
	if err := unix.Mount("tracefs", dir, "tracefs", 0, ""); err != nil {
		t.Skipf("SKIPPED: tracefs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	instance := filepath.Join(dir, "instances", fmt.Sprintf("whystuck-test-%d", os.Getpid()))
	if err := os.Mkdir(instance, 0o700); err != nil {
		t.Skipf("SKIPPED: tracefs instance: %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(instance) }) // runs after the program has ended
	p := settle(t, s, start(t, nil, bin, "lock", filepath.Join(instance, "trace_pipe")), func(p evidence.Process) bool {
		return p.State == "D"
	})
	if leader(p).Blocker == 0 {
		t.Skipf("SKIPPED: this kernel does not say who holds a lock (CONFIG_DETECT_HUNG_TASK_BLOCKER)")
	}
	if owner := leader(p).Blocker; owner == p.PID || !hasTID(p, owner) {
		t.Errorf("blocker %d is not the other thread of %+v", owner, p.Kernel.Tasks)
	}
}

func hasTID(p evidence.Process, tid int) bool {
	for _, k := range p.Kernel.Tasks {
		if k.TID == tid {
			return true
		}
	}
	return false
}

func TestNode(t *testing.T) {
	s := session(t)
	bed.Require(t, "node")
	plain := settle(t, s, start(t, nil, "node", "-e", "setInterval(()=>{}, 1e6)"), handles("SIGTERM"))
	listens := settle(t, s, start(t, nil, "node", "-e", "process.on('SIGTERM', ()=>{}); setInterval(()=>{}, 1e6)"),
		func(p evidence.Process) bool {
			return p.State == "S" && p.Kernel.Handlers["SIGTERM"].Flags&0x10000000 != 0
		})
	own, user := plain.Kernel.Handlers["SIGTERM"], listens.Kernel.Handlers["SIGTERM"]
	if own.Flags != 0x84000000 || user.Flags != 0x14000000 {
		t.Errorf("flags %#x and %#x, want 0x84000000 (SA_RESETHAND) and 0x14000000 (SA_RESTART)", own.Flags, user.Flags)
	}
	for _, p := range []evidence.Process{plain, listens} {
		gaps := s.Resolve(context.Background(), &p, evidence.SIGTERM)
		if h := p.Kernel.Handlers["SIGTERM"]; h.Offset == 0 || len(gaps) > 0 {
			t.Errorf("%+v %v", h, gaps)
		} else {
			t.Logf("flags %#x: %q in %s", h.Flags, h.Symbol, h.File)
		}
	}
}

func TestBashTrap(t *testing.T) {
	s := session(t)
	p := settle(t, s, start(t, nil, "bash", "-c", "trap 'exit 0' TERM; read x; true"), handles("SIGTERM"))
	gaps := s.Resolve(context.Background(), &p, evidence.SIGTERM)
	h := p.Kernel.Handlers["SIGTERM"]
	if h.Symbol != "trap_handler" || !strings.HasSuffix(h.File, "/bash") || len(gaps) > 0 {
		t.Errorf("%+v %v, want trap_handler in bash", h, gaps)
	}
}

func TestTini(t *testing.T) {
	s := session(t)
	bed.Require(t, "tini")
	own := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID} // its child ends with it
	p := settle(t, s, start(t, own, "tini", "--", "sleep", "1000"), inSigtimedwait)
	k := leader(p)
	if k.Blocked != 0 || !k.RealBlocked.Has(evidence.SIGTERM) || k.RealBlocked.Has(evidence.SIGSEGV) {
		t.Errorf("%+v", k)
	}
	if a := p.Tasks[0].Awaited; a == nil || *a != k.RealBlocked {
		t.Errorf("awaits %v, want %v", a, k.RealBlocked)
	}
}

// Both ways of walking must give the same.
func TestPassesAgree(t *testing.T) {
	require(t)
	bin := states(t)
	prog, err := load()
	if err != nil {
		t.Fatal(err)
	}
	defer prog.close()
	if !prog.onePID {
		t.Skip("SKIPPED: this kernel cannot walk one process (Linux 6.1)")
	}
	pids := []int{start(t, nil, bin, "restart"), start(t, nil, bin, "sigwait")}
	time.Sleep(200 * time.Millisecond)
	one, err := prog.read(context.Background(), pids)
	if err != nil {
		t.Fatal(err)
	}
	prog.onePID = false
	all, err := prog.read(context.Background(), pids)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one, all, cmp.AllowUnexported(group{}, task{}, action{})); diff != "" || len(one) != len(pids) {
		t.Errorf("%d of %d processes; (-one by one +all at once):\n%s", len(one), len(pids), diff)
	}
}

// More processes than the filter holds, at once and one after the other.
func TestMoreThanTheFilterHolds(t *testing.T) {
	require(t)
	prog, err := load()
	if err != nil {
		t.Fatal(err)
	}
	defer prog.close()
	me := os.Getpid()
	many := func(from int) []int {
		pids := []int{me}
		for n := range int(prog.wanted.MaxEntries()) - 2 {
			pids = append(pids, 1<<23+from+n) // above any PID: PID_MAX_LIMIT is 1<<22
		}
		return pids
	}
	for round, pids := range [][]int{many(0), many(1 << 20), many(0)} {
		got, err := prog.read(context.Background(), pids)
		if err != nil || len(got) != 1 || got[me] == nil {
			t.Fatalf("round %d: %d processes, %v", round, len(got), err)
		}
	}
}

// A reader in a PID namespace of its own (docker in docker) must get the numbers
// that its /proc has, not the first namespace's.
func TestReaderInNamespace(t *testing.T) {
	require(t)
	bed.Require(t, "unshare")
	if os.Getenv("WHYSTUCK_TEST_INSIDE") != "" {
		t.Skip("is inside")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const tests = "^(TestHandlerFlags|TestInitOfNamespace|TestLeaderExited|TestLockOwner|TestPassesAgree)$"
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", exe, "-test.v", "-test.run", tests)
	cmd.Env = append(os.Environ(), "WHYSTUCK_TEST_INSIDE=1")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS")) < 4 {
		t.Errorf("%v\n%s", err, out)
	}
}

// A PID that has become another process must not get that one's handlers.
func TestReusedPID(t *testing.T) {
	s, bin := session(t), states(t)
	p := settle(t, s, start(t, nil, bin, "restart"), handles("SIGTERM"))
	p.StartTicks, p.Kernel.Handlers["SIGTERM"] = p.StartTicks-1, evidence.Handler{Address: p.Kernel.Handlers["SIGTERM"].Address}
	gaps := s.Resolve(context.Background(), &p, evidence.SIGTERM)
	if len(gaps) != 1 || gaps[0].Kind != evidence.GapGone || p.Kernel.Handlers["SIGTERM"].Symbol != "" {
		t.Errorf("resolved %+v, gaps %v", p.Kernel.Handlers["SIGTERM"], gaps)
	}
	p.Kernel = nil
	target := &evidence.Target{Processes: []evidence.Process{p}}
	if err := s.Annotate(context.Background(), []*evidence.Target{target}); err != nil || target.Processes[0].Kernel != nil {
		t.Errorf("annotated with %+v, %v", target.Processes[0].Kernel, err)
	}
}

func TestEndedProcessIsLeftAlone(t *testing.T) {
	s := session(t)
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	target := &evidence.Target{Processes: []evidence.Process{{PID: cmd.Process.Pid}}}
	if err := s.Annotate(context.Background(), []*evidence.Target{target}); err != nil || target.Processes[0].Kernel != nil {
		t.Errorf("%+v, %v", target.Processes[0].Kernel, err)
	}
}

func TestClosedAndCancelled(t *testing.T) {
	require(t)
	target := []*evidence.Target{{Processes: []evidence.Process{{PID: os.Getpid()}}}}
	ctx, cancel := context.WithCancel(context.Background())
	s := Start(ctx)
	if err := s.Annotate(ctx, target); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Annotate(ctx, target); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.Close()
	s.Close()
	if err := s.Annotate(context.Background(), target); err == nil {
		t.Error("a closed session read")
	}
}
