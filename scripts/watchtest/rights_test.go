package watchtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// TestRights holds the table of docs/fleet.md: what the watcher's container can
// say of others with which rights.
func TestRights(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	bed.Require(t, "fuse")
	d := l.engine(t, bed.Options{})
	if err := d.Import(t.Context(), "whystuck", map[string]string{"/whystuck": l.binary}, `ENTRYPOINT ["/whystuck"]`); err != nil {
		t.Fatal(err)
	}
	m, err := silent.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Release()
		d.Docker(t.Context(), "rm", "-f", "fuse")
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	run(t, d, "deaf", "lab", "ign")
	run(t, d, "user", "--user", "1000", "lab", "sigwait")
	run(t, d, "fuse", "-v", m.Dir+":/mnt", "lab", "-f", "/mnt/hang", "stat")
	ready(t, d, "deaf")
	common := []string{"run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "-v", strings.TrimPrefix(d.Host(), "unix://") + ":/var/run/docker.sock"}
	host := []string{"--pid", "host", "--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:ro"}
	read := []string{"--cap-add", "SYS_PTRACE", "--cap-add", "DAC_READ_SEARCH"}
	// SYS_ADMIN and not BPF and PERFMON, which engines before 23.0 do not know.
	all := []string{"--cap-add", "SYS_ADMIN"}
	for _, level := range []struct {
		name string
		args []string
		want string
	}{
		{"socket", nil, "deaf unknown, fuse unknown, user unknown"},
		{"host", host, "deaf killed likely without its stack, fuse unknown without its stack, user unknown without its stack"},
		{"read", append(host, read...), "deaf killed certain, fuse stuck without its stack, user stops"},
		{"all", append(append(host, read...), all...), "deaf killed certain, fuse stuck, user stops"},
	} {
		args := append(append(append([]string{}, common...), level.args...), "whystuck", "--json", "deaf", "user", "fuse")
		out, errOut, _ := d.Docker(t.Context(), args...)
		var r diagnose.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%s: %v\n%s%s", level.name, err, out, errOut)
		}
		var got []string
		for _, c := range r.Containers {
			text := fmt.Sprintf("%s %s", c.Name, c.Verdict)
			if c.Verdict == diagnose.Killed { // of a hang it depends on how long it was seen to last
				text += " " + string(c.Confidence)
			}
			if slices.ContainsFunc(c.Gaps, func(g diagnose.Gap) bool { return strings.HasSuffix(g.Path, "/stack") }) {
				text += " without its stack"
			}
			got = append(got, text)
			t.Logf("%s: %s: %s, gaps %v", level.name, text, c.Headline, c.Gaps)
		}
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != level.want {
			t.Errorf("%s: %s, want %s", level.name, text, level.want)
		}
	}
}
