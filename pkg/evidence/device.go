package evidence

// BlockDevice is a block device that a task of the target is stuck on, or one
// below it.
type BlockDevice struct {
	Number string `json:"number"` // major:minor
	Name   string `json:"name"`   // of the kernel: sda, dm-3, loop0
	// Disk is the number of the whole disk, where this one is a partition.
	Disk string `json:"disk,omitempty"`
	// Holders and Slaves are the devices made of it, and those that it is made of.
	Holders []string `json:"holders,omitempty"`
	Slaves  []string `json:"slaves,omitempty"`
	// Backing is the file of a loop device, and BackingOn the file system that it
	// lies on. Backing is removed by redaction.
	Backing   string `json:"backing,omitempty"`
	BackingOn *About `json:"backing_on,omitempty"`
	// DMName and Suspended are of the device mapper.
	DMName    string `json:"dm_name,omitempty"`
	Suspended *bool  `json:"suspended,omitempty"`
	// State is that of a SCSI or NVMe device (running, offline, blocked, ...) or of
	// an MD array (active, inactive, ...); "" for others.
	State string `json:"state,omitempty"`
	// Server is the PID of an nbd device's client; nil: no nbd device. 0: none.
	Server *int `json:"server,omitempty"`
	// InFlight are the reads and writes that the device has not finished; nil: not
	// known.
	InFlight []int `json:"in_flight,omitempty"`
	// Limits are those of the target's cgroup and its parents for this device.
	Limits []IOLimit `json:"limits,omitempty"`
}

// IOLimit is one limit on input or output.
type IOLimit struct {
	Kind  string `json:"kind"`  // read_bps, write_bps, read_iops, write_iops
	Value uint64 `json:"value"` // bytes or operations in a second
	// File is where it stands, as /sys/fs/cgroup has it. Removed by redaction.
	File string `json:"file"`
}
