package evidence

// Others are tasks that do not belong to the target and are in the same trouble.
type Others struct {
	// Tasks are those that were looked at, the longest asleep first; bounded.
	Tasks []OtherTask `json:"tasks"`
	// Count is how many tasks there are in all.
	Count int `json:"count"`
	// Whole: every task of the host was looked at. False: the time was up.
	Whole bool `json:"whole"`
	// Mounted are the other containers that have a device mounted on which a task of
	// the target is stuck, stuck themselves or not.
	Mounted []MountUser `json:"mounted,omitempty"`
}

// MountUser is a container that has a file system mounted, by one process in it.
type MountUser struct {
	Container string `json:"container"` // its id
	Name      string `json:"name,omitempty"`
	PID       int    `json:"pid"`
	Comm      string `json:"comm"`
}

// OtherTask is one task of another container or of the host.
type OtherTask struct {
	PID   int    `json:"pid"`
	TID   int    `json:"tid"`
	Comm  string `json:"comm"`
	State string `json:"state"`
	// Kernel: a kernel thread, which is in no container.
	Kernel bool `json:"kernel,omitempty"`
	// Container is the id that its cgroup names, "" for a process of the host;
	// Name is what the engine calls it, "" when it knows none.
	Container string   `json:"container,omitempty"`
	Name      string   `json:"name,omitempty"`
	Wchan     string   `json:"wchan,omitempty"`
	Stack     []string `json:"stack,omitempty"`
	// SleptMillis is how long it has not run; nil: not known.
	SleptMillis *int `json:"slept_ms,omitempty"`
	// About is what it is stuck on itself; nil: not known.
	About *About `json:"about,omitempty"`
}
