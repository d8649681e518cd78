package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestRings: a process with a ring of asynchronous requests is not promised to die
// where a device below its files does not answer, and is elsewhere.
func TestRings(t *testing.T) {
	for _, c := range []struct {
		name    string
		d       evidence.BlockDevice
		verdict Verdict
		conf    Confidence
		says    string
	}{
		{"one byte in a second", evidence.BlockDevice{Limits: []evidence.IOLimit{{Kind: "write_bps", Value: 1, File: "/sys/fs/cgroup/x/io.max"}}}, Stuck, Assumed, "a request of 4096 bytes takes 68 min"},
		{"fast enough", evidence.BlockDevice{Limits: []evidence.IOLimit{{Kind: "write_bps", Value: 1 << 20}}}, Killed, Certain, ""},
		{"suspended", evidence.BlockDevice{DMName: "vg-data", Suspended: ptr(true)}, Stuck, Assumed, "has files on"},
		{"in order", evidence.BlockDevice{State: "running"}, Killed, Certain, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ns: 1, call: "pause", state: "S", change: func(p *evidence.Process) {
				p.AIO = []evidence.About{{Path: "/d/x", Mount: "/d", FSType: "ext4", Device: "8:0", Via: evidence.ViaAIO}}
			}})
			c.d.Number, c.d.Name = "8:0", "sda"
			s.Targets[0].Devices = []evidence.BlockDevice{c.d}
			got := Judge(s, Options{}).Containers[0]
			want(t, got, c.verdict, c.conf)
			rings := slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == "WS220" })
			if rings != (c.says != "") || !slices.ContainsFunc(got.Findings, func(f Finding) bool { return strings.Contains(f.Summary, c.says) }) {
				t.Errorf("%+v", got.Findings)
			}
		})
	}
}

// TestDevices: a limit counts where the call is long at its rate, and a device where
// it says itself that it does not work. Made by hand but for throttles and loop
// devices, which the hang bed provokes.
func TestDevices(t *testing.T) {
	limit := func(kind string, n uint64) []evidence.IOLimit {
		return []evidence.IOLimit{{Kind: kind, Value: n, File: "/sys/fs/cgroup/x/io.max"}}
	}
	zero := 0
	for _, c := range []struct {
		name string
		d    evidence.BlockDevice
		conf Confidence
		code string
		fix  string
	}{
		{"one byte in a second", evidence.BlockDevice{Limits: limit("write_bps", 1)}, Likely, "WS213", "echo 8:0 wbps=max | sudo tee /sys/fs/cgroup/x/io.max"},
		{"fast enough", evidence.BlockDevice{Limits: limit("write_bps", 1<<20)}, Assumed, "WS213", "echo 8:0 wbps=max | sudo tee /sys/fs/cgroup/x/io.max"},
		{"the other way", evidence.BlockDevice{Limits: limit("read_bps", 1)}, Assumed, "", ""},
		{"suspended", evidence.BlockDevice{DMName: "vg-data", Suspended: ptr(true)}, Likely, "WS214", "sudo dmsetup resume vg-data"},
		{"not suspended", evidence.BlockDevice{DMName: "vg-data", Suspended: ptr(false)}, Assumed, "", ""},
		{"nbd without a client", evidence.BlockDevice{Server: &zero}, Likely, "WS214", "sudo nbd-client -d /dev/sda"},
		{"offline", evidence.BlockDevice{State: "offline"}, Likely, "WS214", "echo 1 | sudo tee /sys/class/block/sda/device/delete"},
		{"running", evidence.BlockDevice{State: "running"}, Assumed, "", ""},
		{"array inactive", evidence.BlockDevice{State: "inactive"}, Likely, "WS214", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			slept := 9000
			s := snapshot(proc{pid: 100, ns: 1, call: "pwrite64", args: [6]uint64{3, 0, 4096}, state: "D", change: func(p *evidence.Process) {
				p.Tasks[0].Stack = []string{"__iomap_dio_rw", "ext4_file_write_iter"}
				p.Tasks[0].Again = &evidence.SecondLook{State: "D", SleptMillis: &slept}
				p.Tasks[0].About = &evidence.About{Path: "/d/x", Mount: "/d", FSType: "ext4", Device: "8:0"}
			}})
			c.d.Number, c.d.Name = "8:0", "sda"
			s.Targets[0].Devices = []evidence.BlockDevice{c.d}
			got := Judge(s, Options{}).Containers[0]
			want(t, got, Stuck, c.conf)
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return strings.HasPrefix(f.Code, "WS213") || f.Code == "WS214" })
			if i < 0 != (c.code == "") || i >= 0 && got.Findings[i].Code != c.code {
				t.Fatalf("%+v", got.Findings)
			}
			if i >= 0 && got.Findings[i].Fixes[0].Command != c.fix {
				t.Errorf("%+v", got.Findings[i].Fixes)
			}
		})
	}
}
