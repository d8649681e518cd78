package hang

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// ended is how the command that killed came back.
type ended struct {
	returned chan struct{}
	began    time.Time
	seconds  float64
	status   int
	errOut   string
	booked   string // what docker ps -a said then
}

// kill sends SIGKILL the scene's way and returns once it has had its effect.
func (l *lab) kill(t *testing.T, s scene, set []*played) {
	wait := 500 * time.Millisecond
	for _, p := range set {
		p.done = &ended{returned: make(chan struct{}), began: time.Now()}
		switch p.command {
		case "":
			if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
				t.Errorf("killing PID %d: %v", p.pid, err)
			}
			close(p.done.returned)
			continue
		case "stop":
			wait = 4 * time.Second
		default:
			wait = max(wait, 1500*time.Millisecond)
		}
		go l.run(p, p.done)
	}
	time.Sleep(wait)
}

// run gives the docker command and takes its time.
func (l *lab) run(p *played, d *ended) {
	defer close(d.returned)
	args := map[string][]string{"stop": {"stop", "-t", "2"}, "kill": {"kill"}, "rm": {"rm", "-f"}}[p.command]
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	_, d.errOut, d.status = l.d.Docker(ctx, append(args, p.name)...)
	d.seconds = time.Since(d.began).Seconds()
	// docker ps may lag behind the command by a moment.
	bed.Eventually(time.Second, func() bool {
		d.booked = l.booked(p.name)
		return d.status != 0 || d.booked != "running"
	})
}

// booked is what docker ps -a says: "running", "exited 137", "removed".
func (l *lab) booked(name string) string {
	out, _, code := l.d.Docker(context.Background(), "ps", "-a", "--filter", "name=^/"+name+"$", "--format", "{{.State}} {{.Status}}")
	state, status, _ := strings.Cut(strings.TrimSpace(out), " ")
	switch {
	case code != 0:
		return "no answer"
	case state == "":
		return "removed"
	case state == "exited":
		_, status, _ = strings.Cut(status, "(")
		status, _, _ = strings.Cut(status, ")")
		return "exited " + status
	}
	return state
}

// told is what the report forecasts for a command, whichever it is.
type told struct {
	diagnose.Command
	ends   *bool
	status *string
	freed  *diagnose.Freed
}

func forecast(c diagnose.Container, command string) told {
	switch command {
	case "kill":
		return told{c.Kill.Command, c.Kill.ContainerEnds, c.Kill.Status, c.Kill.Freed}
	case "rm":
		return told{c.Rm.Command, c.Rm.ContainerEnds, c.Rm.Status, c.Rm.Freed}
	}
	return told{c.Stop.Command, c.Stop.ContainerEnds, c.Stop.Status, c.Stop.Freed}
}

// patience is how long a command that does not return is waited for.
const patience = 20 * time.Second

// returned holds the command against its forecast of before.
func (l *lab) returned(t *testing.T, s scene, p *played) {
	t.Helper()
	if p.command == "" {
		if s.killable && !bed.Eventually(3*time.Second, func() bool { return gone(p.pid) }) {
			t.Errorf("SIGKILL did not end it: no control at all")
		}
		return
	}
	f := forecast(p.before, p.command)
	if s.never {
		select {
		case <-p.done.returned:
			t.Errorf("docker %s came back after %.1f s (%d: %s): not what this scene is about", p.command, p.done.seconds, p.done.status, p.done.errOut)
		case <-time.After(time.Until(p.done.began.Add(patience))):
		}
		if f.Returns {
			t.Errorf("docker %s hangs, told: %+v", p.command, f.Command)
		}
		return
	}
	<-p.done.returned
	if slices.Contains(s.race, p.command) {
		t.Logf("docker %s: %.1f s, exit status %d, then %s (a race)", p.command, p.done.seconds, p.done.status, p.done.booked)
		return
	}
	p.done.hold(t, p, f)
	if s.killable && !s.accused && !gone(p.pid) {
		t.Errorf("docker %s did not end it: no control at all", p.command)
	}
}

// hold compares: seconds within 2, exit status, error text, what docker ps -a
// says, and whether the container ended.
func (d *ended) hold(t *testing.T, p *played, f told) {
	t.Helper()
	t.Logf("docker %s: %.1f s, exit status %d, then %s: %s", p.command, d.seconds, d.status, d.booked, strings.TrimSpace(d.errOut))
	switch {
	case !f.Returns:
		t.Errorf("docker %s came back, told: never", p.command)
	case f.AfterSeconds == nil && handlerDecides(p) && d.seconds < 2+2+1:
	case f.AfterSeconds == nil:
		t.Errorf("docker %s took %.1f s, and no time was told", p.command, d.seconds)
	case math.Abs(*f.AfterSeconds-d.seconds) > 2:
		t.Errorf("docker %s took %.1f s, told %.1f", p.command, d.seconds, *f.AfterSeconds)
	}
	if f.ExitStatus == nil && f.status == nil && p.before.Verdict == diagnose.Stuck && f.AfterSeconds != nil {
		return // told to be a race
	}
	if f.ExitStatus == nil || *f.ExitStatus != d.status {
		t.Errorf("docker %s: exit status %d, told %v\n%s", p.command, d.status, show(f.ExitStatus), d.errOut)
	}
	if (f.Error == nil) != (d.status == 0) || f.Error != nil && !strings.Contains(d.errOut, *f.Error) {
		t.Errorf("docker %s says %q, told %v", p.command, d.errOut, show(f.Error))
	}
	if f.status == nil || !strings.HasPrefix(d.booked, *f.status) {
		t.Errorf("docker %s: then %s, told %v", p.command, d.booked, show(f.status))
	}
	if f.ends == nil || *f.ends != allGone(p) {
		t.Errorf("docker %s: ended %v, told %v", p.command, allGone(p), show(f.ends))
	}
}

// handlerDecides: when a stop ends is up to a handler that nobody knows.
func handlerDecides(p *played) bool {
	return p.command == "stop" && p.before.Verdict != diagnose.Stuck && p.before.Stop.ExitCode == nil
}

func show[T any](p *T) string {
	if p == nil {
		return "nothing"
	}
	return fmt.Sprint(*p)
}

// freed waits for what the way out does, and holds it against the forecast.
func (l *lab) freed(t *testing.T, s scene, p *played) {
	t.Helper()
	if !bed.Eventually(8*time.Second, func() bool { return allGone(p) }) {
		t.Errorf("the way out did not free it")
		return
	}
	if p.command == "" || slices.Contains(s.race, p.command) {
		return
	}
	if s.never { // what was asked for is carried out
		<-p.done.returned
		if p.done.status != 0 || p.done.booked == "running" {
			t.Errorf("docker %s, let go: exit status %d, then %s: %s", p.command, p.done.status, p.done.booked, p.done.errOut)
		}
		return
	}
	f := forecast(p.before, p.command)
	if f.freed == nil {
		t.Errorf("what becomes of it after docker %s and the way out is not told", p.command)
		return
	}
	want := f.freed.Status
	if f.freed.ExitCode != nil && want == "exited" {
		want += " " + show(f.freed.ExitCode)
	}
	if !bed.Eventually(4*time.Second, func() bool { return strings.HasPrefix(l.booked(p.name), want) }) {
		t.Errorf("after docker %s and the way out: %s, told %s (%s)", p.command, l.booked(p.name), want, f.freed.Says)
	}
}

// allGone: the container's init, and every process that was seen in it.
func allGone(p *played) bool {
	for _, q := range p.before.Processes {
		if q.PID != p.other && q.Note != "not in the container's cgroup" && !gone(q.PID) {
			return false
		}
	}
	return gone(p.pid)
}

// playAgain gives the commands once more, to what the first ones left, and holds
// them against what was said of that.
func (l *lab) playAgain(t *testing.T, s scene, set []*played) {
	var left []*played
	for i, c := range l.ask(t, names(set)...) {
		if c.Stop == nil { // booked as exited by the first time
			continue
		}
		left, set[i].before = append(left, set[i]), c
		set[i].done = &ended{returned: make(chan struct{}), began: time.Now()}
		go l.run(set[i], set[i].done)
	}
	for _, p := range left {
		l.returned(t, s, p)
	}
}

// row is the scene's line in the table at the end.
func (l *lab) row(s scene, p *played) {
	docker := "-"
	if p.command != "" {
		f := forecast(p.before, p.command)
		docker = fmt.Sprintf("%s %.1f s rc %d %s", p.command, p.done.seconds, p.done.status, p.done.booked)
		switch {
		case s.never:
			docker = p.command + " did not return"
		case f.AfterSeconds != nil:
			docker += fmt.Sprintf(", told %.0f s", *f.AfterSeconds)
		}
	}
	free, dead := s.fix, words(p.dead)
	if free == "" {
		free = "by the test"
	}
	if s.killable {
		free, dead = "died of SIGKILL", "-"
	}
	l.mu.Lock()
	l.rows = append(l.rows, fmt.Sprintf("%-20s %-28s %-28s %-40s %s", strings.TrimPrefix(p.name, "hang-"), words(p.before), dead, docker, free))
	l.mu.Unlock()
}
