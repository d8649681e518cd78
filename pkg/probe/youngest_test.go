package probe

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The list from its end is the list: all that stay are there once, the highest
// numbers first.
func TestYoungest(t *testing.T) {
	r := New(Config{}).newReader()
	defer r.close()
	before, _, err := numbers("/proc", 1<<22)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	if !r.youngest(func(pid int) bool { got = append(got, pid); return true }) {
		t.Fatal("it has not seen all")
	}
	after, _, _ := numbers("/proc", 1<<22)
	for _, pid := range before {
		if slices.Contains(after, pid) && !slices.Contains(got, pid) {
			t.Errorf("PID %d was missed", pid)
		}
	}
	if !slices.IsSortedFunc(got, func(a, b int) int { return b - a }) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("not in order: %v", got)
	}
	n := 0
	if r.youngest(func(int) bool { n++; return n < 3 }) || n != 3 {
		t.Errorf("it went on to %d", n)
	}
}

// The list can be begun anywhere, and says of every part what the whole says.
func TestPIDsBetween(t *testing.T) {
	r := New(Config{}).newReader()
	defer r.close()
	self := os.Getpid()
	for _, from := range []int{1, self - 1, self, self + 1} {
		got, err := r.pidsBetween(from, self+1)
		if err != nil || slices.Contains(got, self) != (from <= self) || slices.ContainsFunc(got, func(pid int) bool { return pid < from || pid > self }) {
			t.Errorf("from %d to %d: %v, %v", from, self+1, got, err)
		}
	}
}

// A /proc that cannot be begun anywhere is listed from its beginning.
func TestYoungestOfATree(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1", "77", "5000", "self.x"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "loadavg"), []byte("0.1 0.2 0.3 1/200 5001\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := New(Config{Proc: dir}).newReader()
	defer r.close()
	var got []int
	if whole := r.youngest(func(pid int) bool { got = append(got, pid); return true }); !whole || len(got) != 3 {
		t.Errorf("whole %v: %v", whole, got)
	}
}
