package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Lines as Linux 6.18 wrote them of real hangs, and as others do.
func TestParseHung(t *testing.T) {
	for _, c := range []struct {
		record string
		want   evidence.HungLine
		ok     bool
	}{
		{"3,812,245870123,-;INFO: task hanglab:25726 blocked for more than 120 seconds.\n", evidence.HungLine{AtMillis: 245870, TID: 25726, Comm: "hanglab", Seconds: 120}, true},
		{"3,830,245870200,-;INFO: task hanglab:25726 <writer> blocked on an rw-semaphore likely owned by task hanglab:25651 <reader>\n",
			evidence.HungLine{AtMillis: 245870, TID: 25726, Comm: "hanglab", Lock: "rw-semaphore", Owner: 25651, OwnerComm: "hanglab"}, true},
		{"3,831,1000,-;INFO: task a b:7 is blocked on a mutex likely owned by task c:d:9.\n", evidence.HungLine{AtMillis: 1, TID: 7, Comm: "a b", Lock: "mutex", Owner: 9, OwnerComm: "c:d"}, true},
		{"3,831,1000,-;INFO: task a:7 blocked on a semaphore likely last held by task b:9\n", evidence.HungLine{AtMillis: 1, TID: 7, Comm: "a", Lock: "semaphore", Owner: 9, OwnerComm: "b"}, true},
		{"3,831,1000,-;INFO: task dd:8 blocked in I/O wait for more than 30 seconds.\n SUBSYSTEM=block\n", evidence.HungLine{AtMillis: 1, TID: 8, Comm: "dd", Seconds: 30}, true},
		// Written by a program into /dev/kmsg: facility 1.
		{"12,832,1000,-;INFO: task a:7 is blocked on a mutex likely owned by task b:1\n", evidence.HungLine{}, false},
		{"3,833,1000,-;INFO: task a:7 is blocked on a mutex, but the owner is not found.\n", evidence.HungLine{}, false},
		{"3,833,1000,-;      Not tainted 6.18.44\n", evidence.HungLine{}, false},
		{"INFO: task a:7 blocked for more than 120 seconds.", evidence.HungLine{}, false},
		{"", evidence.HungLine{}, false},
	} {
		m, _ := parseRecord([]byte(c.record))
		got, ok := parseHung(m)
		if ok != c.ok || ok && cmp.Diff(c.want, got) != "" {
			t.Errorf("%q: %v %s", c.record, ok, cmp.Diff(c.want, got))
		}
	}
}

func FuzzHung(f *testing.F) {
	f.Add([]byte("3,812,245870123,-;INFO: task hanglab:25726 blocked for more than 120 seconds.\n"))
	f.Add([]byte("3,831,1000,-;INFO: task a b:7 is blocked on a mutex likely owned by task c:d:9.\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _ := parseRecord(data)
		if l, ok := parseHung(m); ok && (l.TID <= 0 || l.AtMillis < 0 || l.Owner < 0 || len(l.Comm) > 240) {
			t.Errorf("%+v", l)
		}
	})
}
