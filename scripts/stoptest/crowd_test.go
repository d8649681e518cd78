package stoptest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// crowdSize is how many containers stop at once; WHYSTUCK_CROWD says otherwise.
func crowdSize() int {
	if n, err := strconv.Atoi(os.Getenv("WHYSTUCK_CROWD")); err == nil {
		return n
	}
	return 200
}

// All at once: each is told apart, none is lost, and nothing is left.
func TestCrowd(t *testing.T) {
	l := newLab(t)
	n := crowdSize()
	modes := []string{"exit", "default", "ign", "fork_forward"}
	want := map[string]diagnose.Verdict{"exit": stops, "default": killed, "ign": killed, "fork_forward": stops}
	names, pids := make([]string, n), make([]int, n)
	began := time.Now()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 6)
	for i := range n {
		names[i] = fmt.Sprintf("crowd-%s-%d", modes[i%len(modes)], i)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out, err := l.Run(t.Context(), "--name", names[i], "--log-driver", "none", "lab", modes[i%len(modes)])
			if err != nil {
				t.Errorf("%v %s", err, out)
				return
			}
			out, _, _ = l.Docker(t.Context(), "inspect", "-f", "{{.State.Pid}}", names[i])
			pids[i], _ = strconv.Atoi(strings.TrimSpace(out))
		})
	}
	wg.Wait()
	started := time.Since(began)
	if t.Failed() {
		return
	}
	a := l.stop(t, append([]string{"-t", "5", "--deadline", "60"}, names...)...)
	if a.code != 1 || len(a.report.Containers) != n {
		t.Fatalf("exit code %d, %d containers\n%s", a.code, len(a.report.Containers), a.stderr)
	}
	agreed := 0
	for _, c := range a.report.Containers {
		o := c.Observed
		if o == nil {
			t.Errorf("%s: nothing observed", c.Name)
			continue
		}
		if mode := strings.Split(c.Name, "-")[1]; o.Outcome != string(want[mode]) {
			t.Errorf("%s: observed %s, want %s\n%s", c.Name, o.Outcome, want[mode], timeline(c))
			t.Logf("%+v\n%+v", o.Proof, o.Still)
		}
		if len(o.Survivors) > 0 {
			t.Errorf("%s: survivors %v", c.Name, o.Survivors)
		}
		if !slices.ContainsFunc(o.Events, func(e diagnose.ObservedEvent) bool { return strings.HasPrefix(e.What, "SIGTERM to 1 siglab, from ") }) {
			t.Errorf("%s: the kernel is not heard\n%s", c.Name, timeline(c))
		}
		if c.Agreed != nil && *c.Agreed {
			agreed++
		} else {
			t.Logf("%s: predicted %s, observed %s\n%s", c.Name, c.Verdict, o.Outcome, timeline(c))
		}
	}
	for i, pid := range pids {
		if pid < 2 || syscall.Kill(pid, 0) == nil {
			t.Errorf("%s (PID %d) is still there", names[i], pid)
		}
	}
	if left := instanceOf(t, a.pid); left != "" {
		t.Errorf("the tracing instance %s is left behind", left)
	}
	fmt.Printf("%d containers: started in %.1f s, stopped in %.1f s, %d as predicted\n", n, started.Seconds(), a.took.Seconds(), agreed)
}
