package enginetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// A shim that is left over: its container was booked as exited while a thread of it
// hung behind a dead leader, and was let go later.
func (l *lab) shimLeft(t *testing.T) {
	m := silent.ForTest(t)
	healing(t, m.Release)
	pid := l.run(t, l.plain, "left", "-v", m.Dir+":/mnt", "lab", "-f", "/mnt/hang", "thr_stat")
	id, shim := l.id(t, l.plain, "left"), l.shim(t, l.plain, "left")
	// Whether the first books it is a race, see orphans.
	for range 2 {
		stop := l.later(l.plain, "stop", "-t", "1", "left")
		stop.done()
		if l.state(t, l.plain, "left") == "exited 255" {
			break
		}
	}
	a := l.ask(t, l.plain, "left")
	a.wants(t, diagnose.Ghost, []string{"WS332", "WS206"})
	m.Release()
	if !bed.Eventually(10*time.Second, func() bool { return gone(pid) }) {
		t.Fatalf("process %d was not let go", pid)
	}
	l.leaving(t) // takes its time, in which a shim that goes by itself would
	if b := l.leftShim(t, "left"); b.Findings[0].PID != shim {
		t.Errorf("shim %d, want %d", b.Findings[0].PID, shim)
	}
	if !l.isOrphan(t, id, "WS318") {
		t.Error("orphans does not name it")
	}
	b := l.ask(t, l.plain, "left")
	b.wayOut(t, "kill -KILL")
	if !bed.Eventually(10*time.Second, func() bool { return gone(shim) }) {
		t.Fatal("the way out does not end it")
	}
	if c := l.ask(t, l.plain, "left"); len(c.Findings) > 0 {
		t.Errorf("after the way out: %s", c.words())
	}
	if l.isOrphan(t, id, "") {
		t.Error("orphans names it after the way out")
	}
	l.docker(t, l.plain, "start", "left") // nothing of its first run is in the way
	l.row(t, b, "-")
}

// leftShim wants a container's left shim named, once its end is some time ago.
func (l *lab) leftShim(t *testing.T, name string) (a answer) {
	t.Helper()
	if !bed.Eventually(20*time.Second, func() bool {
		a = l.ask(t, l.plain, name)
		return strings.Contains(a.words(), "WS318")
	}) {
		t.Fatalf("%s: the left shim is not named", name)
	}
	a.wants(t, diagnose.NotRunning, []string{"WS318"})
	return a
}

// isOrphan reports whether whystuck orphans names a container, for a reason.
func (l *lab) isOrphan(t *testing.T, id, code string) bool {
	t.Helper()
	list := l.askAll(t, l.plain, "orphans").report.Containers
	i := slices.IndexFunc(list, func(c diagnose.Container) bool { return c.ID == id })
	return i >= 0 && (code == "" || strings.Contains((answer{Container: list[i]}).words(), code))
}

// leaving holds that shims which are just going are nobody's left ones.
func (l *lab) leaving(t *testing.T) {
	t.Helper()
	for range 3 {
		l.run(t, l.plain, "leaving", "lab", "exit")
		id := l.id(t, l.plain, "leaving")
		kill := l.later(l.plain, "kill", "leaving")
		for range 3 {
			if a := l.ask(t, l.plain, "leaving"); strings.Contains(a.words(), "WS318") {
				t.Errorf("a shim that is going is accused: %s", a.text())
			}
		}
		if l.isOrphan(t, id, "") {
			t.Error("a container that is ending is an orphan")
		}
		kill.done()
		l.docker(t, l.plain, "rm", "-f", "leaving")
	}
}
