package diagnose

import "slices"

// WorstFirst are the verdicts in the order in which they are told.
func WorstFirst() []Verdict {
	return []Verdict{Stuck, Refused, Ghost, Killed, Abrupt, Unknown, Stops, NotRunning}
}

// Rank is a verdict's place in WorstFirst; what is none comes last.
func Rank(v Verdict) int {
	all := WorstFirst()
	if i := slices.Index(all, v); i >= 0 {
		return i
	}
	return len(all)
}
