package evidence

// Removal is what lies in the way of a removal that has failed; it is read of a
// dead container only.
type Removal struct {
	// Dirs are the container's own directories that are still there. Removed by
	// redaction.
	Dirs []string `json:"dirs,omitempty"`
	// Entries were looked at for an attribute; Whole: there were no others.
	Entries int        `json:"entries"`
	Whole   bool       `json:"whole"`
	Held    []HeldFile `json:"held,omitempty"`
	// Mount is what the directories lie on, as dockerd sees it; nil: not read.
	Mount *RemovalMount `json:"mount,omitempty"`
}

// Kinds of a HeldFile.
const (
	HeldImmutable  = "immutable"   // chattr +i: neither it nor what is in it can be unlinked
	HeldAppendOnly = "append-only" // chattr +a: the same
	HeldSwap       = "swap"        // the kernel swaps to it
)

// HeldFile is a file or directory that the kernel lets nobody unlink.
type HeldFile struct {
	Path string `json:"path,omitempty"` // removed by redaction
	Kind string `json:"kind"`
}

// RemovalMount is one mount. Point and Source are removed by redaction.
type RemovalMount struct {
	Point    string `json:"point,omitempty"`
	FSType   string `json:"fs_type"`
	Source   string `json:"source,omitempty"`
	ReadOnly bool   `json:"read_only"` // by its options, or after an error
}
