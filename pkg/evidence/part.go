package evidence

// The roles of a Part.
const (
	RoleDaemon     = "dockerd"
	RoleContainerd = "containerd"
	RoleShim       = "shim"
	// RoleCleaner is a shim that containerd has started to remove a container
	// whose own shim is gone; it lives for a moment.
	RoleCleaner = "shim-delete"
	// RoleClient is a docker command on this host that runs something in the
	// container.
	RoleClient = "client"
)

// Part is one of the processes that a docker command passes through on its way
// to a container.
type Part struct {
	Role string `json:"role"`
	PID  int    `json:"pid"` // 0: there is none, or it is not known
	// Address is the unix socket that it is reached at. Removed by redaction.
	Address string `json:"address,omitempty"`
	// Trouble is how a connection to Address went: "" (well, or not tried),
	// "refused" (nobody listens), "gone" (no such socket), "denied", "timeout".
	Trouble string `json:"trouble,omitempty"`
	// ByDaemon: dockerd has started it, and starts a new one when it ends.
	ByDaemon bool `json:"by_daemon,omitempty"`
	// Process is what was seen of it: the leader and those of its threads that are
	// neither asleep nor running. nil: there is none, or it could not be read.
	Process *Process `json:"process,omitempty"`
	// Below are the runtime's processes (runc) that a shim has started and waits
	// for.
	Below []Process `json:"below,omitempty"`
	// FUSE are the connections that its tasks or those Below wait for.
	FUSE []FUSEConn `json:"fuse,omitempty"`
}

// Birth is what the runtime's directories say of a container that may not have
// come to life yet.
type Birth struct {
	// Record: the runtime has a state.json, so `runc create` has begun.
	Record bool `json:"record"`
	// Unstarted: exec.fifo is there. runc init holds it until `runc start`.
	Unstarted bool `json:"unstarted"`
	// LastError is the runtime's last error from log.json. Paths in it are removed
	// by redaction.
	LastError string `json:"last_error,omitempty"`
}
