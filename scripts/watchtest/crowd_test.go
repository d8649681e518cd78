package watchtest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestCrowd stops 200 containers at once, of which one in ten ignores it: every end
// and every overrun is told, and once. What the watcher costs while nothing
// happens, and what a scan costs, is measured on the way.
func TestCrowd(t *testing.T) {
	l := newLab(t)
	n := 200
	if s := os.Getenv("WHYSTUCK_WATCH_CROWD"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	d := l.engine(t, bed.Options{})
	f := l.follow(t, d)
	names := make([]string, n)
	next := make(chan string)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for name := range next {
				mode := "exit"
				switch name[len(name)-1] {
				case '7':
					mode = "exit143"
				case '3':
					mode = "ign"
				}
				if _, err := d.Run(t.Context(), "--name", name, "--log-driver", "none", "lab", mode); err != nil {
					t.Error(err)
				}
			}
		})
	}
	start := time.Now()
	for i := range names {
		names[i] = fmt.Sprintf("crowd%d", i)
		next <- names[i]
	}
	close(next)
	wg.Wait()
	t.Logf("%d containers started in %s", n, time.Since(start).Round(time.Second))
	time.Sleep(2 * time.Second)

	used, since := cpu(t, f.cmd.Process.Pid), time.Now()
	time.Sleep(10 * time.Second)
	share := (cpu(t, f.cmd.Process.Pid) - used).Seconds() / time.Since(since).Seconds()
	fmt.Printf("idle with %d containers: %.2f %% of a core, %d MiB resident\n", n, 100*share, resident(t, f.cmd.Process.Pid)>>20)

	l.costOfScan(t, d, n)

	start = time.Now()
	out, errOut, code := d.Docker(t.Context(), append([]string{"stop", "-t", "8"}, names...)...)
	if code != 0 || len(strings.Fields(out)) != n {
		t.Fatalf("docker stop: exit %d, %s", code, errOut)
	}
	t.Logf("%d stopped in %s", n, time.Since(start).Round(time.Millisecond))
	ends := func() []told {
		return f.reports(func(r told) bool { return r.Kind == watch.KindEnded && strings.HasPrefix(name(r), "crowd") })
	}
	bed.Eventually(5*time.Second, func() bool { return len(ends()) >= n })
	codes := map[string]string{}
	for line := range strings.Lines(docker(t, d, append([]string{"inspect", "-f", "{{.Name}} {{.State.ExitCode}}"}, names...)...)) {
		name, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		codes[strings.TrimPrefix(name, "/")] = code
	}
	seen := map[string]int{}
	for _, r := range ends() {
		seen[name(r)]++
		outcome := watch.OutcomeStops
		if codes[name(r)] == "137" {
			outcome = watch.OutcomeKilled
			if over := f.of(name(r), watch.KindOverrun); len(over) != 1 || *over[0].Stage != watch.StageTimeout {
				t.Errorf("%s was killed, and %d overruns were told", name(r), len(over))
			}
		}
		if got := strconv.Itoa(*r.ExitCode); got != codes[name(r)] || *r.Outcome != outcome || r.Reconciled {
			t.Errorf("%s: %s, exit code %s, docker says %s", name(r), *r.Outcome, got, codes[name(r)])
		}
	}
	for _, name := range names {
		if seen[name] != 1 {
			t.Errorf("the end of %s was told %d times", name, seen[name])
		}
	}
	undiagnosed := f.reports(func(r told) bool { return r.Kind == watch.KindOverrun && r.Diagnosis == nil })
	overruns := f.reports(func(r told) bool { return r.Kind == watch.KindOverrun })
	fmt.Printf("%d overruns at once, %d of them without a diagnosis\n", len(overruns), len(undiagnosed))
	fmt.Printf("after %d stops: %d MiB resident\n", n, resident(t, f.cmd.Process.Pid)>>20)
	if took := f.term(t); took > time.Second {
		t.Errorf("it took %s to end after SIGTERM", took)
	}
}

// costOfScan measures one scan of all, with another watcher.
func (l *lab) costOfScan(t *testing.T, d *bed.Daemon, n int) {
	address := address(t)
	cmd := exec.Command(l.binary, "watch", "-q", "--metrics", address, "--scan-every", "1h")
	cmd.Env = d.Env()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	start := time.Now()
	if !bed.Eventually(time.Minute, func() bool {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		page, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(page), "whystuck_scan_timestamp_seconds ")
	}) {
		t.Error("the scan does not end")
		return
	}
	fmt.Printf("a scan of %d containers: %s of a core in %s, %d MiB resident\n", n, cpu(t, cmd.Process.Pid), time.Since(start).Round(100*time.Millisecond), resident(t, cmd.Process.Pid)>>20)
}

// cpu is the processor time that a process has used.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b)[strings.LastIndex(string(b), ")")+2:])
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// resident is the memory of a process in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize()
}
