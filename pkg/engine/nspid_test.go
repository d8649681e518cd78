package engine

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// numbered puts a process into a tree of /proc, with its numbers from ours inwards.
func numbered(t *testing.T, proc string, start uint64, numbers ...int) {
	t.Helper()
	dir := filepath.Join(proc, fmt.Sprint(numbers[0]))
	put(t, filepath.Join(dir, "stat"), fmt.Sprintf("%d (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0\n", numbers[0], start))
	put(t, filepath.Join(dir, "status"), "Name:\tx\nNSpid:\t"+strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), "\t"), "[]")+"\nNSsid:\t1\n")
}

// An engine below a PID namespace names its processes by other numbers than ours.
func TestRecordInOurNumbers(t *testing.T) {
	proc := t.TempDir()
	numbered(t, proc, 10, 100)         // an engine beside us
	numbered(t, proc, 10, 200, 15)     // one below
	numbered(t, proc, 77, 300, 73, 1)  // a container of it
	numbered(t, proc, 99, 301, 73, 1)  // of yet another engine
	numbered(t, proc, 77, 302, 8, 73)  // its number is another level's
	numbered(t, proc, 50, 73)          // has that number here
	numbered(t, proc, 60, 400, 400, 5) // the same number in both
	for _, c := range []struct {
		name   string
		record runtimeState
		engine int
		want   int
		kept   bool
	}{
		{"beside us", runtimeState{PID: 73, Start: 50, kept: true}, 100, 73, true},
		{"below", runtimeState{PID: 73, Start: 77, kept: true}, 200, 300, true},
		{"the same number", runtimeState{PID: 400, Start: 60, kept: true}, 200, 400, true},
		{"gone", runtimeState{PID: 73, Start: 78, kept: true}, 200, 73, true},
		{"no record", runtimeState{kept: true}, 200, 0, false},
		{"no record beside us", runtimeState{kept: true}, 100, 0, true},
		{"the engine is dead", runtimeState{PID: 73, Start: 50}, 0, 73, false},
		{"a nested engine is dead", runtimeState{PID: 73, Start: 99}, 0, 301, false},
		{"an engine that cannot be read", runtimeState{PID: 73, Start: 77, kept: true}, 999, 73, true},
	} {
		if got := c.record.inOurs(proc, c.engine); got.here() != c.want || got.kept != c.kept {
			t.Errorf("%s: %d %v, want %d %v", c.name, got.here(), got.kept, c.want, c.kept)
		}
	}
}

func TestAddRecordInOurNumbers(t *testing.T) {
	for _, c := range []struct {
		pid, want int
		start     uint64
	}{{73, 300, 77}, {74, 74, 0}} {
		k := &evidence.Container{PID: c.pid, Status: "running", Inspected: true}
		addRecord(k, runtimeState{PID: 73, Start: 77, ours: 300})
		if k.PID != c.want || k.RuntimeStart != c.start {
			t.Errorf("%d: %d since %d", c.pid, k.PID, k.RuntimeStart)
		}
	}
}

// A dead engine's data root may have nothing but the containers of remapped users.
func TestNamedRootOfRemapped(t *testing.T) {
	data := t.TempDir()
	e := &Engine{opt: Options{DataRoot: data, ProcRoot: t.TempDir()}}
	if h := e.orderedHome(nil); h.remapped {
		t.Error("an empty directory is taken for one of remapped users")
	}
	putContainer(t, filepath.Join(data, "100000.100000/containers"), id("a1"))
	if h := e.orderedHome(nil); !h.remapped || !h.keeps(id("a1")) {
		t.Errorf("its containers are not found: %+v", h)
	}
	putContainer(t, filepath.Join(data, "containers"), id("b2"))
	if h := e.orderedHome(nil); h.remapped || !h.keeps(id("b2")) || h.keeps(id("a1")) {
		t.Errorf("what an engine without --userns-remap has is not the answer: %+v", h)
	}
}
