package enginetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// Two shims for one container: the first one's socket was taken away, as a cleaner
// of /run does, and containerd was restarted. It ends the container, which the
// engine does not hear, and the next start gets a shim of its own.
func (l *lab) twoShims(t *testing.T) {
	d := l.engine(t)
	pid := l.run(t, d, "two", "lab", "exit")
	old := l.shim(t, d, "two")
	removeSocket(t, d, l.id(t, d, "two"))
	d.KillContainerd()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := d.StartContainerd(ctx); err != nil {
		t.Fatal(err)
	}
	if !bed.Eventually(20*time.Second, func() bool { return gone(pid) }) {
		t.Fatal("containerd has not ended it")
	}
	// Whether dockerd hears of it is a race: it has to connect anew.
	if b := l.ask(t, d, "two"); b.Verdict != diagnose.NotRunning {
		b.wants(t, diagnose.Ghost, []string{"WS301"})
		l.docker(t, d, "stop", "two")
	}
	l.docker(t, d, "start", "two")
	pids := shims(l.id(t, d, "two"))
	if len(pids) != 2 {
		t.Fatalf("its shims are %v", pids)
	}
	mine := pids[0] + pids[1] - old
	// What is left of the first run is no hindrance: even stopped it is not to blame.
	heal := hold(t, old)
	l.ask(t, d, "two").wants(t, diagnose.Stops, nil)
	held := hold(t, mine)
	kill := l.later(d, "kill", "-s", "USR1", "two") // takes the lock: all shims are looked for
	time.Sleep(time.Second)
	a := l.ask(t, d, "two")
	a.wants(t, diagnose.Stuck, []string{"WS314", "WS317"}, fmt.Sprintf("kill -CONT %d", mine), fmt.Sprintf("kill -KILL %d", old))
	if strings.Contains(a.text(), fmt.Sprintf("kill -CONT %d", old)) || strings.Contains(a.text(), fmt.Sprintf("kill -KILL %d", mine)) {
		t.Errorf("the shims are mixed up: %s", a.text())
	}
	kill.waits(t)
	heal()
	a.wayOut(t, fmt.Sprintf("kill -KILL %d", old))
	held()
	kill.returns(t, 20*time.Second)
	if got := l.shim(t, d, "two"); got != mine || !strings.HasPrefix(l.state(t, d, "two"), "running") {
		t.Errorf("after the way out: shim %d, %s", got, l.state(t, d, "two"))
	}
	end := l.later(d, "stop", "two")
	end.returns(t, 20*time.Second)
	if s := l.state(t, d, "two"); s != "exited 0" {
		t.Errorf("in the end: %s", s)
	}
	l.row(t, a, kill.sums()+", then "+end.sums())
}

// removeSocket takes away the socket that a container's shim listens on.
func removeSocket(t *testing.T, d *bed.Daemon, id string) {
	t.Helper()
	files, _ := filepath.Glob(d.ContainerdState() + "/io.containerd.runtime.v2.task/moby/" + id + "/address")
	if len(files) != 1 {
		t.Fatalf("the files with the address of %s: %v", id, files)
	}
	address, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(strings.TrimPrefix(string(address), "unix://")); err != nil {
		t.Fatal(err)
	}
}
