package watchtest

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

// told is one report and when it was read.
type told struct {
	watch.Report
	read time.Time
}

// follower is a running `whystuck watch --json`.
type follower struct {
	cmd    *exec.Cmd
	stderr *lines
	mu     sync.Mutex
	all    []told
	bad    []string
	ended  chan error
}

// lines collects what is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// follow starts it and waits until it follows.
func (l *lab) follow(t *testing.T, d *bed.Daemon, args ...string) *follower {
	t.Helper()
	f := &follower{cmd: exec.Command(l.binary, append([]string{"watch", "--json"}, args...)...), stderr: &lines{}, ended: make(chan error, 1)}
	f.cmd.Env, f.cmd.Stderr = d.Env(), f.stderr
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s := bufio.NewScanner(out)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			f.add(s.Bytes())
		}
		f.ended <- f.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill()
		<-f.ended
		if t.Failed() {
			t.Logf("watch on standard error:\n%s", f.stderr)
			for _, r := range f.reports(nil) {
				t.Logf("%s %s: %s", r.read.Format("05.000"), name(r), r.Headline)
			}
		}
	})
	f.ready(t, d)
	return f
}

// ready waits until it tells the end of a container that is there for that.
func (f *follower) ready(t *testing.T, d *bed.Daemon) {
	t.Helper()
	name := "probe"
	run(t, d, name, "lab", "default")
	for range 40 {
		docker(t, d, "kill", name)
		if bed.Eventually(500*time.Millisecond, func() bool { return len(f.of(name, watch.KindEnded)) > 0 }) {
			docker(t, d, "rm", "-f", name)
			return
		}
		docker(t, d, "start", name)
	}
	t.Fatalf("watch does not follow: %s", f.stderr)
}

func (f *follower) add(line []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var r watch.Report
	if err := json.Unmarshal(line, &r); err != nil {
		f.bad = append(f.bad, string(line))
		return
	}
	f.all = append(f.all, told{r, time.Now()})
}

// reports gives those that match, in the order told.
func (f *follower) reports(match func(told) bool) []told {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []told
	for _, r := range f.all {
		if match == nil || match(r) {
			out = append(out, r)
		}
	}
	return out
}

func (f *follower) of(container, kind string) []told {
	return f.reports(func(r told) bool { return r.Kind == kind && name(r) == container })
}

func name(r told) string {
	if r.Container == nil {
		return "engine"
	}
	return r.Container.Name
}

// wait waits for one report of a kind and stage ("" any) about a container.
func (f *follower) wait(t *testing.T, within time.Duration, container, kind, stage string) told {
	t.Helper()
	var found []told
	match := func(r told) bool { return stage == "" || r.Stage != nil && *r.Stage == stage }
	if !bed.Eventually(within, func() bool {
		found = slices.DeleteFunc(f.of(container, kind), func(r told) bool { return !match(r) })
		return len(found) > 0
	}) {
		t.Fatalf("nothing was told of %s: %s %s within %s", container, kind, stage, within)
	}
	return found[0]
}

// once checks that a report of this kind was told exactly once.
func (f *follower) once(t *testing.T, container, kind string) {
	t.Helper()
	if got := f.of(container, kind); len(got) != 1 {
		t.Errorf("%s of %s was told %d times", kind, container, len(got))
	}
}

// term sends SIGTERM and gives the time until it has ended.
func (f *follower) term(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-f.ended:
		f.ended <- err
		if err != nil {
			t.Errorf("after SIGTERM: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end after SIGTERM")
	}
	return time.Since(start)
}
