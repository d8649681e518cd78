package watchtest

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestEngineHangs stops dockerd under the watcher while it stops a container.
func TestEngineHangs(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	f := l.follow(t, d, "--silent-after", "4s")
	run(t, d, "deaf", "--stop-timeout", "3", "lab", "ign")
	ready(t, d, "deaf")

	start := time.Now()
	stopped := make(chan struct{})
	go func() { defer close(stopped); d.Docker(context.Background(), "stop", "deaf") }()
	time.Sleep(500 * time.Millisecond)
	if err := syscall.Kill(d.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(d.PID(), syscall.SIGCONT) })

	r := f.wait(t, 8*time.Second, "deaf", watch.KindOverrun, watch.StageAssumed)
	if late := r.read.Sub(start) - 3*time.Second; late < 0 || late > soon {
		t.Errorf("told at %s, its time is 3 s", r.read.Sub(start))
	}
	if r.Diagnosis == nil || r.Diagnosis.PID == 0 || *r.TimeoutSource != "container" {
		t.Errorf("no diagnosis by the engine's files: %+v", r.Report)
	}
	silent := f.wait(t, 8*time.Second, "engine", watch.KindEngine, "")
	if !silent.Trouble || silent.SilentSeconds == nil || *silent.SilentSeconds < 4 || len(silent.HostFindings) == 0 {
		t.Errorf("silence: %+v", silent.Report)
	}
	t.Logf("%.1f s: %s", silent.read.Sub(start).Seconds(), silent.Headline)

	if err := syscall.Kill(d.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	ended := f.wait(t, 10*time.Second, "deaf", watch.KindEnded, "")
	if *ended.Outcome != watch.OutcomeKilled || ended.Reconciled {
		t.Errorf("deaf: %+v", ended.Report)
	}
	<-stopped
	time.Sleep(time.Second)
	f.once(t, "deaf", watch.KindEnded)
	if got := f.of("engine", watch.KindEngine); len(got) != 2 || got[1].Trouble {
		t.Errorf("the engine's silence was told %d times", len(got))
	}
}

// TestEngineRestarted kills dockerd and starts it again while its containers
// live: what ends meanwhile is told once.
func TestEngineRestarted(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{Containerd: true, Args: []string{"--live-restore"}})
	f := l.follow(t, d)
	run(t, d, "slow", "lab", "-n", "2", "slow") // ends while dockerd is away
	run(t, d, "shot", "lab", "exit")            // killed from the host while it is away
	run(t, d, "long", "--stop-timeout", "60", "lab", "-n", "12", "slow")
	run(t, d, "calm", "lab", "exit")
	for _, name := range []string{"slow", "shot", "long", "calm"} {
		ready(t, d, name)
	}
	pid, err := strconv.Atoi(docker(t, d, "inspect", "-f", "{{.State.Pid}}", "shot"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"slow", "long"} {
		go d.Docker(context.Background(), "stop", name)
	}
	time.Sleep(time.Second)
	d.Kill()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}

	slow := f.wait(t, 15*time.Second, "slow", watch.KindEnded, "")
	if *slow.Command != watch.CommandStop || !slow.Reconciled {
		t.Errorf("slow: %+v", slow.Report)
	}
	shot := f.wait(t, 15*time.Second, "shot", watch.KindEnded, "")
	if *shot.Outcome != watch.OutcomeUnseen || !shot.Reconciled {
		t.Errorf("shot: %+v", shot.Report)
	}
	t.Logf("slow: %s; shot: %s", slow.Headline, shot.Headline)
	long := f.wait(t, 20*time.Second, "long", watch.KindEnded, "")
	if *long.Outcome != watch.OutcomeStops || long.Reconciled {
		t.Errorf("long: %+v", long.Report)
	}
	docker(t, d, "stop", "calm")
	f.wait(t, 5*time.Second, "calm", watch.KindEnded, "")
	for _, name := range []string{"slow", "shot", "long", "calm"} {
		f.once(t, name, watch.KindEnded)
	}
}

// TestShimStopped stops the shim of a container that is being stopped: no SIGKILL
// gets through, no event tells of it, and the diagnosis does.
func TestShimStopped(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	f := l.follow(t, d)
	run(t, d, "deaf", "--stop-timeout", "3", "lab", "ign")
	ready(t, d, "deaf")
	b, err := os.ReadFile("/proc/" + docker(t, d, "inspect", "-f", "{{.State.Pid}}", "deaf") + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	shim, err := strconv.Atoi(strings.Fields(string(b)[strings.LastIndex(string(b), ")")+2:])[1])
	if err != nil || shim < 2 {
		t.Fatal(shim, err)
	}
	go d.Docker(context.Background(), "stop", "deaf")
	time.Sleep(500 * time.Millisecond)
	if err := syscall.Kill(shim, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(shim, syscall.SIGCONT) })
	for _, stage := range []string{watch.StageAssumed, watch.StageTimeout10} {
		r := f.wait(t, 15*time.Second, "deaf", watch.KindOverrun, stage)
		if c := r.Diagnosis; c == nil || c.Verdict != diagnose.Stuck || c.Layer != diagnose.LayerShim {
			t.Errorf("%s: %+v %s", stage, c, r.DiagnosisNote)
		}
	}
	if err := syscall.Kill(shim, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	ended := f.wait(t, 10*time.Second, "deaf", watch.KindEnded, "")
	if *ended.Command != watch.CommandStop || *ended.ExitCode != 137 {
		t.Errorf("deaf: %+v", ended.Report)
	}
	time.Sleep(500 * time.Millisecond)
	f.once(t, "deaf", watch.KindEnded)
}
