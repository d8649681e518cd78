package watch

import "time"

// Moment is one reading of two clocks. Waiting goes by the first, which never
// jumps; what is told goes by the second, which may.
type Moment struct {
	Mono time.Duration // since the watcher began
	Wall time.Time
}

// jump is how far the wall clock of this host was set between two moments.
func (m Moment) jump(later Moment) time.Duration {
	return later.Wall.Sub(m.Wall) - (later.Mono - m.Mono)
}

// maxJump is what two clocks may differ by without one having been set: the
// moments are read one after the other, on a busy host.
const maxJump = time.Second

// between is the time from one event to another. The engine's own times are the
// better ones, since events may come late; but its clock may have been set in
// between, which this host's shows. A remote engine's clock is not seen.
func between(atA, atB time.Time, a, b Moment) time.Duration {
	byEngine, byUs := atB.Sub(atA), b.Mono-a.Mono
	if set := a.jump(b).Abs() > maxJump; set || byEngine < 0 {
		return max(byUs, 0)
	}
	return byEngine
}
