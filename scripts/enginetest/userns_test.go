package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// labEngine starts a private engine that has the lab image.
func labEngine(t *testing.T, opt bed.Options) *bed.Daemon {
	t.Helper()
	d := bed.StartDaemonWith(t, opt)
	files := map[string]string{"/siglab": bed.StaticProgram(t), "/mnt/": "", "/tmp/": "", "/proc/": "", "/sys/": "", "/dev/": ""}
	if err := d.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestUserns has engines whose containers live in user namespaces, for real:
// --userns-remap, and rootless ones.
func TestUserns(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "newuidmap", "rootlesskit", "useradd", "setpriv")
	l := &lab{binary: bed.Whystuck(t)}
	t.Run("engines", func(t *testing.T) {
		t.Run("remapped", func(t *testing.T) { t.Parallel(); l.remapped(t) })
		t.Run("remapped-no-cap-kill", func(t *testing.T) { t.Parallel(); l.remappedWithoutKill(t) })
		t.Run("rootless", func(t *testing.T) { t.Parallel(); l.rootless(t) })
		t.Run("rootless-pidns", func(t *testing.T) { t.Parallel(); l.rootlessPIDs(t) })
		t.Run("nested", func(t *testing.T) { t.Parallel(); l.nested(t) })
	})
	slices.Sort(l.rows)
	fmt.Printf("%-20s %-44s %7s  %s\n%s\n", "scene", "whystuck", "answer", "docker", strings.Join(l.rows, "\n"))
}

// remapped: DATA/UID.GID keeps the containers, and another engine on this host has
// one of the same name.
func (l *lab) remapped(t *testing.T) {
	u := bed.NewUser(t)
	d, plain := labEngine(t, bed.Options{Args: []string{"--userns-remap=" + u.Name}}), labEngine(t, bed.Options{})
	other := l.run(t, plain, "web", "lab", "ign")
	pid := l.run(t, d, "web", "--user", "1000", "lab", "exit")
	if uid := ownerOf(t, pid); uid != u.FirstSub+1000 {
		t.Fatalf("it runs as %d: this engine does not remap", uid)
	}
	l.run(t, d, "ign", "lab", "ign")
	l.asForecast(t, d, "ign", "stop", "-t", "1")
	l.supervised(t, d, "ign")

	heal := hold(t, d.PID())
	a := l.ask(t, d, "web")
	a.wants(t, diagnose.Stuck, []string{"WS310"}, "own files answer")
	if b := l.ask(t, plain, "web"); a.PID != pid || b.PID != other || b.Verdict != diagnose.Killed {
		t.Errorf("PID %d, want %d; the other engine's %d, want %d", a.PID, pid, b.PID, other)
	}
	l.none(t, d)
	heal()

	heal = healing(t, func() { l.start(t, d) })
	d.Kill()
	mapped := filepath.Join(d.DataRoot(), fmt.Sprintf("%d.%d", u.FirstSub, u.FirstSub))
	for _, data := range []string{d.DataRoot(), mapped} {
		roots := []string{"--data-root", data, "--exec-root", d.ExecRoot()}
		if a = l.ask(t, d, "web", roots...); a.PID != pid || a.Verdict != diagnose.Stuck {
			t.Errorf("by %s: PID %d, %s", data, a.PID, a.Verdict)
		}
		if left := l.askAll(t, d, append(roots, "orphans")...); left.exit != 0 {
			t.Errorf("by %s: orphans %+v %v", data, left.report.Containers, left.report.Errors)
		}
	}
	l.row(t, a, "killed")
	heal()
	l.remappedSurvivor(t, d)
}

// remappedSurvivor: what rm -f leaves of a container whose shim was killed.
func (l *lab) remappedSurvivor(t *testing.T, d *bed.Daemon) {
	survivor, free := l.loseShim(t, d)
	a := l.search(t, d, 1)
	l.holdOrphan(t, a, idOf(t, survivor), "WS302", "WS209")
	free(a)
	for _, f := range a.Findings {
		if f.Code == "WS330" || f.Code == "WS331" {
			for _, x := range f.Fixes {
				sh(t, strings.ReplaceAll(x.Command, "sudo ", ""))
			}
		}
	}
	l.none(t, d)
	l.row(t, a, "orphan, freed")
}

// remappedWithoutKill: who has made a user namespace may signal what lives in it,
// with CAP_KILL or without.
func (l *lab) remappedWithoutKill(t *testing.T) {
	u := bed.NewUser(t)
	d := labEngine(t, bed.Options{Wrap: dropKill, Args: []string{"--userns-remap=" + u.Name}})
	l.run(t, d, "web", "--user", "1000", "--cap-drop", "KILL", "lab", "ign")
	a := l.asForecast(t, d, "web", "stop", "-t", "1")
	a.wants(t, diagnose.Killed, []string{"WS102"})
}

// rootless: dockerd in user and mount namespaces of its own, without cgroups where
// there is no cgroup v2. It is asked by root and by its user.
func (l *lab) rootless(t *testing.T) {
	u := bed.NewUser(t)
	d := labEngine(t, bed.Options{User: u})
	user := &lab{binary: wrapped(t, filepath.Dir(d.DataRoot()), d.AsUser(), l.binary)}
	pid := l.run(t, d, "web", "lab", "exit")
	other := l.run(t, d, "other", "--user", "1000", "lab", "exit")
	if uid := ownerOf(t, other); uid != u.FirstSub+999 {
		t.Fatalf("it runs as %d", uid)
	}
	for i, who := range []*lab{l, user} {
		name := []string{"root", "user"}[i]
		l.run(t, d, name, "--user", "1000", "lab", "ign")
		a := who.asForecast(t, d, name, "stop", "-t", "1")
		a.wants(t, diagnose.Killed, []string{"WS102"})
		l.run(t, d, name+"-rm", "--user", "1000", "lab", "ign")
		who.asForecast(t, d, name+"-rm", "rm", "-f")
		l.docker(t, d, "start", name)
		who.supervised(t, d, name)
		who.none(t, d)
	}
	heal := hold(t, d.PID())
	for _, who := range []*lab{l, user} {
		a := who.ask(t, d, "web")
		a.wants(t, diagnose.Stuck, []string{"WS310"}, "own files answer")
		if a.PID != pid {
			t.Errorf("PID %d, want %d", a.PID, pid)
		}
		who.none(t, d)
	}
	heal()
	l.rootlessRestarted(t, d, user, pid, other)
}

// rootlessRestarted: the new dockerd makes new namespaces, and may not kill a
// container of the old ones that runs as another user. It takes it for ended.
func (l *lab) rootlessRestarted(t *testing.T, d *bed.Daemon, user *lab, pid, other int) {
	heal := healing(t, func() { l.start(t, d) })
	d.Kill()
	roots := []string{"--data-root", d.DataRoot(), "--exec-root", d.ExecRoot()}
	for _, who := range []*lab{l, user} {
		a := who.ask(t, d, "web", roots...)
		a.wants(t, diagnose.Stuck, []string{"WS309"})
		if a.PID != pid {
			t.Errorf("PID %d, want %d", a.PID, pid)
		}
	}
	heal()
	if gone(other) || l.state(t, d, "other") != "exited 255" {
		t.Fatalf("the container of another user: %s, ended %v", l.state(t, d, "other"), gone(other))
	}
	for _, who := range []*lab{l, user} {
		a := who.ask(t, d, "other")
		a.wants(t, diagnose.Ghost, []string{"WS332"}, fmt.Sprintf("kill -KILL %d", other))
		id := l.id(t, d, "other")
		found := who.askAll(t, d, "orphans")
		l.holdOrphan(t, found, id, "WS332", "WS330")
		l.row(t, a, l.state(t, d, "other"))
	}
	a := user.ask(t, d, "other")
	line := append(d.AsUser(), strings.Fields(a.fix("kill -KILL"))...)
	sh(t, strings.Join(line, " "))
	if !bed.Eventually(5*time.Second, func() bool { return gone(other) || state(other) == "Z" }) {
		t.Errorf("the user may not end it")
	}
}

// rootlessPIDs: the PIDs that this dockerd gives are those of its own namespace.
func (l *lab) rootlessPIDs(t *testing.T) {
	u := bed.NewUser(t)
	d := labEngine(t, bed.Options{User: u, RootlessKit: []string{"--pidns"}})
	user := &lab{binary: wrapped(t, filepath.Dir(d.DataRoot()), d.AsUser(), l.binary)}
	for i, who := range []*lab{l, user} {
		name := []string{"root", "user"}[i]
		inner := l.run(t, d, name, "lab", "ign")
		a := who.ask(t, d, name, "-t", "1")
		a.wants(t, diagnose.Killed, []string{"WS102"})
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.PID)); err != nil || !strings.Contains(string(b), fmt.Sprintf("NSpid:\t%d\t%d\t1\n", a.PID, inner)) {
			t.Errorf("PID %d is not the engine's %d: %v\n%s", a.PID, inner, err, b)
		}
		who.asForecast(t, d, name, "stop", "-t", "1")
		l.docker(t, d, "start", name)
		who.supervised(t, d, name)
		who.none(t, d)
	}
	l.run(t, d, "web", "lab", "exit")
	heal := hold(t, d.PID())
	a := l.ask(t, d, "web")
	a.wants(t, diagnose.Stuck, []string{"WS310"}, "own files answer")
	if state(a.PID) == "" || ownerOf(t, a.PID) != u.UID {
		t.Errorf("PID %d is not the container", a.PID)
	}
	heal()
	l.row(t, a, "stopped")
}

// nested: root's dockerd in PID and mount namespaces of its own, as Docker in Docker
// has them.
func (l *lab) nested(t *testing.T) {
	d := labEngine(t, bed.Options{Wrap: []string{"unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"}})
	inner := l.run(t, d, "web", "lab", "ign")
	a := l.asForecast(t, d, "web", "stop", "-t", "1")
	a.wants(t, diagnose.Killed, []string{"WS102"})
	if a.PID == inner {
		t.Errorf("PID %d is the engine's own number", inner)
	}
	l.supervised(t, d, "web")
	l.none(t, d)
}

// asForecast asks, runs a docker command, and holds one against the other.
func (l *lab) asForecast(t *testing.T, d *bed.Daemon, name string, command ...string) answer {
	t.Helper()
	var flags []string
	if command[0] == "stop" {
		flags = command[1:]
	}
	a := l.ask(t, d, name, flags...)
	say := a.Stop.Command
	if command[0] == "rm" {
		say = a.Rm.Command
	}
	l.hold(t, a, say, l.later(d, append(command, name)...))
	return a
}

// supervised has whystuck stop it, and wants what was forecast.
func (l *lab) supervised(t *testing.T, d *bed.Daemon, name string) {
	t.Helper()
	if s := l.state(t, d, name); !strings.HasPrefix(s, "running") {
		l.docker(t, d, "start", name)
	}
	a := l.askAll(t, d, "stop", "-t", "1", name)
	if len(a.report.Containers) != 1 {
		t.Fatalf("whystuck stop %s: %v", name, a.report.Errors)
	}
	c := a.report.Containers[0]
	if c.Observed == nil || c.Observed.Outcome != string(diagnose.Killed) || c.Agreed == nil || !*c.Agreed || len(c.Observed.Survivors) > 0 {
		t.Errorf("whystuck stop %s: agreed %v, %+v", name, c.Agreed, c.Observed)
	}
}

func ownerOf(t *testing.T, pid int) int {
	t.Helper()
	st, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		t.Fatal(err)
	}
	return int(st.Sys().(*syscall.Stat_t).Uid)
}

// loseShim makes a survivor: its shim is killed, and what is left of it hangs. free
// lets it go as whystuck says.
func (l *lab) loseShim(t *testing.T, d *bed.Daemon) (survivor int, free func(answer)) {
	t.Helper()
	m := silent.ForTest(t)
	healing(t, m.Release)
	l.run(t, d, "lost", "-v", m.Dir+":/mnt", "lab", "-f", "/mnt/hang", "child_stat")
	survivor = childOf(t, l.pid(t, d, "lost"))
	_ = syscall.Kill(l.shim(t, d, "lost"), syscall.SIGKILL)
	l.docker(t, d, "rm", "-f", "lost")
	return survivor, func(a answer) {
		sh(t, a.anyFix("umount -f"))
		if !bed.Eventually(8*time.Second, func() bool { return gone(survivor) }) {
			t.Errorf("process %d was not let go", survivor)
		}
	}
}
