package enginetest

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// The shim is gone while containerd is away: stopped first, which keeps every
// command; then dead, where dockerd kills by itself in the end.
func (l *lab) shimGone(t *testing.T) {
	d := l.engine(t)
	pids := map[string]int{}
	for _, name := range []string{"gone-held", "gone-stop", "gone-kill", "gone-rm", "gone-term"} {
		pids[name] = l.run(t, d, name, "lab", "exit")
	}
	heal := hold(t, d.ContainerdPID())
	l.killShim(t, d, "gone-held")
	held := l.ask(t, d, "gone-held")
	held.wants(t, diagnose.Stuck, []string{"WS313", "WS316"}, fmt.Sprintf("kill -TERM %d", pids["gone-held"]))
	held.never(t)
	stop := l.later(d, "stop", "-t", "1", "gone-held")
	time.Sleep(3 * time.Second)
	stop.waits(t)
	held.wayOut(t, "kill -CONT")
	heal()
	stop.returns(t, 40*time.Second)
	if s := l.state(t, d, "gone-held"); s != "exited 137" {
		t.Errorf("ended by containerd: %s", s)
	}

	start := healing(t, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		if err := d.StartContainerd(ctx); err != nil {
			t.Errorf("starting containerd again: %v", err)
		}
	})
	d.KillContainerd()
	answers := map[string]answer{}
	for name := range pids {
		if name != "gone-held" {
			l.killShim(t, d, name)
			answers[name] = l.ask(t, d, name, "-t", "3")
			answers[name].wants(t, diagnose.Ghost, []string{"WS312", "WS316"})
		}
	}
	stop = l.later(d, "stop", "-t", "3", "gone-stop")
	kill, rm := l.later(d, "kill", "gone-kill"), l.later(d, "rm", "-f", "gone-rm")
	answers["gone-term"].wayOut(t, "kill -TERM")
	if !bed.Eventually(5*time.Second, func() bool { return gone(pids["gone-term"]) }) {
		t.Error("it did not take its stop signal")
	}
	stop.returns(t, 40*time.Second)
	kill.returns(t, 40*time.Second)
	rm.returns(t, 40*time.Second)
	stop.told(t, answers["gone-stop"].Stop.Command)
	kill.told(t, answers["gone-kill"].Kill.Command)
	rm.told(t, answers["gone-rm"].Rm.Command)
	for _, name := range []string{"gone-stop", "gone-kill", "gone-rm"} {
		if !gone(pids[name]) {
			t.Errorf("%s was to die, and lives", name)
		}
	}
	t.Logf("stop %s\nkill %s\nrm %s", stop.message, kill.message, rm.message)
	start()
	// Beside each other: the end of each is booked after 10 s.
	var ends []*command
	for name := range pids {
		ends = append(ends, l.later(d, "rm", "-f", name))
	}
	for _, c := range ends {
		c.done()
	}
	a := answers["gone-stop"]
	l.row(t, a, strings.Join([]string{stop.sums(), kill.sums(), rm.sums()}, ", "))
}

// killShim ends the shim of a container.
func (l *lab) killShim(t *testing.T, d *bed.Daemon, name string) {
	t.Helper()
	pid := l.shim(t, d, name)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !bed.Eventually(5*time.Second, func() bool { return gone(pid) }) {
		t.Fatalf("the shim %d does not die", pid)
	}
}
