package evidence

// HungLine is what the kernel's watchdog for hung tasks (khungtaskd) has written of
// one task into the kernel's log.
type HungLine struct {
	// AtMillis is when, in milliseconds since boot.
	AtMillis int    `json:"at_ms"`
	TID      int    `json:"tid"`
	Comm     string `json:"comm"`
	// Seconds is for how long at least the task had not run; 0 in a line about the
	// owner of its lock.
	Seconds int `json:"seconds,omitempty"`
	// Owner is the TID that likely owns the lock, 0: the line names none. Lock is the
	// kind of lock: mutex, rw-semaphore, semaphore.
	Owner     int    `json:"owner,omitempty"`
	OwnerComm string `json:"owner_comm,omitempty"`
	Lock      string `json:"lock,omitempty"`
}
