package hang

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

const (
	sure   = "certain likely"
	anyhow = "certain likely assumed"
	stuck  = diagnose.Stuck
)

// scenes are for an engine; outputWaited: it waits for the output of what outlives
// a container's own process, and books no exit before (since 24.0).
func scenes(outputWaited bool) []scene {
	outlived := said{diagnose.Ghost, anyhow, "WS209", nil}
	waited := 0 // 2 or 10 s, by containerd's version
	if outputWaited {
		waited = 1
		outlived = said{stuck, sure, "WS321", []string{"the engine waits for the end of its output"}}
	}
	fuse := func(mode ...string) []string { return append([]string{"-v", "DIR:/mnt", "lab"}, mode...) }
	data := func(mode string) []string { return []string{"-v", "DIR:/data", "lab", "-f", "/data/file", mode} }
	frozen := []string{"/data/file", "ext4", "the file system is frozen", "fsfreeze -u DIR"}
	silent := func(path string) []string {
		return []string{path, "fuse.silent", "whystuck-hang", "hang.test (PID OTHER", "umount -f DIR", "/abort", "kill -KILL OTHER"}
	}
	freezer := func(parent bool) func(*testing.T, *lab, *played) {
		return freezeGroup("/sys/fs/cgroup/freezer", "freezer", "freezer.state", "FROZEN", "THAWED", parent)
	}
	return append(moreScenes(), []scene{
		{name: "frozen-main", run: data("write"), prepare: ext4, after: freeze, docker: commands, fix: "fsfreeze -u",
			before: said{stuck, sure, "WS201", frozen}, dead: said{stuck, "certain", "WS201", frozen}},
		{name: "frozen-child", again: true, run: data("child_write"), prepare: ext4, after: freeze, docker: commands, fix: "fsfreeze -u",
			before: said{stuck, sure, "WS201", frozen}, dead: said{stuck, "certain", "WS205", frozen}},
		// What docker stop returns with a zombie leader is a race.
		{name: "frozen-thread", run: data("thr_write"), prepare: ext4, after: freeze, docker: commands, race: commands[:1], fix: "fsfreeze -u",
			before: said{stuck, sure, "WS201", frozen}, dead: said{stuck, sure, "WS206", frozen}},
		{name: "fuse-lookup", run: fuse("-f", "/mnt/hang-WHO", "stat"), prepare: silentFUSE, docker: commands, fix: "/abort",
			before: said{stuck, "likely", "WS209", silent("/mnt/hang-WHO")}, dead: said{stuck, "certain", "WS209", silent("/mnt/hang-WHO")}},
		{name: "fuse-second", run: fuse("-f", "/mnt/hang", "stat"), prepare: silentFUSE, after: secondLookup, fix: "/abort",
			before: said{stuck, "likely", "WS212", []string{"behind siglab", "container FIRST", "stuck on it now: FIRST", "mounted in: FIRST-idle"}}, dead: said{stuck, "certain", "WS209", silent("/mnt/hang")}},
		// Behind a creat that waits in the same directory; the stack says path_openat.
		{name: "fuse-openat", run: fuse("-f", "/mnt/hang", "stat"), prepare: silentFUSE, after: openBehind, fix: "/abort",
			before: said{stuck, anyhow, "WS212", []string{"behind siglab", "container FIRST"}}, dead: said{stuck, "certain", "WS209", silent("/mnt/read")}},
		{name: "fuse-read", run: fuse("-f", "/mnt/read", "read"), prepare: silentFUSE, docker: commands, fix: "umount -f",
			before: said{stuck, "likely", "WS209", silent("/mnt/read")}, dead: said{stuck, "certain", "WS209", silent("/mnt/read")}},
		{name: "fuse-exec", run: fuse("-f", "/mnt/exec", "exec"), prepare: silentFUSE, fix: "/abort",
			before: said{stuck, "likely", "WS209", silent("/mnt/exec")}, dead: said{stuck, "certain", "WS209", silent("/mnt/exec")}},
		{name: "fuse-child", run: fuse("-f", "/mnt/hang-WHO", "child_stat"), prepare: silentFUSE, docker: commands, fix: "/abort",
			before: said{stuck, "likely", "WS209", silent("/mnt/hang-WHO")}, dead: said{stuck, "certain", "WS205", silent("/mnt/hang-WHO")}},
		{name: "fuse-server", run: fuse("-f", "/mnt/hang", "stat"), prepare: ownServer, fix: "kill -KILL",
			before: said{stuck, "likely", "WS209", silent("/mnt/hang")}, dead: said{stuck, "certain", "WS209", silent("/mnt/hang")}},
		{name: "tracer-stopped", run: []string{"lab", "exit"}, after: hold("trace_hung"), docker: commands, fix: "kill -KILL",
			before: said{stuck, sure, "WS203", []string{"kill -KILL OTHER"}}, dead: said{stuck, "certain", "WS203", []string{"kill -KILL OTHER"}}},
		{name: "tracer-at-exit", run: []string{"lab", "exit"}, after: hold("trace_exit_hung"), docker: commands, fix: "kill -KILL",
			before: said{stuck, sure, "WS203", []string{"kill -KILL OTHER"}}, dead: said{stuck, sure, "WS203", []string{"kill -KILL OTHER"}}},
		{name: "parent-frozen", run: []string{"--cgroup-parent", "/wshang-parent", "lab", "exit"}, after: freezer(true), docker: commands, fix: "THAWED",
			before: said{stuck, "certain", "WS207", nil}, dead: said{stuck, "certain", "WS207", nil}, prepare: ownParent},
		{name: "intruder", run: []string{"lab", "exit"}, after: joinStopped, docker: commands, fix: "kill -CONT",
			before: said{stuck, "likely", "WS215", []string{"kill -CONT OTHER", "will not empty", "outside of the container: stopped"}},
			dead:   said{stuck, "certain", "WS205", []string{"kill -CONT OTHER", "its parent, PID OTHER, is outside the container: siglab", ", stopped"}}},
		// nsenter that waits for its child, as it does: that is reaped.
		{name: "ok-intruder", killable: true, run: []string{"lab", "exit"}, after: hold("join"), docker: commands,
			before: said{diagnose.Stops, anyhow, "WS215", []string{"which waits for it"}}},
		{name: "tracer-idle", run: []string{"lab", "exit"}, after: hold("trace_idle"), docker: commands, fix: "kill -KILL",
			before: said{stuck, sure, "WS203", []string{"kill -KILL OTHER"}}, dead: said{stuck, "certain", "WS203", []string{"kill -KILL OTHER"}}},
		{name: "shim-stopped", run: []string{"lab", "exit"}, after: stopShim, docker: commands, never: true, fix: "kill -CONT",
			before: said{stuck, sure, "WS314", []string{"kill -CONT OTHER"}}, dead: said{stuck, sure, "WS314", []string{"kill -CONT OTHER"}}},
		{name: "pidhost-child", run: append([]string{"--pid=host"}, data("child_write")...), prepare: ext4, after: freeze, docker: commands, fix: "fsfreeze -u",
			never: outputWaited, before: said{outlived.verdict, anyhow, "WS201", frozen}},
		{name: "pidshared-child", run: append([]string{"--pid=container:hang-pidshared"}, fuse("-f", "/mnt/hang-WHO", "child_stat")...), prepare: sharedPIDs, docker: commands, fix: "/abort",
			never: outputWaited, before: outlived},
		{name: "pidhost-tty", run: append([]string{"-t", "--pid=host"}, fuse("-f", "/mnt/hang-WHO", "child_stat")...), prepare: silentFUSE, docker: commands, fix: "/abort",
			race: slices.Repeat(commands, waited), before: said{diagnose.Ghost, anyhow, "WS209", nil}},
		// A parent that is awake may reap yet, by a SIGCHLD handler or later.
		{name: "intruder-zombie", run: []string{"lab", "exit"}, after: hold("join_hold"), docker: commands, race: commands, fix: "kill -KILL",
			dead: said{stuck, "certain", "WS205", []string{"kill -KILL OTHER"}}, before: said{"", anyhow, "WS215", nil}},

		{name: "ok-vfork", killable: true, run: []string{"lab", "vfork"}, before: said{"", anyhow, "", nil}, docker: commands},
		{name: "ok-autofs", killable: true, run: []string{"-v", "DIR:/mnt", "lab", "-f", "/mnt/sub/x", "stat"}, prepare: autofs, before: said{"", anyhow, "", nil}, docker: commands},
		{name: "ok-unread", killable: true, run: fuse("-n", "4", "-f", "/mnt/hang", "late_stat"), prepare: ownServer, after: stopServer,
			before: said{"", "assumed", "", []string{"OTHER, stopped", "kill -CONT OTHER"}}},
		// The read is sent ahead, and the fault waits for its page, killably
		// (mm/filemap.c __folio_lock_or_retry).
		{name: "ok-pagefault", killable: true, run: fuse("-f", "/mnt/read", "map"), prepare: silentFUSE, before: said{diagnose.Killed, anyhow, "", nil}},
		{name: "ok-freezer-v1", killable: true, run: []string{"lab", "exit"}, after: freezer(false), docker: commands, before: said{"", anyhow, "WS207", []string{"echo THAWED | sudo tee"}}},
		{name: "ok-freezer-v2", killable: true, run: []string{"lab", "exit"}, docker: commands, before: said{"", anyhow, "WS207", []string{"echo 0 | sudo tee"}},
			after: freezeGroup("/sys/fs/cgroup/unified", "", "cgroup.freeze", "1", "0", false)},
		// Who reads its command line asks a FUSE server that does not answer.
		{name: "ok-argv-trap", proc: true, killable: true, run: fuse("-f", "/mnt/read", "argv_trap"), prepare: silentFUSE, docker: commands, before: said{diagnose.Stops, anyhow, "", nil}},
		// The command line of its init cannot be read, and who tries has to come back.
		{name: "map-lock", proc: true, run: fuse("-f", "/mnt/read", "map_lock"), prepare: silentFUSE, fix: "/abort",
			before: said{stuck, anyhow, "WS209", []string{"/cmdline (timeout)"}}, dead: said{stuck, sure, "WS209", nil}},
		{name: "unmap", proc: true, run: fuse("-f", "/mnt/write", "unmap"), prepare: silentFUSE, fix: "/abort",
			before: said{stuck, anyhow, "WS209", []string{"/cmdline (skipped)"}}, dead: said{stuck, anyhow, "WS206", nil}},
		{name: "path-trap", proc: true, run: fuse("-f", "/mnt/read", "path_trap"), prepare: silentFUSE, fix: "/abort",
			before: said{stuck, anyhow, "WS209", []string{"/mem (skipped)", "whose server may not answer"}}, dead: said{stuck, anyhow, "WS206", nil}},
		{name: "ok-stopped", killable: true, run: []string{"lab", "exit"}, docker: commands, before: said{diagnose.Killed, anyhow, "WS202", nil},
			after: func(_ *testing.T, _ *lab, p *played) { _ = syscall.Kill(p.pid, syscall.SIGSTOP) }},
		{name: "ok-stopped-child", killable: true, run: []string{"lab", "fork_ign"}, docker: commands, before: said{"", anyhow, "", nil}, after: stopChild},
		{name: "ok-paused", killable: true, run: []string{"lab", "default"}, docker: commands, before: said{diagnose.Killed, anyhow, "WS307", nil},
			after: func(t *testing.T, l *lab, p *played) { l.docker(t, "pause", p.name) }},
		{name: "ok-traced", killable: true, run: []string{"lab", "exit"}, after: hold("trace"), docker: commands, before: said{"", anyhow, "", nil}},
		// The kernel would end its threads; runc takes the leader for gone and sends
		// nothing. SIGKILL by hand is the way out.
		{name: "zombie-leader", killable: true, accused: true, run: []string{"lab", "zombie_leader"}, docker: nil, before: said{"", anyhow, "WS206", nil}},
	}...)
}

// sharedPIDs is a silent FUSE mount, and a container whose PID namespace the others
// join: its init reaps who is left behind.
func sharedPIDs(t *testing.T, l *lab, p *played) {
	silentFUSE(t, l, p)
	p.more = append(p.more, "hang-pidshared")
	if _, err := l.d.Run(t.Context(), "--init", "--name", "hang-pidshared", "lab", "ign"); err != nil {
		t.Fatal(err)
	}
}

// ownParent makes sure that the cgroup parent is ours and goes with the test.
func ownParent(t *testing.T, _ *lab, p *played) {
	p.tidy = append(p.tidy, func() {
		for _, dir := range []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd", "unified", "."} {
			if err := os.Remove("/sys/fs/cgroup/" + dir + "/wshang-parent"); err != nil && !os.IsNotExist(err) {
				t.Logf("removing the cgroup parent: %v", err)
			}
		}
	})
}

// secondLookup has another container look up the same name, and judges that one:
// it waits behind the first, in a function that does not say FUSE.
// A third has the mount and does nothing with it: the abort hits it too.
func secondLookup(t *testing.T, l *lab, p *played) {
	idle := p.name + "-idle"
	if _, err := l.d.Run(t.Context(), "--name", idle, "-v", p.dir+":/mnt", "lab", "exit"); err != nil {
		t.Fatal(err)
	}
	next(t, l, p, "-f", "/mnt/hang", "stat")
	p.more = append(p.more, idle)
}

// openBehind has another create the name that is being looked up, which keeps
// the directory locked, and judges a third that opens another file in it.
func openBehind(t *testing.T, l *lab, p *played) {
	next(t, l, p, "-f", "/mnt/hang", "write")
	next(t, l, p, "-f", "/mnt/read", "read")
}

// next starts one more container on the same mount; from now on the scene is
// about that one.
func next(t *testing.T, l *lab, p *played, mode ...string) {
	p.more = append(p.more, p.name)
	p.name += "-next"
	if _, err := l.d.Run(t.Context(), append([]string{"--name", p.name, "-v", p.dir + ":/mnt", "lab"}, mode...)...); err != nil {
		t.Fatal(err)
	}
	p.pid = l.pid(t, p.name)
	time.Sleep(300 * time.Millisecond)
}
