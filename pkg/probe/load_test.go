package probe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const pressureFile = "some avg10=98.81 avg60=97.67 avg300=69.88 total=514373111\nfull avg10=1.50 avg60=0.25 avg300=0.00 total=0\n"

func TestParsePressure(t *testing.T) {
	want := evidence.Pressure{Some10: 98.81, Some60: 97.67, Full10: 1.5, Full60: 0.25}
	if got, ok := parsePressure([]byte(pressureFile)); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	// cpu had no full line before Linux 5.13.
	if got, ok := parsePressure([]byte("some avg10=3.00 avg60=0.00 avg300=0.00 total=0\n")); !ok || got.Some10 != 3 {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, bad := range []string{"", "some\n", "some avg10=x avg60=1 total=0\n", "some avg10=101 avg60=1\n", "some avg10=NaN avg60=1\n", "full avg10=1.00 avg60=1.00 avg300=0 total=0\n"} {
		if got, ok := parsePressure([]byte(bad)); ok {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
}

func TestParseLoadavg(t *testing.T) {
	for text, want := range map[string]int{"18.66 12.85 6.45 15/638 19083\n": 15, "0.1 0.2 0.3\n": 0, "0.1 0.2 0.3 x/1 1\n": 0, "0.1 0.2 0.3 -4/1 1\n": 0, "": 0} {
		if got := parseRunning([]byte(text)); got != want {
			t.Errorf("%q: %d run", text, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(pressureFile))
	f.Add([]byte("18.66 12.85 6.45 15/638 19083\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := parsePressure(data); ok && !(p.Some10 >= 0 && p.Some10 <= 100 && p.Full60 <= 100) {
			t.Errorf("%+v", p)
		}
		for _, v := range parseLoadavg(data) {
			if !(v >= 0 && v <= 1e6) {
				t.Errorf("load %v", v)
			}
		}
		if n := parseRunning(data); n < 0 || n > 1e6 {
			t.Errorf("running %d", n)
		}
		eventCount(data, "high")
	})
}

// A v2 container above its memory.high: it is read because a task waits for memory.
func TestFixtureMemoryHigh(t *testing.T) {
	files := base()
	inD := strings.Replace(statusFull, "S (sleeping)", "D (disk sleep)", 1)
	files["proc/5/wchan"] = "mem_cgroup_handle_over_high"
	files["proc/5/stat"] = "5 (sh) D" + statTail[2:]
	files["proc/5/status"], files["proc/5/task/5/status"] = inD, inD
	files["proc/5/stack"] = "[<0>] mem_cgroup_handle_over_high+0x1/0x2\n"
	for name, text := range map[string]string{
		"memory.current": "9000000\n", "memory.high": "8388608\n", "memory.max": "max\n",
		"memory.events": "low 0\nhigh 412\nmax 0\noom 0\n", "memory.pressure": pressureFile,
	} {
		files[groupDir+"/"+name] = text
	}
	got := lookAtTree(t, files)
	n := func(v uint64) *uint64 { return &v }
	want := &evidence.Memory{Usage: n(9000000), High: n(8388608), Highs: n(412), Path: path64}
	if d := cmp.Diff(want, got.Memory); d != "" {
		t.Error(d)
	}
	if got.Pressure["memory"].Some10 != 98.81 {
		t.Errorf("pressure %+v", got.Pressure)
	}
	if got := lookAtTree(t, base()); got.Memory != nil || got.Pressure != nil {
		t.Errorf("read of a container where nobody waits for memory: %+v %+v", got.Memory, got.Pressure)
	}
}
