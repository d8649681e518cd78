package smoke

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/probe"
)

// settledAfter feeds looks of 50 ms and gives when the settling said yes, -1 when
// it has not within half a minute.
func settledAfter(see func(at time.Duration) []probe.Member) time.Duration {
	s := settling{need: time.Second}
	begin := time.Unix(0, 0)
	for at := time.Duration(0); at < 30*time.Second; at += turn {
		if s.add(begin.Add(at), see(at)) {
			return at
		}
	}
	return -1
}

func TestSettling(t *testing.T) {
	sleeper := probe.Member{PID: 1, Comm: "app"}
	busy := sleeper
	busy.Busy = true
	handler := sleeper
	handler.Caught = 1 << 14
	cases := []struct {
		name string
		see  func(at time.Duration) []probe.Member
		want time.Duration
	}{
		{"sleeps from the first look on", func(time.Duration) []probe.Member { return []probe.Member{sleeper} }, time.Second},
		{"installs its handler after 3 s", func(at time.Duration) []probe.Member {
			if at < 3*time.Second {
				return []probe.Member{sleeper}
			}
			return []probe.Member{handler}
		}, time.Second}, // the price of a short settle time: --settle, or say by what it is ready
		{"works for 3 s, then has its handler", func(at time.Duration) []probe.Member {
			if at < 3*time.Second {
				return []probe.Member{busy}
			}
			return []probe.Member{handler}
		}, 4 * time.Second},
		{"spins for ever", func(time.Duration) []probe.Member { return []probe.Member{busy} }, 5 * time.Second},
		{"works every now and then", func(at time.Duration) []probe.Member {
			if at%(200*time.Millisecond) == 0 {
				return []probe.Member{busy}
			}
			return []probe.Member{sleeper}
		}, 1050 * time.Millisecond}, // 6 of 21 looks at first
		{"a loop of short commands", func(at time.Duration) []probe.Member {
			return []probe.Member{sleeper, {PID: int(100 + at/(100*time.Millisecond)), Comm: "sleep"}}
		}, time.Second},
		{"one more worker each half second until there are 4", func(at time.Duration) []probe.Member {
			all := []probe.Member{sleeper}
			for i := range min(int(at/(500*time.Millisecond)), 4) {
				all = append(all, probe.Member{PID: 10 + i, Comm: "worker"})
			}
			return all
		}, 3 * time.Second},
		{"forks for ever", func(at time.Duration) []probe.Member {
			return make([]probe.Member, 1+at/turn)
		}, -1},
	}
	for _, c := range cases {
		if got := settledAfter(c.see); got != c.want {
			t.Errorf("%s: settled after %s, want %s", c.name, got, c.want)
		}
	}
}
