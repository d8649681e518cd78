package evidence

// About is the thing that a task's system call is about: which file, on which
// mount. It is only looked for where a task may hang. Empty strings are not
// known.
type About struct {
	// Path is the file as the task's own root shows it. Removed by redaction.
	Path string `json:"path,omitempty"`
	// Mount is the mount point that holds Path, as the task's own root shows it;
	// HostMount is one of the same device in the observer's own mount namespace.
	// Both are removed by redaction.
	Mount     string `json:"mount,omitempty"`
	HostMount string `json:"host_mount,omitempty"`
	FSType    string `json:"fs_type,omitempty"` // ext4, fuse.sshfs, nfs4, ...
	// Source is the device or server of the mount, and for an overlay its upper
	// directory. Removed by redaction.
	Source string `json:"source,omitempty"`
	Device string `json:"device,omitempty"` // major:minor, as in mountinfo
	// Under is the device of the file system below an overlay's upper directory:
	// what is written to the overlay waits there.
	Under string `json:"under,omitempty"`
	// Via is where the path comes from: one of the constants below.
	Via string `json:"via"`
}

// Values of About.Via. A path in an argument is as the program wrote it: a
// symbolic link in it may lead to another mount, which a descriptor's link
// cannot.
const (
	ViaFD       = "fd"
	ViaArgument = "syscall argument"
	// ViaOnlyMount: no path is known, but the task waits for a FUSE server and
	// sees one FUSE mount only.
	ViaOnlyMount = "only FUSE mount"
	// ViaAIO: a file that is open in a process with a ring of io_setup.
	ViaAIO = "aio"
)

// FUSEConn is one process that holds a FUSE connection which a task of the
// target waits for: its server. A connection whose server was not found has
// ServerPID 0.
type FUSEConn struct {
	// Device is the minor number of the mount's device; Connection the directory
	// in /sys/fs/fuse/connections, which is the whole device number.
	Device     int `json:"device"`
	Connection int `json:"connection"`

	ServerPID  int    `json:"server_pid,omitempty"`
	ServerComm string `json:"server_comm,omitempty"`
	// ServerState is the state letter of its leader, "" when not known.
	ServerState string `json:"server_state,omitempty"`
	// Waiting is the number of requests not yet answered, from fusectl; nil where
	// that is not mounted.
	Waiting *int `json:"waiting,omitempty"`
	// ServerIdle: a thread of it sleeps in a read of the connection. The kernel
	// puts a reader to sleep only while no request is queued
	// (fs/fuse/dev.c fuse_dev_do_read), so every request that is waited for has
	// been read. false: none does, and nothing tells what is still queued. nil:
	// could not be read.
	ServerIdle *bool `json:"server_idle,omitempty"`
}
