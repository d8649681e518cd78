package kernel

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const headText = "            runc-27808   [001] d..1.   100.000100: "

func TestTraceLines(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	mark := "        whystuck-1       [000] .....   100.000000: tracing_mark_write: whystuck begins\n"
	at := start.Add(100 * time.Microsecond)
	for name, c := range map[string]struct {
		text string
		want []SignalEvent
	}{
		"sent": {headText + "signal_generate: sig=15 errno=0 code=0 comm=hanglab pid=27576 grp=1 res=1\n",
			[]SignalEvent{{At: at, Signal: 15, PID: 27808, Comm: "runc", Target: 27576, Result: 1}}},
		"taken": {headText + "signal_deliver: sig=15 errno=0 code=0 sa_handler=40169a sa_flags=14000000\n",
			[]SignalEvent{{At: at, Delivered: true, Signal: 15, PID: 27808, Comm: "runc", Handler: 0x40169a}}},
		"by the kernel": {headText + "signal_generate: sig=9 errno=0 code=128 comm=a pid=2 grp=1 res=0\n",
			[]SignalEvent{{At: at, Signal: 9, Code: 128, PID: 27808, Comm: "runc", Target: 2}}},
		"a name of blanks and numbers": {headText + "signal_generate: sig=15 errno=0 code=0 comm=x pid=1 grp=1 r pid=77 grp=1 res=0\n",
			[]SignalEvent{{At: at, Signal: 15, PID: 27808, Comm: "runc", Target: 77}}},
		"a sender with blanks": {"  evil-1   [001] -12   [001] d..1.   100.000100: signal_generate: sig=15 errno=0 code=0 comm=a pid=3 grp=1 res=0\n",
			[]SignalEvent{{At: at, Signal: 15, PID: 12, Comm: "evil-1   [001] ", Target: 3}}},
		"a name with a newline": {headText + "signal_generate: sig=15 errno=0 code=0 comm=a\nb pid=78 grp=1 res=1\n",
			[]SignalEvent{{At: at, Signal: 15, PID: 27808, Comm: "runc", Target: 78, Result: 1}}},
		"of a sender with a newline, the name's end": {"           a\nb-99      [001] d..1.   100.000100: signal_generate: sig=15 errno=0 code=0 comm=c pid=4 grp=1 res=0\n",
			[]SignalEvent{{At: at, Signal: 15, PID: 99, Comm: "b", Target: 4}}},
		"noise before it": {"CPU:1 [LOST 12 EVENTS]\n" + headText + "signal_generate: sig=15 errno=0 code=0 comm=a pid=3 grp=1 res=0\n",
			[]SignalEvent{{At: at, Signal: 15, PID: 27808, Comm: "runc", Target: 3}}},
		"another event": {headText + "sched_switch: prev_comm=a\n", nil},
		"half a line":   {headText + "signal_generate: sig=15", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := traceParser{marked: start}
			if got := p.parse([]byte(mark)); got != nil {
				t.Errorf("the mark gave %v", got)
			}
			got := p.parse([]byte(c.text))
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// Pieces of any size give the same events.
func TestTraceInPieces(t *testing.T) {
	text := headText + "signal_generate: sig=15 errno=0 code=0 comm=a pid=3 grp=1 res=0\n" + headText + "signal_deliver: sig=15 errno=0 code=0 sa_handler=0 sa_flags=0\n"
	for size := 1; size < 90; size++ {
		var p traceParser
		var got []SignalEvent
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got = append(got, p.parse([]byte(rest[:n]))...)
			rest = rest[n:]
		}
		if len(got) != 2 || got[0].Target != 3 || !got[1].Delivered {
			t.Fatalf("in pieces of %d: %v", size, got)
		}
	}
}

func FuzzTraceLines(f *testing.F) {
	f.Add([]byte(headText + "signal_generate: sig=15 errno=0 code=0 comm=a pid=3 grp=1 res=0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p traceParser
		for _, e := range p.parse(text) {
			if e.PID < 0 || e.Target < 0 {
				t.Errorf("%+v", e)
			}
		}
		if len(p.torn) > maxTorn {
			t.Errorf("%d bytes are kept", len(p.torn))
		}
	})
}
