package diagnose

import "time"

// ReportSchema numbers the JSON contract. Fields are added, never renamed.
const ReportSchema = 1

// Report is the judgement over one snapshot, and the JSON contract of
// `whystuck --json`. A nil pointer means "not known", never zero.
type Report struct {
	Schema     int           `json:"schema"`
	Version    string        `json:"version"`
	ObservedAt time.Time     `json:"observed_at"`
	Host       Host          `json:"host"`
	Errors     []TargetError `json:"errors"`
	Containers []Container   `json:"containers"`
}

// Host is what the containers were judged on.
type Host struct {
	Kernel   string    `json:"kernel"`
	Engine   string    `json:"engine"` // version, "" when no engine was asked
	Sources  []string  `json:"sources"`
	Findings []Finding `json:"findings"` // about the engine and the host as a whole
}

// TargetError is a named target that could not be judged.
type TargetError struct {
	Target   string `json:"target"`
	Message  string `json:"message"`
	ExitCode int    `json:"exit_code"`
}

// Verdict is what `docker stop` will come to.
type Verdict string

// The verdicts, worst first. See docs/design.md for what each means to the user.
const (
	Stuck      Verdict = "stuck"
	Refused    Verdict = "refused"
	Ghost      Verdict = "ghost"
	Killed     Verdict = "killed"
	Abrupt     Verdict = "abrupt"
	Unknown    Verdict = "unknown"
	Stops      Verdict = "stops"
	NotRunning Verdict = "not-running"
)

// Confidence says what a verdict rests on.
type Confidence string

const (
	// Certain: the kernel's own rule or bit decides.
	Certain Confidence = "certain"
	// Likely: a known runtime or init, or a documented inference.
	Likely Confidence = "likely"
	// Assumed: a handler of an unknown program is installed, or a mask could not
	// be read; what happens cannot be seen before it does.
	Assumed Confidence = "assumed"
)

// Layers: whom to call.
const (
	LayerApp      = "app"
	LayerInit     = "init"
	LayerKernel   = "kernel"
	LayerShim     = "shim"
	LayerEngine   = "engine"
	LayerSecurity = "security"
	LayerImage    = "image"
)

// Container is the judgement of one target.
type Container struct {
	Target string `json:"target"`
	Kind   string `json:"kind"` // container, pidns, process, orphan, image
	Name   string `json:"name"`
	ID     string `json:"id"`
	Image  string `json:"image"`
	PID    int    `json:"pid"`
	Status string `json:"status"`
	// ExitCode is the exit status of the last run; nil while it runs or when not known.
	ExitCode   *int       `json:"exit_code"`
	Verdict    Verdict    `json:"verdict"`
	Confidence Confidence `json:"confidence"`
	Layer      string     `json:"layer"`
	Headline   string     `json:"headline"` // one sentence; it may hold hostile names, which render escapes

	Stop   *StopForecast   `json:"stop"` // nil when not running
	Kill   *EndForecast    `json:"kill"`
	Rm     *EndForecast    `json:"rm"`
	Signal *SignalForecast `json:"signal"` // only with --kill
	// History is what the engine remembers, oldest first.
	History   []Event   `json:"history"`
	Findings  []Finding `json:"findings"`
	Processes []Process `json:"processes"`
	Gaps      []Gap     `json:"gaps"`

	// Observed is what a stop then really did; only `stop` and `image` fill it.
	Observed *Observed `json:"observed,omitempty"`
	// Agreed tells whether Observed is what was forecast; nil where nothing was
	// observed, or nothing was forecast.
	Agreed *bool `json:"agreed,omitempty"`

	// Startup and Runs are of `image` alone.
	Startup *Startup `json:"startup,omitempty"`
	Runs    []Run    `json:"runs,omitempty"` // with --repeat
}

// Observed is how a stop went.
type Observed struct {
	// Outcome is the verdict word that describes what happened: stops, abrupt,
	// killed, stuck, refused, ghost; unknown where it was not seen to its end.
	Outcome  string `json:"outcome"`
	ExitCode *int   `json:"exit_code"`
	// AfterSeconds is when the container ended, counted from the command.
	AfterSeconds *float64        `json:"after_seconds"`
	Survivors    []int           `json:"survivors"` // host PIDs that live on
	Events       []ObservedEvent `json:"events"`
	// Command is how the request itself ended, as docker stop would have.
	Command *Command `json:"command,omitempty"`
	// Cut is why it was not seen through: deadline or interrupted; "" where it was.
	Cut string `json:"cut,omitempty"`
	// Left is what became of a request that was left before its end: carried-on,
	// never-accepted, kept-open or unknown; "" where it was seen through.
	Left string `json:"left,omitempty"`
	// Then is what the engine did with it after its end: restarted, or removed; ""
	// where it stays.
	Then string `json:"then,omitempty"`
	// Note is what else there is to know, one sentence.
	Note string `json:"note,omitempty"`
	// Proof are the places where something could be left.
	Proof []Check `json:"proof"`
	// Still is the judgement of what lives on, by a fresh look; nil: nothing does.
	Still *Still `json:"still,omitempty"`
}

// Still is why something lives on after a stop, in the words of any other judgement.
type Still struct {
	Status     string     `json:"status"`
	Verdict    Verdict    `json:"verdict"`
	Confidence Confidence `json:"confidence"`
	Layer      string     `json:"layer"`
	Headline   string     `json:"headline"`
	Findings   []Finding  `json:"findings"`
	Processes  []Process  `json:"processes"`
	Gaps       []Gap      `json:"gaps"`
}

// Check is one place that was looked at for what is left.
type Check struct {
	What string `json:"what"` // cgroup, PID namespace, processes, shim, engine
	OK   *bool  `json:"ok"`   // nil: could not be looked at
	Says string `json:"says"`
}

// ObservedEvent is one thing that was seen during a stop.
type ObservedEvent struct {
	AtSeconds float64 `json:"at_seconds"`
	PID       int     `json:"pid,omitempty"` // of whom it is about, on the host
	What      string  `json:"what"`          // one clause; it may hold hostile names
	Source    string  `json:"source"`        // tracefs, docker events, /proc, pidfd, api
}

// StopForecast is what `docker stop` will do.
type StopForecast struct {
	Signal         string `json:"signal"`
	SignalSource   string `json:"signal_source"`   // container (or the engine's default), flag
	TimeoutSeconds int    `json:"timeout_seconds"` // -1: for ever
	TimeoutSource  string `json:"timeout_source"`  // default, container, flag, daemon
	Outcome        string `json:"outcome"`         // a verdict word
	ExitCode       *int   `json:"exit_code"`
	// AfterSeconds is when the container ends, counted from the command.
	AfterSeconds *float64 `json:"after_seconds"`
	// KilledUnheard are host PIDs with a handler that die without its having finished.
	KilledUnheard []int   `json:"killed_unheard"`
	Command       Command `json:"command"`
	ContainerEnds *bool   `json:"container_ends"`
	// Status is what `docker ps -a` says once the command has returned: running,
	// exited, removed; nil when not known.
	Status *string `json:"status"`
	Freed  *Freed  `json:"freed"` // nil where the container ends by the command
	Then   string  `json:"then"`  // stays, restarted, removed
	Steps  []Step  `json:"steps"`
}

// Freed is what becomes of a container that the command did not end, once the way
// out is taken.
type Freed struct {
	Status   string `json:"status"`    // exited, removed
	ExitCode *int   `json:"exit_code"` // nil when not known
	Says     string `json:"says"`      // one clause, with what is left to do
}

// EndForecast is what `docker kill` or `docker rm -f` will do.
type EndForecast struct {
	Signal        string   `json:"signal,omitempty"`
	Outcome       string   `json:"outcome"` // dies, stuck, refused, ghost, unknown
	AfterSeconds  *float64 `json:"after_seconds,omitempty"`
	Command       Command  `json:"command"`
	ContainerEnds *bool    `json:"container_ends"`
	Status        *string  `json:"status"` // as StopForecast.Status
	Freed         *Freed   `json:"freed"`
	Steps         []Step   `json:"steps"`
}

// Command is how the docker command itself ends.
type Command struct {
	Returns      bool     `json:"returns"` // false: never
	AfterSeconds *float64 `json:"after_seconds"`
	ExitStatus   *int     `json:"exit_status"`
	// Error is what stands in the error message; newer engines put other words
	// around it.
	Error *string `json:"error"`
}

// Step is one line of a timeline.
type Step struct {
	AtSeconds float64 `json:"at_seconds"`
	Action    string  `json:"action"`
	Effect    string  `json:"effect"`
}

// SignalForecast is what `docker kill -s SIG` would do.
type SignalForecast struct {
	Signal string `json:"signal"`
	// Outcome: handled, dies, discarded, ignored, blocked, stops, stuck,
	// refused or unknown.
	Outcome    string     `json:"outcome"`
	Confidence Confidence `json:"confidence"`
	Effect     string     `json:"effect"`      // one sentence
	ReceivedBy []int      `json:"received_by"` // host PIDs that take it
}

// Event is one entry of the engine's history.
type Event struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"`
	Signal string    `json:"signal,omitempty"`
}

// Severities of a Finding.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
	SeverityInfo    = "info"
)

// Finding is one rule that matched.
type Finding struct {
	Code     string `json:"code"` // WSnnn, for ever
	Title    string `json:"title"`
	Severity string `json:"severity"`
	PID      int    `json:"pid,omitempty"`
	NSPID    int    `json:"ns_pid,omitempty"`
	TID      int    `json:"tid,omitempty"`
	// Confidence is set where it can differ from the verdict's: for what was read
	// of an image without running it.
	Confidence Confidence `json:"confidence,omitempty"`
	Summary    string     `json:"summary"`
	// Location is the line of a file of the user's, nil when none was given.
	Location *Location `json:"location,omitempty"`
	// Ignored is set by a policy: the reason, which may be empty. The finding then
	// counts for nothing.
	Ignored  *string    `json:"ignored,omitempty"`
	Evidence []Evidence `json:"evidence"`
	Fixes    []Fix      `json:"fixes"`
}

// Location is a line of a file of the user's: a Dockerfile, or a script beside it.
type Location struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// Evidence is one thing read, and what it says.
type Evidence struct {
	Source string `json:"source"` // /proc/4121/status, docker inspect, ...
	Field  string `json:"field"`
	Value  string `json:"value"`
	Says   string `json:"says"`
}

// When a Fix applies.
const (
	FixNow   = "now"
	FixImage = "image"
	FixRun   = "run"
	FixHost  = "host"
)

// Fix is one way out. Command and Patch are quoted and safe to paste.
type Fix struct {
	When    string  `json:"when"`
	Text    string  `json:"text"`
	Command string  `json:"command,omitempty"`
	Patch   string  `json:"patch,omitempty"`
	Risk    *string `json:"risk"` // whom else it hits
}

// Process is one process of the container and what the signal does to it.
type Process struct {
	PID   int      `json:"pid"`
	NSPID int      `json:"ns_pid"`
	PPID  int      `json:"ppid"`
	Comm  string   `json:"comm"`
	Argv  []string `json:"argv"`
	State string   `json:"state"`
	// Program is the catalog's name for it, "" when unknown.
	Program string `json:"program"`
	// Signal is the disposition of the stop signal: default, ignored, caught,
	// blocked, waited, signalfd, unknown.
	Signal string `json:"signal"`
	// Effect: dies, discarded, handler-runs, pending, forwards, never-sent,
	// cannot-die, unknown.
	Effect string `json:"effect"`
	// Note is the effect in words for the text form.
	Note  string `json:"note"`
	Tasks []Task `json:"tasks"`
}

// Task is one thread as the reader needs it.
type Task struct {
	TID   int     `json:"tid"`
	State string  `json:"state"`
	Wchan *string `json:"wchan"`
}

// Gap is something not read and why it matters.
type Gap struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"` // denied, timeout, absent, gone, skipped
	Matters string `json:"matters"`
}
