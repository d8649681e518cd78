package evidence

// Image is what was read of an image without running it: its configuration, and
// the beginnings of the few files that decide who becomes PID 1.
type Image struct {
	Asked string   `json:"asked"` // as the user typed it; a Dockerfile's path where only that was read
	ID    string   `json:"id,omitempty"`
	Names []string `json:"names,omitempty"` // RepoTags

	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	StopSignal string   `json:"stop_signal,omitempty"`
	WorkingDir string   `json:"working_dir,omitempty"`
	User       string   `json:"user,omitempty"`
	Volumes    []string `json:"volumes,omitempty"`
	// Path is PATH of the image's environment; nil: it sets none.
	Path *string `json:"path,omitempty"`

	// Run is what `docker run` would be given on top.
	Run ImageRun `json:"run"`
	// Files by the path at which they were looked for. A path that is not here
	// was not looked at.
	Files map[string]ImageFile `json:"files,omitempty"`
	// History are the instructions that made the image, the oldest first, as far
	// as the builder has written them down.
	History []string `json:"history,omitempty"`
	// Dockerfile is where the instructions stand; nil when none was given.
	Dockerfile *Dockerfile `json:"dockerfile,omitempty"`
	Gaps       []Gap       `json:"gaps,omitempty"`
}

// ImageRun are the options of `docker run` that change who is PID 1 and what it
// is sent. A nil list was not given.
type ImageRun struct {
	Entrypoint  []string `json:"entrypoint,omitempty"`
	Cmd         []string `json:"cmd,omitempty"`
	StopSignal  string   `json:"stop_signal,omitempty"`
	StopTimeout *int     `json:"stop_timeout,omitempty"` // seconds
	Init        bool     `json:"init,omitempty"`
	TTY         bool     `json:"tty,omitempty"`
	WorkingDir  string   `json:"working_dir,omitempty"`
	Path        *string  `json:"path,omitempty"` // PATH, where it is set
	// Mounts are the paths at which something else is mounted over the image.
	Mounts []string `json:"mounts,omitempty"`
}

// ImageFile is the beginning of a file in an image's layers.
type ImageFile struct {
	// Path is the file's own, after links.
	Path string `json:"path"`
	// Absent: there is no such file.
	Absent bool `json:"absent,omitempty"`
	// Unread: whether there is one could not be found out.
	Unread bool   `json:"unread,omitempty"`
	Dir    bool   `json:"dir,omitempty"`
	Mode   uint32 `json:"mode,omitempty"` // permission bits
	Size   int64  `json:"size,omitempty"`
	// Head is the file's text. It is shorter than Size, or empty, where the file is
	// too long.
	Head []byte `json:"head,omitempty"`
	// Source is where it was read where that is not the image: a path beside the
	// Dockerfile.
	Source string `json:"source,omitempty"`
}

// Dockerfile says where each setting of an image is written.
type Dockerfile struct {
	Path string `json:"path"`
	// Lines by instruction (FROM, ENTRYPOINT, CMD, STOPSIGNAL, SHELL, USER) of
	// the stage that is built. One that is missing comes from the base.
	Lines map[string]int `json:"lines"`
	// Base is the image that the stage is built on, "scratch" for nothing; "" when
	// it could not be told.
	Base string `json:"base"`
	// Alone: there is no image, the settings are the Dockerfile's.
	Alone bool `json:"alone,omitempty"`
}
