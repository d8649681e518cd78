package probe

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestParseRecord(t *testing.T) {
	for text, want := range map[string]Message{
		"6,339,5140900,-;NET: Registered protocol family 10\n":        {5140900 * time.Microsecond, "NET: Registered protocol family 10", false},
		"30,340,5690716,-,caller=T12;udevd[80]: starting; now\n":      {5690716 * time.Microsecond, "udevd[80]: starting; now", true},
		"7,160,424069,-;pci_root: [io  0x0]\n SUBSYSTEM=acpi\n D=1\n": {424069 * time.Microsecond, "pci_root: [io  0x0]", false},
	} {
		if got, ok := parseRecord([]byte(text)); !ok || got != want {
			t.Errorf("%q: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", ";", "6,1;x", "6,1,x,-;y", "no record"} {
		if got, ok := parseRecord([]byte(text)); ok {
			t.Errorf("%q gives %+v", text, got)
		}
	}
}

// It ends with the log, passes over what was overwritten, and is bounded.
func TestReadRecords(t *testing.T) {
	records := []any{"6,1,10,-;keep one\n", unix.EPIPE, "6,3,30,-;drop\n", unix.EINTR, "6,4,40,-;keep two\n", unix.EAGAIN}
	read := func(b []byte) (int, error) {
		r := records[0]
		records = records[1:]
		if err, ok := r.(error); ok {
			return 0, err
		}
		return copy(b, r.(string)), nil
	}
	keep := func(m Message) bool { return strings.HasPrefix(m.Text, "keep") }
	kept, gap := readRecords(t.Context(), read, keep)
	if gap != nil || len(kept) != 2 || kept[1].Text != "keep two" || kept[1].Since != 40*time.Microsecond {
		t.Errorf("%+v, %+v", kept, gap)
	}

	forever := func(b []byte) (int, error) { return copy(b, "6,1,10,-;keep\n"), nil }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	kept, gap = readRecords(ctx, forever, keep)
	if gap == nil || gap.Kind != evidence.GapSkipped || len(kept) != maxLogKept {
		t.Errorf("%d kept, %+v", len(kept), gap)
	}
	denied := func([]byte) (int, error) { return 0, unix.EPERM }
	if _, gap := readRecords(t.Context(), denied, keep); gap == nil || gap.Kind != evidence.GapDenied {
		t.Errorf("%+v", gap)
	}
}

// The log of this machine is read within its time, or it is said why not.
func TestMessages(t *testing.T) {
	start := time.Now()
	kept, gap := New(Config{}).Messages(t.Context(), func(Message) bool { return true })
	if took := time.Since(start); took > 2*logPatience {
		t.Errorf("it took %v", took)
	}
	if len(kept) == 0 && gap == nil {
		t.Error("an empty log without a reason")
	}
}

// A bug in what picks the records is the caller's to see, not the program's end.
func TestMessagesBug(t *testing.T) {
	read := false
	pick := func(Message) bool { read = true; panic("a bug") }
	var gap *evidence.Gap
	bug := beside.Catch(func() { _, gap = New(Config{}).Messages(t.Context(), pick) })
	if gap != nil {
		t.Skipf("SKIPPED: the kernel's log is not readable: %s", gap.Kind)
	}
	if read && (bug == nil || bug.Value != "a bug") {
		t.Errorf("got %v", bug)
	}
}
