package bed

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Suite is the TestMain of a bed that takes minutes: it runs where env is set, as
// the make target does, and says loudly that it was skipped elsewhere. parallel is
// how many tests go at a time unless -test.parallel says otherwise: most of them is
// waiting, so more than there are processors.
func Suite(m *testing.M, env, target string, parallel int) {
	flag.Parse()
	if env != "" && os.Getenv(env) == "" {
		fmt.Printf("SKIPPED: %s runs these\n", target)
		return
	}
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen && parallel > 0 {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Whystuck is the program under test: the one that WHYSTUCK_BIN names, else it is
// built for this test.
func Whystuck(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("WHYSTUCK_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "whystuck")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/whystuck/whystuck/cmd/whystuck")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building whystuck: %v\n%s", err, out)
	}
	return bin
}

// Eventually waits for at most d until ok.
func Eventually(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

// Guard starts a process that runs a shell script when it is told so by heal, or
// when this test is gone: what the kernel does not undo by itself. Its command line
// does not have the script: an engine's end kills who names the engine's directory
// there.
func Guard(t testing.TB, script string) (heal func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `read x; eval "$GUARD"`)
	cmd.Env = append(os.Environ(), "GUARD="+script)
	cmd.Stdin, cmd.SysProcAttr = r, &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	return func() {
		w.Close()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Errorf("the guard %q did not end", script)
		}
	}
}
