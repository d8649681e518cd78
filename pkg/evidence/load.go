package evidence

// Load is how busy the host was at the look.
type Load struct {
	CPUs int `json:"cpus"`
	// Averages are those of /proc/loadavg over 1, 5 and 15 minutes: tasks that run,
	// want to run, or are in uninterruptible sleep.
	Averages []float64 `json:"averages,omitempty"`
	// Running are the tasks that run or want to at the moment of the look, by the same
	// file: a load that has just begun is not in the averages yet.
	Running int `json:"running,omitempty"`
	// Pressure by resource (cpu, io, memory); nil: not compiled in, or switched off.
	Pressure map[string]Pressure `json:"pressure,omitempty"`
	// Blocked are the tasks of the host in uninterruptible sleep; nil: not counted.
	Blocked *Blocked `json:"blocked,omitempty"`
}

// Pressure is pressure stall information: the share of the last 10 and 60 seconds,
// in percent, in which some task, or all that were not idle (Full), waited for the
// resource.
type Pressure struct {
	Some10 float64 `json:"some10"`
	Some60 float64 `json:"some60"`
	Full10 float64 `json:"full10"`
	Full60 float64 `json:"full60"`
}

// Blocked counts the tasks in uninterruptible sleep by what they sleep in.
type Blocked struct {
	Tasks int `json:"tasks"`
	// ByWait counts them by wait channel; bounded.
	ByWait map[string]int `json:"by_wait,omitempty"`
	// Whole: every task of the host was counted. False: the time was up.
	Whole bool `json:"whole"`
}

// Memory is the state of a target's memory cgroup. It is read where a task of it
// waits for memory or the host is slow; nil numbers are not known, or no limit.
type Memory struct {
	Usage *uint64 `json:"usage,omitempty"` // bytes
	Limit *uint64 `json:"limit,omitempty"` // above it the OOM killer comes
	// High is memory.high of v2, above which every allocation is slowed down; Highs
	// how often that has happened (memory.events).
	High  *uint64 `json:"high,omitempty"`
	Highs *uint64 `json:"highs,omitempty"`
	// OOMKillDisable and UnderOOM are v1's memory.oom_control: with the killer
	// disabled whoever needs memory waits until somebody frees some.
	OOMKillDisable *bool `json:"oom_kill_disable,omitempty"`
	UnderOOM       *bool `json:"under_oom,omitempty"`
	// Path is the cgroup's in its hierarchy.
	Path string `json:"path,omitempty"`
}
