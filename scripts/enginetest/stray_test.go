package enginetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
)

// stray: a process that has left its container's cgroup and outlives it is found
// by what is mounted in it, and its name writes nothing on the reader's terminal.
func (l *lab) stray(t *testing.T) {
	l.run(t, l.own, "stray", "--pid", "host", "lab", "exit")
	id := l.id(t, l.own, "stray")
	before := members(id)
	l.docker(t, l.own, "exec", "-d", "stray", "/siglab", "hostile")
	pid := 0
	if !bed.Eventually(10*time.Second, func() bool {
		for p := range members(id) {
			if !before[p] {
				pid = p
			}
		}
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return pid != 0 && !strings.HasPrefix(string(b), "siglab") && !strings.HasPrefix(string(b), "runc") && len(b) > 0
	}) {
		t.Fatal("the hostile process did not come up")
	}
	healing(t, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	for _, procs := range rootGroups(t) {
		if err := os.WriteFile(procs, []byte(strconv.Itoa(pid)), 0); err != nil {
			t.Logf("%s: %v", procs, err)
		}
	}
	l.docker(t, l.own, "rm", "-f", "stray")
	a := l.search(t, l.own, 1)
	l.holdOrphan(t, a, id, "WS302")
	l.none(t, l.plain)

	cmd := exec.CommandContext(t.Context(), l.binary, "orphans", "--color", "never")
	cmd.Env = l.own.Env()
	text, _ := cmd.Output()
	if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x202e }); i >= 0 {
		t.Errorf("the text holds %q", text[i:min(len(text), i+20)])
	}
	a.wayOut(t, fmt.Sprintf("kill -KILL %d", pid))
	if !bed.Eventually(5*time.Second, func() bool { return gone(pid) }) {
		t.Error("it lives on")
	}
	a.clear(t) // newer runtimes leave the shim
	l.none(t, l.own)
	l.row(t, a, "1 orphan, ended")
}

// members are the processes in a container's cgroups.
func members(id string) map[int]bool {
	out := map[int]bool{}
	for _, pattern := range []string{"/sys/fs/cgroup/*/*/", "/sys/fs/cgroup/*/"} {
		files, _ := filepath.Glob(pattern + id + "/cgroup.procs")
		for _, f := range files {
			b, _ := os.ReadFile(f)
			for _, word := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(word); err == nil {
					out[pid] = true
				}
			}
		}
	}
	return out
}

// rootGroups are the files that move a process out of all cgroups.
func rootGroups(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cgroup hierarchy: %v", err)
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return []string{"/sys/fs/cgroup/cgroup.procs"}
	}
	return files
}
