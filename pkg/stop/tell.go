package stop

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// now is the time since the first act in seconds.
func (r *run) now() float64 { return time.Since(r.sent).Seconds() }

func (r *run) note(pid int, what, source string) { r.noteAt(r.now(), pid, what, source) }

// maxSignals bounds what is kept of a container that sends itself signals without
// end: above so many events those of the trace are only counted.
const maxSignals = 2000

func (r *run) noteAt(at float64, pid int, what, source string) {
	if source == fromTrace && len(r.survived.Events) >= maxSignals {
		r.untold++
		return
	}
	r.survived.Events = append(r.survived.Events, diagnose.ObservedEvent{AtSeconds: at, PID: pid, What: what, Source: source})
}

// noteUntold tells how many signals there were beside those kept.
func (r *run) noteUntold() {
	if r.untold > 0 {
		r.survived.Events = append(r.survived.Events, diagnose.ObservedEvent{AtSeconds: r.now(), PID: r.t.PID, What: fmt.Sprintf("%d signals more, not listed", r.untold), Source: fromTrace})
		r.untold = 0
	}
}

func inOrder(events []diagnose.ObservedEvent) {
	slices.SortStableFunc(events, func(a, b diagnose.ObservedEvent) int { return cmp.Compare(a.AtSeconds, b.AtSeconds) })
}

// holdBack is how long an event is kept before it is told: the sources are not
// equally quick, and the reader wants the order in which it happened.
const holdBack = 3 * readEvery

// tell gives what happened until a moment to Progress, in its order.
func (r *run) tell(until float64) {
	events := r.survived.Events[r.told:]
	inOrder(events)
	r.serial.Lock()
	defer r.serial.Unlock()
	for _, e := range events {
		if e.AtSeconds > until {
			return
		}
		r.told++
		if f := r.p.opt.Progress; f != nil {
			f(r.c, e)
		}
	}
}
