// Package evidence holds what was seen on a host: plain types, their JSON codec
// and their redaction.
//
// It is the only thing that travels between looking (engine, probe, kernel) and
// judging (diagnose): `whystuck capture` writes it, `whystuck --from` reads it,
// and a bug report is one file of it. It is not for judging: no type here says
// whether something is good or bad, and the package imports nothing of this
// module.
//
// "The kernel did not say" is a value: a nil pointer, or a Gap that names the
// file and why it could not be read. It is never a zero.
package evidence

import "time"

// SnapshotSchema is the number of the snapshot format. It is independent of the
// report's schema; fields are added to it, never renamed.
const SnapshotSchema = 1

// Snapshot is one look at one host: the evidence for one or many targets.
type Snapshot struct {
	// Format is always "whystuck-snapshot": a foreign JSON file is told by it.
	Format   string        `json:"format"`
	Schema   int           `json:"schema"`
	Version  string        `json:"version"`  // of the program that looked
	TakenAt  time.Time     `json:"taken_at"` // wall clock, UTC
	Redacted bool          `json:"redacted,omitempty"`
	Host     Host          `json:"host"`
	Errors   []TargetError `json:"errors,omitempty"`
	Targets  []Target      `json:"targets"`
	// Leftovers is there when orphans were looked for.
	Leftovers *Leftovers `json:"leftovers,omitempty"`
}

// SnapshotFormat is the value of Snapshot.Format.
const SnapshotFormat = "whystuck-snapshot"

// Host says what the look was taken on and with which rights.
type Host struct {
	Kernel string `json:"kernel"` // uname -r
	Arch   string `json:"arch"`   // GOARCH of the observer, which is the host's
	// Cgroup is "v1", "v2" or "hybrid" (v1 controllers with a unified hierarchy).
	Cgroup string `json:"cgroup,omitempty"`
	// UptimeTicks is CLOCK_BOOTTIME at the look in clock ticks of 1/100 s, the
	// unit and origin of Process.StartTicks.
	UptimeTicks uint64 `json:"uptime_ticks,omitempty"`
	// EUID is the observer's effective uid; it explains most gaps.
	EUID   int     `json:"euid"`
	Engine *Engine `json:"engine,omitempty"` // nil: no engine was asked (--pid)
	// Security is nil unless a denial is in question.
	Security *Security `json:"security,omitempty"`
	// Sources that contributed: docker-api, engine-files, proc, memory, bpf.
	Sources []string `json:"sources"`
	// Load is how busy the host is; nil: not looked at.
	Load *Load `json:"load,omitempty"`
}

// Engine is the container engine behind the socket asked for.
type Engine struct {
	Name       string `json:"name"`                  // docker or podman
	Version    string `json:"version,omitempty"`     // e.g. 20.10.24
	APIVersion string `json:"api_version,omitempty"` // negotiated, e.g. 1.41
	Endpoint   string `json:"endpoint"`              // e.g. unix:///var/run/docker.sock
	// DefaultStopTimeout is the daemon's default-stop-timeout in seconds where
	// its configuration sets one (29.7.0 and later); nil: the built-in 10.
	DefaultStopTimeout *int `json:"default_stop_timeout,omitempty"`
	// Trouble is what went wrong when the engine was asked: "" (it answered),
	// "refused", "denied", "timeout", "gone", or "foreign" (somebody listens there
	// and does not answer as an engine does).
	Trouble string `json:"trouble,omitempty"`
	// Parts are dockerd and its containerd, where both run on this host.
	Parts []Part `json:"parts,omitempty"`
	// LiveRestore: containers outlive a restart of dockerd; nil: its configuration
	// could not be read.
	LiveRestore *bool `json:"live_restore,omitempty"`
	// UsersRemapped is --userns-remap; Rootless, that dockerd does not run as root.
	UsersRemapped bool `json:"users_remapped,omitempty"`
	Rootless      bool `json:"rootless,omitempty"`
	// DataRoot and ExecRoot are Podman's graph root and run root, for the commands
	// that work without its service. Removed by redaction.
	DataRoot string `json:"data_root,omitempty"`
	ExecRoot string `json:"exec_root,omitempty"`
}

// TargetError says why a named target could not be looked at.
type TargetError struct {
	Target   string `json:"target"`
	Message  string `json:"message"`
	ExitCode int    `json:"exit_code"` // see DESIGN: 2 called wrongly, 3 cannot tell, 4 no engine
}

// Kinds of a Target.
const (
	KindContainer = "container" // found through an engine
	KindPIDNS     = "pidns"     // --pid: the PID namespace a process lives in
	KindProcess   = "process"   // --pid in the host's own PID namespace: it and its descendants
	KindOrphan    = "orphan"    // a container's remains that the engine no longer knows
	KindImage     = "image"     // an image, read or tried out
)

// Target is one thing asked about, and all that was seen of it.
type Target struct {
	Asked     string     `json:"asked"` // as the user typed it
	Kind      string     `json:"kind"`
	Container *Container `json:"container,omitempty"` // nil for --pid
	// PID is the host PID of the process that the stop signal goes to: the
	// container's init, or for --pid the init of the namespace (KindPIDNS) or
	// the process itself (KindProcess). 0: there is none.
	PID      int       `json:"pid"`
	Identity *Identity `json:"identity,omitempty"`
	// HostPIDNS: the target shares the observer's PID namespace (--pid=host), so
	// the PID 1 rule does not protect or hinder its processes. nil: not known.
	HostPIDNS *bool     `json:"host_pidns,omitempty"`
	Processes []Process `json:"processes"`
	Cgroup    *Cgroup   `json:"cgroup,omitempty"`
	History   []Event   `json:"history,omitempty"`
	Gaps      []Gap     `json:"gaps,omitempty"`
	// TCPEstablished counts the established TCP connections in the target's own
	// network namespace (/proc/PID/net/tcp, tcp6); nil: not read, or the
	// namespace is the host's.
	TCPEstablished *int `json:"tcp_established,omitempty"`
	// Receiver is what a signal to PID has to pass, Senders who sends it for the
	// engine, Refusals what the runtime's log tells of signals that were denied.
	Receiver *Credentials `json:"receiver,omitempty"`
	Senders  []Sender     `json:"senders,omitempty"`
	Refusals []Denial     `json:"refusals,omitempty"`
	// FUSE are the connections that tasks of the target wait for, one entry for
	// each server process.
	FUSE []FUSEConn `json:"fuse,omitempty"`
	// Others are tasks outside of the target that are stuck on the same thing, or
	// hold the lock that one of its tasks waits for; nil: not looked for.
	Others *Others `json:"others,omitempty"`
	// HungLog is what the kernel's log says of tasks of the target that hang.
	HungLog []HungLine `json:"hung_log,omitempty"`
	// Devices are the block devices that tasks of the target are stuck on.
	Devices []BlockDevice `json:"devices,omitempty"`
	// Memory and Pressure are of the target's cgroup; nil: not read.
	Memory   *Memory             `json:"memory,omitempty"`
	Pressure map[string]Pressure `json:"pressure,omitempty"`
	// Shims are the processes that keep this container for containerd.
	// ShimsSought: all processes of the host were looked through for them.
	Shims       []Part `json:"shims,omitempty"`
	ShimsSought bool   `json:"shims_sought,omitempty"`
	// Clients are the `docker exec` commands of this host that are about the
	// container; looked for only where its processes are gone and it is booked as
	// running.
	Clients []Part `json:"clients,omitempty"`
	// Moved: asked again a moment later, the engine said something else, which
	// Container now holds. The processes are of the first look.
	Moved bool `json:"moved,omitempty"`
	// StayedMillis: asked again after this time, the engine said the same; nil: it
	// was not asked again.
	StayedMillis *int `json:"stayed_ms,omitempty"`
	// Log is dockerd's way to the receiver of the container's log; nil: it was not
	// looked at, or nothing waits on it.
	Log *LogPath `json:"log,omitempty"`
	// Birth is read of a container that is being started; nil: not read.
	Birth *Birth `json:"birth,omitempty"`
	// Removal is read of a dead container; nil: not read.
	Removal *Removal `json:"removal,omitempty"`
}

// Identity records the proof that PID is the container and not a reused number
// or a process of another machine.
type Identity struct {
	CgroupMatches *bool `json:"cgroup_matches,omitempty"` // the container id stands in /proc/PID/cgroup
	// StartMatches: the start ticks equal those in the runtime's state.json.
	StartMatches *bool `json:"start_matches,omitempty"`
	// Alive: /proc/PID exists and is the container's. False with State.Running is
	// a ghost, unless Vanished.
	Alive bool `json:"alive"`
	// Vanished: it was alive when the look began and gone when it ended, so the
	// engine has to be asked again before anything is concluded.
	Vanished bool `json:"vanished,omitempty"`
	// Here is false when the PID is not that container on this kernel (Docker
	// Desktop, a forwarded socket, a remote engine).
	Here   bool   `json:"here"`
	Reason string `json:"reason,omitempty"` // why Here is false, for the user
	// Nested: it is not Here, and the observer itself lives in a PID namespace below
	// the host's, as a container without --pid=host does.
	Nested bool `json:"nested,omitempty"`
}

// Container is what the engine says of a container, from its API or its files.
type Container struct {
	ID     string `json:"id"`   // 64 hex digits
	Name   string `json:"name"` // without the leading slash
	Image  string `json:"image"`
	Status string `json:"status"` // created, running, paused, restarting, removing, exited, dead
	// Source is "docker-api" or "engine-files"; Inspected is false when only the
	// engine's list answered and the fields below Status are not known.
	// "engine-files" with Inspected false: the files told them instead. An orphan,
	// which no engine knows, has Source "".
	Source    string `json:"source"`
	Inspected bool   `json:"inspected"`
	// InspectTrouble is why the engine that listed the container did not answer
	// for it: "" (it did, or was not asked), "timeout" (inspect takes the
	// container's lock, the list does not) or "error".
	InspectTrouble string `json:"inspect_trouble,omitempty"`
	// Remains are the places on this host that carry the id of an orphan.
	Remains []Remain `json:"remains,omitempty"`

	PID       int        `json:"pid"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	// RuntimeStart is init_process_start of the runtime's state.json: the start
	// ticks of the container's init as the runtime recorded them; 0: not known.
	RuntimeStart uint64 `json:"runtime_start_ticks,omitempty"`
	// RuntimeLeft: it has ended, and the runtime still has a record of it.
	RuntimeLeft bool `json:"runtime_left,omitempty"`
	// BundleGone: the engine takes it for running, and containerd has no bundle of
	// it any more.
	BundleGone bool `json:"bundle_gone,omitempty"`
	// Cgroup is the container's path below each cgroup hierarchy as the runtime
	// recorded it, "" when it is not known.
	Cgroup string `json:"cgroup,omitempty"`
	// FinishedAt and ExitCode are of the last run.
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	ExitCode   *int       `json:"exit_code,omitempty"`
	Error      string     `json:"error,omitempty"` // State.Error
	OOMKilled  bool       `json:"oom_killed,omitempty"`

	StopSignal  string `json:"stop_signal,omitempty"`  // as configured, "" when unset
	StopTimeout *int   `json:"stop_timeout,omitempty"` // seconds, -1 for ever, nil when unset

	Init          *bool  `json:"init,omitempty"` // --init; nil: the daemon's default
	Tty           bool   `json:"tty,omitempty"`
	OpenStdin     bool   `json:"open_stdin,omitempty"`
	PidMode       string `json:"pid_mode,omitempty"` // "", host, container:ID
	RestartPolicy string `json:"restart_policy,omitempty"`
	RestartMax    int    `json:"restart_max,omitempty"`
	RestartCount  int    `json:"restart_count,omitempty"`
	AutoRemove    bool   `json:"auto_remove,omitempty"`
	Runtime       string `json:"runtime,omitempty"`
	LogDriver     string `json:"log_driver,omitempty"`
	LogMode       string `json:"log_mode,omitempty"` // "" or blocking, non-blocking
	// LogAddress is where a log driver sends to, as configured: tcp://HOST:PORT,
	// HOST:PORT, http://HOST, unix:///PATH. Removed by redaction.
	LogAddress  string   `json:"log_address,omitempty"`
	User        string   `json:"user,omitempty"`
	Privileged  bool     `json:"privileged,omitempty"`
	CapAdd      []string `json:"cap_add,omitempty"`
	CapDrop     []string `json:"cap_drop,omitempty"`
	SecurityOpt []string `json:"security_opt,omitempty"`
	AppArmor    string   `json:"apparmor,omitempty"`
	Health      string   `json:"health,omitempty"`
	ExecIDs     []string `json:"exec_ids,omitempty"`
	Entrypoint  []string `json:"entrypoint,omitempty"` // removed by redaction
	Cmd         []string `json:"cmd,omitempty"`        // removed by redaction
	Project     string   `json:"project,omitempty"`    // com.docker.compose.project
	Service     string   `json:"service,omitempty"`    // com.docker.compose.service
	// Env holds only the variables that rules use (KeptEnv), never the rest.
	Env map[string]string `json:"env,omitempty"`
}

// Remain is one trace on the host of a container that its engine has forgotten.
type Remain struct {
	Kind string `json:"kind"` // cgroup, shim, runtime, process or mount
	// Path is the cgroup directory, the runtime's state directory, or what the
	// engine had mounted into the process (mount). Removed by redaction.
	Path string `json:"path,omitempty"`
	PID  int    `json:"pid,omitempty"` // of a shim or a process
	// StartTicks is when that began, as Process.StartTicks; 0: not known.
	StartTicks uint64 `json:"start_ticks,omitempty"`
}

// Leftovers is what a search for orphans went through.
type Leftovers struct {
	Containers int `json:"containers"` // that the engine, or its files, know
	Processes  int `json:"processes"`  // that were looked at
	// EmptyCgroups are cgroup directories of containers that are gone, with
	// nothing in them. Removed by redaction.
	EmptyCgroups []string `json:"empty_cgroups,omitempty"`
	// HalfRemoved are directories of containers that have lost their
	// configuration, so that no engine loads them any more. Removed by redaction.
	HalfRemoved []string `json:"half_removed,omitempty"`
}

// KeptEnv are the only environment variables whose values are ever recorded:
// each changes how an init or supervisor takes a signal.
var KeptEnv = []string{
	"TINI_KILL_PROCESS_GROUP", "TINI_SUBREAPER",
	"DUMB_INIT_SETSID",
	"S6_KILL_GRACETIME", "S6_SERVICES_GRACETIME", "S6_KILL_FINISH_MAXTIME", "S6_CMD_RECEIVE_SIGNALS",
}

// Cgroup is the state of a target's cgroup that decides whether signals work.
type Cgroup struct {
	Path string `json:"path,omitempty"` // as in /proc/PID/cgroup, of the unified or the freezer hierarchy
	// Freezer is the v1 freezer.state (THAWED, FREEZING, FROZEN), "" if unknown.
	Freezer string `json:"freezer,omitempty"`
	// SelfFreezing and ParentFreezing are v1's freezer.self_freezing and
	// freezer.parent_freezing; nil: not known.
	SelfFreezing   *bool `json:"self_freezing,omitempty"`
	ParentFreezing *bool `json:"parent_freezing,omitempty"`
	// FreezeV2 is cgroup.freeze of this cgroup or an ancestor; FrozenV2 the
	// `frozen` line of cgroup.events.
	FreezeV2 *bool `json:"freeze_v2,omitempty"`
	FrozenV2 *bool `json:"frozen_v2,omitempty"`
	// FrozenBy is the cgroup (this one or an ancestor) that is set to freeze.
	FrozenBy string `json:"frozen_by,omitempty"`
	// PIDs is pids.current: its threads, and its zombies, which cgroup.procs does not
	// list. nil: not known.
	PIDs *int `json:"pids,omitempty"`
}

// Event is one entry of the engine's history of this container.
type Event struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"`           // kill, die, stop, oom, ...
	Signal int       `json:"signal,omitempty"` // of a kill
}

// Kinds of a Gap.
const (
	GapDenied  = "denied"  // no permission
	GapTimeout = "timeout" // the read did not return in time
	GapAbsent  = "absent"  // this kernel or program does not have it
	GapGone    = "gone"    // the process ended meanwhile
	GapSkipped = "skipped" // not read because reading could block
)

// Gap is something that could not be read and what it would have settled.
type Gap struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"`
	Matters string `json:"matters"`
}
