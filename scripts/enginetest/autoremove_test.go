package enginetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// auto is a container with --rm and an anonymous volume.
type auto struct {
	name, volume string
	a            answer
}

func (l *lab) auto(t *testing.T, d *bed.Daemon, name string, args ...string) *auto {
	t.Helper()
	l.run(t, d, name, append([]string{"--rm", "-v", "/data"}, args...)...)
	volume := l.docker(t, d, "inspect", "-f", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}`, name)
	t.Cleanup(func() { d.Docker(context.Background(), "volume", "rm", volume) })
	return &auto{name: name, volume: volume, a: l.ask(t, d, name, "-t", "1")}
}

// gone holds that the container is removed, and whether its volume is.
func (x *auto) gone(t *testing.T, l *lab, d *bed.Daemon, volumeToo bool) {
	t.Helper()
	if !bed.Eventually(10*time.Second, func() bool { return l.docker(t, d, "ps", "-aq", "--filter", "name=^"+x.name+"$") == "" }) {
		t.Errorf("%s is still there", x.name)
	}
	is := func() bool { return l.docker(t, d, "volume", "ls", "-q", "--filter", "name="+x.volume) == "" }
	if bed.Eventually(time.Second, func() bool { return is() == volumeToo }); is() != volumeToo {
		t.Errorf("the anonymous volume of %s: gone %v, want %v", x.name, is(), volumeToo)
	}
}

// autoRemove: the end of a container with --rm by each command, where it ends and
// where it hangs. Its removal takes the anonymous volume along; docker rm -f, which
// comes before it, does not.
func (l *lab) autoRemove(t *testing.T) {
	d := l.plain
	m := silent.ForTest(t)
	hang := []string{"-v", m.Dir + ":/mnt", "lab", "-f", "/mnt/hang", "stat"}
	stuck, forced := l.auto(t, d, "auto-stuck", hang...), l.auto(t, d, "auto-forced", hang...)
	stop, rm := l.later(d, "stop", "-t", "1", stuck.name), l.later(d, "rm", "-f", forced.name)

	for name, ends := range map[string][]string{"auto-stop": {"stop", "-t", "1"}, "auto-kill": {"kill"}, "auto-rm": {"rm", "-f"}} {
		x := l.auto(t, d, name, "lab", "exit")
		last := x.a.Stop.Steps[len(x.a.Stop.Steps)-1]
		if !strings.Contains(last.Action, "--rm") || x.a.Stop.Then != "removed" || *x.a.Stop.Status != "removed" {
			t.Errorf("%s: %+v", name, x.a.Stop)
		}
		end := l.later(d, append(ends, name)...)
		end.returns(t, 20*time.Second)
		end.told(t, map[string]diagnose.Command{"stop": x.a.Stop.Command, "kill": x.a.Kill.Command, "rm": x.a.Rm.Command}[ends[0]])
		told := slices.ContainsFunc(x.a.Rm.Steps, func(s diagnose.Step) bool { return strings.Contains(s.Effect, "anonymous volumes stay") })
		if !told {
			t.Errorf("%s: %+v", name, x.a.Rm.Steps)
		}
		x.gone(t, l, d, ends[0] != "rm")
	}

	stop.returns(t, 30*time.Second)
	rm.returns(t, 30*time.Second)
	stop.told(t, stuck.a.Stop.Command)
	rm.told(t, forced.a.Rm.Command)
	for _, x := range []*auto{stuck, forced} {
		if got := l.state(t, d, x.name); !strings.HasPrefix(got, "running") {
			t.Errorf("%s is %s", x.name, got)
		}
		if f := x.a.Rm.Freed; f == nil || f.Status != "removed" {
			t.Errorf("%s, once it is let go: %+v", x.name, f)
		}
	}
	m.Release()
	stuck.gone(t, l, d, true)
	forced.gone(t, l, d, true)
	l.row(t, stuck.a, stop.sums()+", "+rm.sums())
}
