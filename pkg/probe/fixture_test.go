package probe

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// tree writes a small /proc and /sys: one oddity each.
func tree(t *testing.T, files map[string]string) Config {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := cutPrefix(text, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Config{Proc: root + "/proc", Sys: root + "/sys"}
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):], true
	}
	return s, false
}

const (
	path64     = "/docker/" + containerID
	groupDir   = "sys/fs/cgroup" + path64
	gvisorText = "Name:\tsh\nState:\tS (sleeping)\nTgid:\t5\nPid:\t5\nPPid:\t4\nTracerPid:\t0\nFDSize:\t0\nThreads:\t1\nCapEff:\t00000000a80425fb\nSeccomp:\t0\n"
)

// base is a container of one process, as a v2 host shows it.
func base() map[string]string {
	return map[string]string{
		"proc/5/stat":                      "5 (sh)" + statTail,
		"proc/5/status":                    statusFull,
		"proc/5/cgroup":                    "0::" + path64 + "\n",
		"proc/5/wchan":                     "do_wait",
		"proc/5/syscall":                   "61 0xffffffffffffffff 0x0 0x0 0x0 0x0 0x0 0x7ffc00000000 0x7f0000000000\n",
		"proc/5/stack":                     "[<0>] do_wait+0x1/0x2\n",
		"proc/5/cmdline":                   "sh\x00-c\x00true\x00",
		"proc/5/exe":                       "-> /bin/dash",
		"proc/5/ns/pid":                    "-> pid:[4026532000]",
		"proc/5/task/5/status":             statusFull,
		"proc/self/ns/pid":                 "-> pid:[4026531836]",
		"sys/fs/cgroup/cgroup.controllers": "cpu\n",
		groupDir + "/cgroup.procs":         "5\n",
		groupDir + "/cgroup.freeze":        "0\n",
		groupDir + "/cgroup.events":        "populated 1\nfrozen 0\n",
	}
}

func lookAtTree(t *testing.T, files map[string]string) *evidence.Target {
	t.Helper()
	target := &evidence.Target{PID: 5, Container: &evidence.Container{ID: containerID, PID: 5}}
	New(tree(t, files)).Container(context.Background(), target)
	return target
}

func TestFixtureBase(t *testing.T) {
	target := lookAtTree(t, base())
	p := process(t, target, 5)
	if p.Comm != "sh" || p.Exe != "/bin/dash" || len(p.Argv) != 3 || p.PIDNS != 4026532000 || p.Signals == nil {
		t.Errorf("%+v", p)
	}
	if target.HostPIDNS == nil || *target.HostPIDNS || target.Cgroup.Path != path64 || target.Cgroup.FreezeV2 == nil {
		t.Errorf("host %v, cgroup %+v", target.HostPIDNS, target.Cgroup)
	}
	if p.Tasks[0].Syscall.Name != "wait4" || p.Tasks[0].Stack != nil {
		t.Errorf("task %+v", p.Tasks[0])
	}
}

func TestFixtureGVisor(t *testing.T) {
	files := base()
	files["proc/5/status"] = gvisorText
	for _, name := range []string{"wchan", "syscall", "stack"} {
		delete(files, "proc/5/"+name)
	}
	target := lookAtTree(t, files)
	p := process(t, target, 5)
	if p.Signals != nil || p.Tasks[0].Blocked != nil || p.CoreDumping != nil || p.Tasks[0].Wchan != nil || p.Tasks[0].Syscall != nil {
		t.Errorf("what the kernel did not say is there: %+v", p)
	}
	for _, file := range []string{"status", "wchan", "syscall", "stack"} {
		if gapOf(target, evidence.GapAbsent, file) == nil {
			t.Errorf("no gap for %s: %+v", file, target.Gaps)
		}
	}
}

func TestFixtureTruncated(t *testing.T) {
	for _, cut := range []int{0, 1, 5, 60, 200, len(statusFull) - 200} {
		files := base()
		files["proc/5/status"] = statusFull[:cut]
		files["proc/5/syscall"] = "61 0xff"
		target := lookAtTree(t, files)
		p := process(t, target, 5)
		if p.State != "S" || p.Threads == 0 || p.Signals != nil && cut < 200 {
			t.Errorf("cut at %d: %+v", cut, p)
		}
		if gapOf(target, evidence.GapAbsent, "syscall") == nil {
			t.Errorf("cut at %d: %+v", cut, target.Gaps)
		}
	}
}

func TestFixtureStatCut(t *testing.T) {
	files := base()
	files["proc/5/stat"] = "5 (sh)"
	if target := lookAtTree(t, files); len(target.Processes) != 0 {
		t.Errorf("%+v", target.Processes)
	}
}

// A dying init has left its v1 cgroups; a cgroup "/" must not make every process
// of the host a member.
func TestFixtureDyingInitOnV1(t *testing.T) {
	files := base()
	delete(files, "sys/fs/cgroup/cgroup.controllers")
	files["proc/5/stat"] = "5 (sh) S 4 5 5 0 -1 4194564 0 0 0 0 0 0 0 0 20 0 1 0 266203 0 0 0\n" // PF_EXITING
	files["proc/5/cgroup"] = "4:freezer:/\n3:memory:/\n"
	files["proc/7/stat"] = "7 (other)" + statTail
	files["sys/fs/cgroup/freezer/cgroup.procs"] = "5\n7\n"
	target := lookAtTree(t, files)
	if len(target.Processes) != 1 || !target.Identity.Here || target.Identity.CgroupMatches != nil {
		t.Errorf("%d processes, identity %+v", len(target.Processes), target.Identity)
	}
	if p := process(t, target, 5); p.Argv != nil || gapOf(target, evidence.GapSkipped, "cmdline") == nil {
		t.Errorf("the memory of a dying process was read: %+v", p)
	}
}

// A path that leads out of the observer's cgroup namespace names nothing here.
func TestFixtureCgroupOutside(t *testing.T) {
	files := base()
	files["proc/5/cgroup"] = "0::/../../docker/" + containerID + "\n"
	delete(files, groupDir+"/cgroup.procs")
	target := lookAtTree(t, files)
	if !on(target.Identity.CgroupMatches) || len(target.Processes) != 1 {
		t.Errorf("identity %+v, %d processes", target.Identity, len(target.Processes))
	}
}

func TestFixtureSubgroups(t *testing.T) {
	files := base()
	files["proc/5/cgroup"] = "0::" + path64 + "/init.scope\n"
	files["proc/9/stat"] = "9 (journald)" + statTail
	files[groupDir+"/cgroup.procs"] = ""
	files[groupDir+"/init.scope/cgroup.procs"] = "5\n"
	files[groupDir+"/system.slice/a.service/cgroup.procs"] = "9\n"
	files[groupDir+"/cgroup.freeze"] = "1\n"
	files[groupDir+"/cgroup.events"] = "populated 1\nfrozen 1\n"
	target := lookAtTree(t, files)
	if len(target.Processes) != 2 || target.Cgroup.Path != path64 || !on(target.Cgroup.FreezeV2) || target.Cgroup.FrozenBy != path64 {
		t.Errorf("%d processes, cgroup %+v", len(target.Processes), target.Cgroup)
	}
}

func TestFixtureNothing(t *testing.T) {
	target := lookAtTree(t, nil)
	if target.Identity == nil || target.Identity.Here || target.Identity.Alive {
		t.Errorf("identity %+v", target.Identity)
	}
	if m := New(tree(t, nil)).cgroupMode(); m != "" {
		t.Errorf("cgroup mode %q of a host without", m)
	}
}

// A /proc that hides the processes of others (hidepid) is no proof that they have
// ended: the cgroup lists them.
func TestHiddenProcesses(t *testing.T) {
	files := base()
	for name := range files {
		if _, ok := cutPrefix(name, "proc/5/"); ok {
			delete(files, name)
		}
	}
	target := lookAtTree(t, files)
	if id := target.Identity; !id.Alive || !id.Here || gapOf(target, evidence.GapDenied, "proc/N") == nil {
		t.Errorf("%+v, gaps %+v", id, target.Gaps)
	}
	files[groupDir+"/cgroup.procs"] = ""
	if id := lookAtTree(t, files).Identity; id.Alive {
		t.Errorf("nobody is in its cgroup: %+v", id)
	}
}
