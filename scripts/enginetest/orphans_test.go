package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// orphans: after docker rm -f the container is gone and its process still there.
// Three ways to it, on one engine, while the other has containers of the same
// names that live and are nobody's orphans. The one in the host's PID namespace has
// a terminal: since 24.0 dockerd waits for the end of a pipe that a survivor holds.
func (l *lab) orphans(t *testing.T) {
	l.none(t, l.own)
	l.none(t, l.plain)
	m := silent.ForTest(t)
	fuse := []string{"-v", m.Dir + ":/mnt", "lab", "-f", "/mnt/hang"}
	for _, name := range []string{"lost-host", "lost-shim", "lost-thread"} {
		l.run(t, l.plain, name, "lab", "exit")
	}
	makers := map[string]func(t *testing.T, name string) (survivor int){
		"lost-host": func(t *testing.T, name string) int {
			l.run(t, l.own, name, append(append([]string{"-t", "--pid", "host"}, fuse...), "child_stat")...)
			child := childOf(t, l.pid(t, l.own, name))
			l.docker(t, l.own, "rm", "-f", name)
			return child
		},
		"lost-shim": func(t *testing.T, name string) int {
			l.run(t, l.own, name, append(fuse, "child_stat")...)
			child := childOf(t, l.pid(t, l.own, name))
			_ = syscall.Kill(l.shim(t, l.own, name), syscall.SIGKILL)
			l.docker(t, l.own, "rm", "-f", name)
			return child
		},
		"lost-thread": func(t *testing.T, name string) int {
			pid := l.run(t, l.own, name, append(fuse, "thr_stat")...)
			booked := fmt.Sprint("exited ", bed.ForgottenExit(t))
			// Whether the first books it as exited is a race. The second finds a leader
			// that is a zombie from the start, which runc takes for gone.
			if l.own.Docker(t.Context(), "stop", "-t", "1", name); l.state(t, l.own, name) != booked {
				l.own.Docker(t.Context(), "stop", "-t", "1", name)
			}
			if got := l.state(t, l.own, name); got != booked {
				t.Errorf("%s is %s, want %s", name, got, booked)
			}
			return pid
		},
	}
	ids, survivors := map[string]string{}, map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, lose := range makers {
		wg.Go(func() {
			pid := lose(t, name)
			mu.Lock()
			survivors[name] = pid
			mu.Unlock()
		})
	}
	wg.Wait()
	for name, pid := range survivors {
		ids[name] = idOf(t, pid)
	}
	booked := l.search(t, l.own, 3)
	l.holdOrphan(t, booked, ids["lost-thread"], "WS332", "WS206", "WS330")
	l.docker(t, l.own, "rm", "lost-thread")

	a := l.search(t, l.own, 3)
	l.holdOrphan(t, a, ids["lost-host"], "WS302", "WS209")
	l.holdOrphan(t, a, ids["lost-shim"], "WS302", "WS209", "WS331")
	l.holdOrphan(t, a, ids["lost-thread"], "WS302", "WS206", "WS330", "WS331")
	l.none(t, l.plain)
	l.silentOrphans(t, ids)

	// The way out, as printed: what they wait for, then what is left of them.
	sh(t, a.anyFix("umount -f"))
	for name, pid := range survivors {
		if !bed.Eventually(8*time.Second, func() bool { return gone(pid) }) {
			t.Errorf("%s: process %d was not let go", name, pid)
		}
	}
	a.clear(t)
	l.none(t, l.own)
	l.row(t, a, "3 orphans, freed")
}

// clear takes away the shims and the runtime's state of orphans, as printed.
func (a answer) clear(t *testing.T) {
	t.Helper()
	for i := range a.report.Containers {
		for _, f := range a.report.Containers[i].Findings {
			for _, x := range f.Fixes {
				if f.Code == "WS330" || f.Code == "WS331" {
					sh(t, strings.ReplaceAll(x.Command, "sudo ", ""))
				}
			}
		}
	}
}

// silentOrphans: with dockerd stopped its files tell which containers there are.
func (l *lab) silentOrphans(t *testing.T, ids map[string]string) {
	l.run(t, l.own, "known", "lab", "exit")
	heal := hold(t, l.own.PID())
	defer heal()
	a := l.search(t, l.own, 3)
	for _, id := range ids {
		l.holdOrphan(t, a, id, "WS302")
	}
	if !slices.Contains(a.report.Host.Sources, "engine-files") {
		t.Errorf("sources %v", a.report.Host.Sources)
	}
}

// search runs whystuck orphans and wants so many.
func (l *lab) search(t *testing.T, d *bed.Daemon, want int) answer {
	t.Helper()
	a := l.askAll(t, d, "orphans")
	if len(a.report.Containers) != want || a.exit != min(want, 1) {
		t.Errorf("%d orphans, exit code %d; want %d: %+v", len(a.report.Containers), a.exit, want, a.report.Errors)
	}
	for i := range a.report.Containers {
		one := answer{Container: a.report.Containers[i]}
		t.Logf("%s %s %s\n%s", one.Target, one.Kind, one.words(), one.text())
	}
	if len(a.report.Containers) > 0 {
		a.Container = a.report.Containers[0]
	}
	return a
}

func (l *lab) none(t *testing.T, d *bed.Daemon) {
	t.Helper()
	l.search(t, d, 0)
}

// holdOrphan wants one orphan with findings.
func (l *lab) holdOrphan(t *testing.T, a answer, id string, codes ...string) {
	t.Helper()
	i := slices.IndexFunc(a.report.Containers, func(c diagnose.Container) bool { return c.ID == id })
	if i < 0 {
		t.Errorf("%s is not among the orphans", id)
		return
	}
	one := answer{Container: a.report.Containers[i]}
	one.wants(t, diagnose.Ghost, codes)
	if one.Kind != "orphan" || one.Confidence != diagnose.Certain {
		t.Errorf("%s: kind %s, %s", id, one.Kind, one.Confidence)
	}
}

// anyFix is the first command of any container that holds some words.
func (a answer) anyFix(words string) string {
	for _, c := range a.report.Containers {
		if cmd := (answer{Container: c}).fix(words); cmd != "" {
			return cmd
		}
	}
	return "false # no fix with " + words
}

// childOf is the child of a container's init, once there is one that waits.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	child := 0
	if !bed.Eventually(10*time.Second, func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		_, err := fmt.Sscan(string(b), &child)
		return err == nil
	}) {
		t.Fatalf("process %d has no child", pid)
	}
	return child
}

// idOf is the container that a process was made in.
func idOf(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Errorf("the survivor %d: %v", pid, err)
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if id := strings.TrimPrefix(filepath.Base(strings.TrimSpace(line)), "libpod-"); len(id) == 64 {
			return id
		}
	}
	t.Errorf("no id in %s", b)
	return ""
}
