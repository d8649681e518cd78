package engine

import (
	"slices"
	"strings"
)

// An engine in a PID namespace of its own (rootlesskit --pidns, Docker in Docker)
// gives the PIDs that processes have in there, and so does its runtime's record.

// inOurs finds the process of a record by our own numbers. Its number in the
// engine's namespace and its start make sure that it is the one.
func (r runtimeState) inOurs(proc string, engine int) runtimeState {
	level := 0 // of the engine's namespace below ours
	if engine != 0 {
		if level = len(namespacePIDs(proc, engine)) - 1; level <= 0 {
			return r
		}
	}
	switch {
	case r.PID == 0 || r.Start == 0:
		// What the engine will say is the number of another process here, if any.
		r.kept = r.kept && level == 0
		return r
	case level == 0 && startOf(proc, r.PID) == r.Start:
		return r // the engine is dead, and was no deeper than we are
	}
	for _, pid := range allPIDs(proc) {
		numbers := namespacePIDs(proc, pid)
		named := level == 0 && len(numbers) > 1 && slices.Contains(numbers[1:], r.PID) ||
			level > 0 && len(numbers) > level && numbers[level] == r.PID
		if named && startOf(proc, pid) == r.Start {
			r.ours = pid
			return r
		}
	}
	return r
}

// here is the record's process by our own numbers.
func (r runtimeState) here() int {
	if r.ours != 0 {
		return r.ours
	}
	return r.PID
}

func startOf(proc string, pid int) uint64 {
	p, _ := readStats(proc, []int{pid}).get(pid)
	return p.start
}

// namespacePIDs are the numbers of a process, from our namespace inwards: NSpid of
// status. nil: not known.
func namespacePIDs(proc string, pid int) []int {
	b, err := readKernel(procPath(proc, pid, "status"))
	if err != nil {
		return nil
	}
	_, rest, ok := strings.Cut(string(b), "\nNSpid:")
	if !ok {
		return nil
	}
	line, _, _ := strings.Cut(rest, "\n")
	var out []int
	for _, f := range strings.Fields(line) {
		if n, ok := number(f); ok {
			out = append(out, n)
		}
	}
	return out
}
