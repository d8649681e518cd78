package enginetest

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// crowded: on a host with 5,000 other processes the search takes under a second,
// with an orphan and without.
func (l *lab) crowded(t *testing.T) {
	cmd := exec.Command(bed.StaticProgram(t), "-n", "5000", "sleepers")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := healing(t, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // they are a process group of their own
		_ = cmd.Wait()
	})
	defer end()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "READY") {
		t.Fatalf("the sleepers say %q, %v", line, err)
	}
	best := map[string]time.Duration{}
	measure := func(what string, want int) answer {
		var a answer
		for range 3 {
			a = l.search(t, l.own, want)
			if best[what] == 0 || a.took < best[what] {
				best[what] = a.took
			}
		}
		if best[what] > time.Second {
			t.Errorf("with %s it took %v at best", what, best[what])
		}
		return a
	}
	measure("none", 0)
	m := silent.ForTest(t)
	l.run(t, l.own, "lost-crowd", "-t", "--pid", "host", "-v", m.Dir+":/mnt", "lab", "-f", "/mnt/hang", "child_stat")
	child := childOf(t, l.pid(t, l.own, "lost-crowd"))
	l.docker(t, l.own, "rm", "-f", "lost-crowd")
	a := measure("one", 1)
	sh(t, a.anyFix("umount -f"))
	if !bed.Eventually(8*time.Second, func() bool { return gone(child) }) {
		t.Errorf("process %d was not let go", child)
	}
	a.clear(t) // containerd 2 leaves the shim
	l.row(t, a, fmt.Sprintf("5,000 others: none %v, one %v", best["none"].Round(time.Millisecond), best["one"].Round(time.Millisecond)))
}
