package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// TestPodman asks Podman through its Docker-compatible socket: the same commands,
// Podman's own course of a stop. Each docker command is held against its forecast.
func TestPodman(t *testing.T) {
	t.Parallel()
	bed.Require(t, "root", "docker", "gcc", "fuse", "podman", "conmon")
	l := &lab{binary: bed.Whystuck(t)}
	d := bed.StartDaemonWith(t, bed.Options{Podman: true})
	files := map[string]string{"/siglab": bed.StaticProgram(t), "/mnt/": "", "/tmp/": "", "/proc/": "", "/sys/": "", "/dev/": ""}
	if err := d.Import(t.Context(), "lab", files, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	m := silent.ForTest(t)
	image := "localhost/lab"
	hang := []string{"-v", m.Dir + ":/mnt", image, "-f", "/mnt/hang", "child_stat"}
	type play struct {
		name    string
		run     []string
		docker  []string
		verdict diagnose.Verdict
		codes   []string
	}
	plays := []play{
		{"pod-ign", []string{image, "ign"}, []string{"stop", "-t", "2"}, diagnose.Killed, []string{"WS102"}},
		{"pod-exit", []string{image, "exit"}, []string{"stop", "-t", "5"}, diagnose.Stops, nil},
		// Made by the Docker API without a timeout it has 0, and gets no SIGTERM.
		{"pod-zero", []string{image, "exit"}, []string{"stop"}, diagnose.Abrupt, nil},
		{"pod-stuck-stop", hang, []string{"stop", "-t", "2"}, diagnose.Stuck, []string{"WS209"}},
		{"pod-stuck-zero", hang, []string{"stop", "-t", "0"}, diagnose.Stuck, []string{"WS209"}},
		{"pod-stuck-kill", hang, []string{"kill"}, diagnose.Stuck, []string{"WS209"}},
		{"pod-stuck-rm", hang, []string{"rm", "-f"}, diagnose.Stuck, []string{"WS209"}},
		{"pod-paused", []string{image, "exit"}, []string{"stop", "-t", "2"}, diagnose.Stuck, []string{"WS307"}},
		{"pod-paused-kill", []string{image, "exit"}, []string{"kill"}, diagnose.Stuck, []string{"WS307"}},
	}
	l.search(t, d, 0)
	for _, p := range plays {
		l.run(t, d, p.name, p.run...)
		if strings.Contains(p.name, "paused") {
			l.docker(t, d, "pause", p.name)
		}
	}
	time.Sleep(5300 * time.Millisecond) // from 5 s on a wait is a long one
	type try struct {
		a   answer
		c   *command
		say diagnose.Command
	}
	var tries []try
	survivor := 0
	for _, p := range plays {
		var flags []string
		if len(p.docker) > 2 && p.docker[0] == "stop" {
			flags = p.docker[1:]
		}
		a := l.ask(t, d, p.name, flags...)
		a.wants(t, p.verdict, p.codes)
		say := a.Stop.Command
		switch p.docker[0] {
		case "kill":
			say = a.Kill.Command
		case "rm":
			say = a.Rm.Command
		}
		if p.name == "pod-stuck-kill" {
			survivor = childOf(t, a.PID)
		}
		tries = append(tries, try{a, l.later(d, append(slices.Clone(p.docker), p.name)...), say})
	}
	for _, x := range tries {
		l.hold(t, x.a, x.say, x.c)
	}
	l.podmanOrphans(t, d, idOf(t, survivor))
	l.podmanRestart(t, d)
	m.Release()
	if !bed.Eventually(8*time.Second, func() bool { return gone(survivor) }) {
		t.Errorf("process %d was not let go", survivor)
	}
	l.search(t, d, 0)
	slices.Sort(l.rows)
	fmt.Printf("%-20s %-44s %7s  %s\n%s\n", "scene", "whystuck", "answer", "docker", strings.Join(l.rows, "\n"))
}

// podmanOrphans: a kill that failed is booked as stopped, and the process lives.
func (l *lab) podmanOrphans(t *testing.T, d *bed.Daemon, id string) {
	a := l.search(t, d, 1)
	l.holdOrphan(t, a, id, "WS332", "WS209")
	l.row(t, a, "docker kill: 1 orphan")
}

// podmanRestart: the service keeps nothing in memory; its containers do not notice
// that it ends.
func (l *lab) podmanRestart(t *testing.T, d *bed.Daemon) {
	l.run(t, d, "pod-again", "localhost/lab", "ign")
	d.Kill()
	a := l.askAll(t, d, "pod-again")
	if a.exit != 4 || len(a.report.Errors) != 1 {
		t.Errorf("without the service: exit %d, %+v", a.exit, a.report.Errors)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.Start(ctx); err != nil {
		t.Fatal(err)
	}
	b := l.ask(t, d, "pod-again", "-t", "1")
	b.wants(t, diagnose.Killed, []string{"WS102"})
	l.hold(t, b, b.Stop.Command, l.later(d, "stop", "-t", "1", "pod-again"))
}
