package smoke

import (
	"time"

	"github.com/whystuck/whystuck/pkg/probe"
)

// settling tells when a container's processes have become what they will be: no
// new kind of process and no more of a kind than before, for some time in which
// they mostly slept.
//
// Kinds, not PIDs: a loop of `sleep 1` has a new process every second and is at
// rest all the same. What arranges for signals is part of a kind: a program that
// has not installed its handlers yet is not ready.
type settling struct {
	need    time.Duration // how long nothing may change
	most    map[kind]int  // the most of each kind that were there at once
	changed time.Time     // when that rose last
	recent  []sample      // of the last need
}

type kind struct {
	comm            string
	ignored, caught uint64
}

type sample struct {
	at   time.Time
	busy bool
}

// patient is how many times longer those are watched who never rest: a program
// that spins is as ready as it will ever be.
const patient = 5

// add takes a look at the processes and tells whether they have settled.
func (s *settling) add(at time.Time, members []probe.Member) bool {
	if s.most == nil {
		s.most, s.changed = map[kind]int{}, at
	}
	now, busy := map[kind]int{}, false
	for _, m := range members {
		now[kind{m.Comm, uint64(m.Ignored), uint64(m.Caught)}]++
		busy = busy || m.Busy
	}
	for k, n := range now {
		if n > s.most[k] {
			s.most[k], s.changed = n, at
		}
	}
	for len(s.recent) > 0 && at.Sub(s.recent[0].at) > s.need {
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, sample{at, busy})
	quiet := at.Sub(s.changed)
	return quiet >= s.need && s.resting() || quiet >= patient*s.need
}

// resting: seen at work in at most a quarter of the recent looks, and there were
// looks enough to say so.
func (s *settling) resting() bool {
	n := 0
	for _, r := range s.recent {
		if r.busy {
			n++
		}
	}
	return len(s.recent) >= 3 && 4*n <= len(s.recent)
}
