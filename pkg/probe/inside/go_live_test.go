package inside_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/scripts/bed"
)

// buildGo compiles the test program with the toolchain of this test, or with
// another one by its name (go1.20.14).
func buildGo(t testing.TB, toolchain string, flags ...string) string {
	t.Helper()
	bed.Require(t, "go")
	dir := t.TempDir()
	for name, text := range map[string][]byte{
		"main.go": readFile(t, filepath.Join("testdata", "notify.go.txt")),
		"go.mod":  []byte("module example.org/notify\n\ngo 1.10\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", "notify"}, flags...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GO111MODULE=auto", "GOTOOLCHAIN="+toolchain)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building with %s %v: %v\n%s", toolchain, flags, err, out)
	}
	return filepath.Join(dir, "notify")
}

// lookGo starts the program and looks at it once it has made its calls.
func lookGo(t *testing.T, program string, modes ...string) (evidence.Process, []evidence.Gap) {
	t.Helper()
	p := start(t, program, modes...)
	if !p.says("ready", 10*time.Second) {
		t.Fatalf("program did not start: %s", &p.out)
	}
	return p.settled(func(e evidence.Process) bool { return e.State == "S" })
}

var goCases = []struct {
	modes           string
	wanted, ignored evidence.SigSet
}{
	{"", 0, 0},
	{"term", evidence.SetOf(15), 0},
	{"int", evidence.SetOf(2), 0},
	{"term int", evidence.SetOf(2, 15), 0},
	{"ignore", 0, evidence.SetOf(15)},
	{"term ignore", 0, evidence.SetOf(15)},
	{"term reset", 0, 0},
	{"all", ^evidence.SigSet(0), 0},
	{"rtmax", evidence.SetOf(32, 64), 0},
}

func TestGo(t *testing.T) {
	program := buildGo(t, "local")
	for _, c := range goCases {
		t.Run("modes "+c.modes, func(t *testing.T) {
			checkGo(t, program, c.modes, c.wanted, c.ignored)
		})
	}
	pie := buildGo(t, "local", "-buildmode=pie")
	t.Run("pie", func(t *testing.T) { checkGo(t, pie, "term", evidence.SetOf(15), 0) })
}

func checkGo(t *testing.T, program, modes string, wanted, ignored evidence.SigSet) {
	t.Helper()
	got, gaps := lookGo(t, program, strings.Fields(modes)...)
	if got.Inside == nil || got.Inside.Go == nil || got.Inside.Go.Wanted == nil || len(gaps) != 0 {
		t.Fatalf("inside %+v, gaps %+v", got.Inside, gaps)
	}
	g := got.Inside.Go
	if g.Ignored != nil {
		// A parent that uses glibc's posix_spawn (make) leaves libc's own two
		// signals ignored, and the runtime notes what it inherits.
		*g.Ignored &^= evidence.SetOf(32, 33)
	}
	if *g.Wanted != wanted || *g.Ignored != ignored || !strings.HasPrefix(g.Version, "go1.") {
		t.Errorf("%s: wanted %s, want %s; ignored %s, want %s", g.Version, g.Wanted, wanted, g.Ignored, ignored)
	}
}

// TestGoStripped: the version is known, the signals are not.
func TestGoStripped(t *testing.T) {
	program := buildGo(t, "local", "-ldflags=-s -w")
	got, gaps := lookGo(t, program, "term")
	if got.Inside == nil || got.Inside.Go.Wanted != nil || got.Inside.Go.Ignored != nil || got.Inside.Go.Path != "example.org/notify" {
		t.Errorf("inside %+v", got.Inside)
	}
	if len(gaps) != 1 || gaps[0].Kind != evidence.GapAbsent {
		t.Errorf("gaps %+v", gaps)
	}
}

// TestGoVersions: the layout of other releases, named by WHYSTUCK_TEST_GOS
// (go1.20.14:go1.24.1) where they can be had.
func TestGoVersions(t *testing.T) {
	list := os.Getenv("WHYSTUCK_TEST_GOS")
	if list == "" {
		t.Skip("SKIPPED: WHYSTUCK_TEST_GOS names no other Go releases")
	}
	for _, version := range strings.Split(list, ":") {
		t.Run(version, func(t *testing.T) {
			program := buildGo(t, version)
			checkGo(t, program, "term", evidence.SetOf(15), 0)
			checkGo(t, program, "ignore", 0, evidence.SetOf(15))
			checkGo(t, program, "all", ^evidence.SigSet(0), 0)
		})
	}
}
