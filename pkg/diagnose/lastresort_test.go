package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestLastResort: a reboot is named only where nothing else is left, and with what
// was ruled out. Made by hand: what needs a reboot cannot be in a bed.
func TestLastResort(t *testing.T) {
	killed := func(p *evidence.Process) { p.Signals.Pending = evidence.SetOf(evidence.SIGKILL) }
	hangs := func(slept int, more func(*evidence.Process), frames ...string) proc {
		return proc{pid: 100, ns: 1, call: "ioctl", state: "D", change: func(p *evidence.Process) {
			p.Tasks[0].Stack = frames
			p.Tasks[0].Again = &evidence.SecondLook{State: "D", SleptMillis: &slept}
			if more != nil {
				more(p)
			}
		}}
	}
	for _, c := range []struct {
		name string
		q    proc
		want bool
		says string // among what was ruled out
	}{
		{"a driver, SIGKILL pending", hangs(60000, killed, "nvidia_ioctl", "vfs_ioctl"), true, "a tracer"},
		{"a moment ago", hangs(400, killed, "nvidia_ioctl"), false, ""},
		{"it may go on: nobody has killed it, and nothing is known", hangs(60000, nil, "odd_driver_wait"), false, ""},
		{"a file system that is frozen", hangs(60000, func(p *evidence.Process) {
			killed(p)
			p.Tasks[0].About = &evidence.About{Mount: "/d", HostMount: "/d", FSType: "ext4", Device: "7:0"}
		}, "percpu_rwsem_wait", "vfs_write"), false, ""},
		{"a server that can come back", hangs(60000, killed, "nfs_wait_on_request"), false, ""},
		{"a tracer", hangs(60000, func(p *evidence.Process) { killed(p); p.TracerPID = 7 }, "odd_driver_wait"), true, "SIGKILL pending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.q), Options{}).Containers[0]
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == "WS224" })
			if (i >= 0) != c.want {
				t.Fatalf("%v: %+v", i, got.Findings)
			}
			if i < 0 {
				return
			}
			var b strings.Builder
			for _, e := range got.Findings[i].Evidence {
				b.WriteString(e.Field + " " + e.Value + " " + e.Says + "\n")
			}
			if !strings.Contains(b.String(), c.says) || c.q.build().TracerPID != 0 && strings.Contains(b.String(), "a tracer") {
				t.Error(b.String())
			}
		})
	}
}
