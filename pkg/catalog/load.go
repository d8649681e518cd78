package catalog

import "github.com/whystuck/whystuck/pkg/evidence"

// From when on a host is called slow. These are conventions: below them a stop is
// not noticeably late for the host's sake. On a busy build host the CPU's share is
// high all the time, so that it counts only with a long queue.
const (
	slowIO     = 40.0 // percent of 10 s in which all that was not idle waited for a disk
	slowMemory = 10.0 // the same for memory
	slowCPU    = 80.0 // percent in which some task waited for a CPU, and
	slowQueue  = 4.0  // so many tasks to a CPU
)

// Slow names the resources for lack of which everything on a host is late: cpu, io,
// memory. Empty for a host in good order, or of which nothing is known.
func Slow(l *evidence.Load) []string {
	var out []string
	p := l.Pressure
	if l.CPUs > 0 && queue(l) >= slowQueue*float64(l.CPUs) && (p == nil || p["cpu"].Some10 >= slowCPU) {
		out = append(out, "cpu")
	}
	if p["io"].Full10 >= slowIO {
		out = append(out, "io")
	}
	if p["memory"].Full10 >= slowMemory {
		out = append(out, "memory")
	}
	return out
}

// queue is how many tasks want to run: over the last minute, or at this moment.
func queue(l *evidence.Load) float64 {
	if len(l.Averages) == 0 {
		return float64(l.Running)
	}
	return max(l.Averages[0], float64(l.Running))
}
