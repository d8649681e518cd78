package hang

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// moreScenes are hangs and slowness that a limit or a device makes.
func moreScenes() []scene {
	eat := []string{"--memory", "8m", "--memory-swap", "8m", "--oom-kill-disable", "lab", "-n", "12", "eat"}
	return []scene{
		{name: "oom-disabled", run: eat, eases: "docker update",
			before: said{diagnose.Killed, sure, "WS216", []string{"under_oom 1", "docker update --memory", "memory.oom_control"}}},
		{name: "ok-oom-disabled", killable: true, run: eat, docker: commands[:1], before: said{diagnose.Killed, sure, "WS216", nil}},
	}
}

// ease runs the command that takes the trouble away. The init leaves its sleep,
// and docker stop ends it in order.
func (l *lab) ease(t *testing.T, s scene, p *played) {
	s.fix = s.eases
	s.letGo(t, l, p, map[string]bool{})
	if !eventually(3*time.Second, func() bool { return state(p.pid) == "S" }) {
		t.Errorf("after %q its state is %s", s.eases, state(p.pid))
	}
	after := l.ask(t, p.name)[0]
	start := time.Now()
	l.docker(t, "stop", "-t", "3", p.name)
	took := time.Since(start)
	if took > 2500*time.Millisecond || after.Verdict == stuck {
		t.Errorf("after %q: %s, and docker stop took %v", s.eases, words(after), took)
	}
	l.mu.Lock()
	l.rows = append(l.rows, fmt.Sprintf("%-16s %-30s %-30s %-34s %s", s.name, words(p.before), words(after), fmt.Sprintf("stop %.1f s rc 0", took.Seconds()), s.eases))
	l.mu.Unlock()
}

// state is the state letter of a process, "" when it is gone.
func state(pid int) string {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := strings.LastIndexByte(string(stat), ')'); i > 0 && len(stat) > i+2 {
		return string(stat[i+2])
	}
	return ""
}
