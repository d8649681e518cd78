package evidence

// LogPath is what lies between dockerd and the receiver of a container's log. All
// containers with the same receiver share it: which of dockerd's connections is
// whose nothing tells.
type LogPath struct {
	// Peer is the receiver's address. Removed by redaction.
	Peer string `json:"peer,omitempty"`
	// Connections is how many established ones dockerd has to it.
	Connections int `json:"connections"`
	// Deaf is how many of them stood still over two looks, with data that waits to
	// be sent and the peer's window shut; Unsent is the most that waits in one, in
	// bytes.
	Deaf   int `json:"deaf,omitempty"`
	Unsent int `json:"unsent,omitempty"`
	// Full is how many of these have no room left in their send buffer, so that
	// whoever writes to them waits; nil: not known.
	Full *int `json:"full,omitempty"`
	Unix bool `json:"unix,omitempty"` // a unix socket, which has no window
	// Reader is the process of this network namespace that holds the other end of
	// a deaf one; 0: not found, it may be on another machine or in a container.
	ReaderPID   int    `json:"reader_pid,omitempty"`
	ReaderComm  string `json:"reader_comm,omitempty"`
	ReaderState string `json:"reader_state,omitempty"` // its state letter
	// DaemonTID is a thread of dockerd that hangs in a call on a file in the
	// container's own directory (its log, its state), or Beside that, in another
	// container's; 0: none.
	DaemonTID int  `json:"daemon_tid,omitempty"`
	Beside    bool `json:"beside,omitempty"`
}
