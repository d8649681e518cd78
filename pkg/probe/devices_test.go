package probe

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestParseLimits(t *testing.T) {
	if n, ok := parseThrottle([]byte("8:0 1048576\n7:1 1\n7:10 5\n"), "7:1"); !ok || n != 1 {
		t.Errorf("%d, %v", n, ok)
	}
	for _, data := range []string{"", "7:1\n", "7:1 x\n", "7:1 0\n", "7:10 5\n"} {
		if n, ok := parseThrottle([]byte(data), "7:1"); ok {
			t.Errorf("%q gives %d", data, n)
		}
	}
	got := parseIOMax([]byte("8:0 rbps=1 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=1048576 riops=max wiops=120\n"), "8:16", "f")
	want := []evidence.IOLimit{{Kind: "write_bps", Value: 1048576, File: "f"}, {Kind: "write_iops", Value: 120, File: "f"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte("8:16 rbps=max wbps=1048576 riops=max wiops=120\n"), "8:16")
	f.Add([]byte("8:16 =\n8:16\n"), "8:16")
	f.Fuzz(func(t *testing.T, data []byte, number string) {
		parseThrottle(data, number)
		for _, l := range parseIOMax(data, number, "") {
			if l.Kind == "" {
				t.Errorf("%+v", l)
			}
		}
	})
}

// A volume of the device mapper that is suspended, on a partition of a disk whose
// path is gone. Made by hand: the beds have no device mapper.
func TestFixtureDevices(t *testing.T) {
	p := New(tree(t, map[string]string{
		"sys/dev/block/253:0":                         "-> ../../devices/virtual/block/dm-0",
		"sys/devices/virtual/block/dm-0/dm/name":      "vg-data\n",
		"sys/devices/virtual/block/dm-0/dm/suspended": "1\n",
		"sys/devices/virtual/block/dm-0/slaves/sdb1":  "",
		"sys/devices/virtual/block/dm-0/inflight":     "       2       17\n",
		"sys/class/block/sdb1/dev":                    "8:17\n",
		"sys/dev/block/8:17":                          "-> ../../devices/pci/block/sdb/sdb1",
		"sys/devices/pci/block/sdb/sdb1/partition":    "1\n",
		"sys/devices/pci/block/sdb/dev":               "8:16\n",
		"sys/devices/pci/block/sdb/device/state":      "offline\n",
		"sys/fs/cgroup/cgroup.controllers":            "io\n",
		"sys/fs/cgroup/a/b/io.max":                    "8:16 rbps=max wbps=1 riops=max wiops=max\n",
		"sys/fs/cgroup/a/io.max":                      "8:16 rbps=max wbps=max riops=9 wiops=max\n",
	}))
	r := p.newReader()
	defer r.close()
	got := r.devices([]string{"0:42", "253:0"})
	suspended := true
	want := []evidence.BlockDevice{
		{Number: "253:0", Name: "dm-0", Slaves: []string{"sdb1"}, DMName: "vg-data", Suspended: &suspended, InFlight: []int{2, 17}},
		{Number: "8:17", Name: "sdb1", Disk: "8:16", State: "offline"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	limits := r.ioLimits(&got[1], p.groupAt("", "/a/b"), nil)
	if len(limits) != 2 || !slices.ContainsFunc(limits, func(l evidence.IOLimit) bool { return l.Kind == "write_bps" && l.Value == 1 }) {
		t.Errorf("limits %+v, want those of the cgroup and of its parent", limits)
	}
}
