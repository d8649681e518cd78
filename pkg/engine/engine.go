// Package engine turns the names that people give to containers into
// evidence.Target values: it finds the Docker (or Podman) endpoint as the docker
// CLI does, lists, inspects under a deadline, and reads the engine's own files
// when the engine does not answer.
//
// Looking changes nothing: the only calls that are made for it are ping, list,
// inspect and events. What acts is kept apart: act.go and docker_act.go (stop, kill)
// are called by package stop alone; run.go and docker_run.go (create, start, remove)
// belong to the type Runner, for package smoke; image.go and docker_image.go make a
// container that is never started, to read files of an image. It is not for looking
// at processes (probe) and does not judge. The Docker SDK's client is imported by
// docker.go alone.
package engine

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Options say which engine to ask and what this process's surroundings are.
type Options struct {
	Host    string // -H: unix:///run/docker.sock, tcp://host:2376, host:2375
	Context string // -c: name of a docker context
	// DataRoot and ExecRoot replace what is found out about the engine's
	// directories (--data-root and --exec-root of dockerd).
	DataRoot, ExecRoot string

	Getenv      func(string) string // nil: os.Getenv
	HomeDir     string              // "": $HOME; ~/.docker is below it
	ProcRoot    string              // "": /proc
	CallTimeout time.Duration       // of one API call; 0: one second
}

// Engine is one engine that can be asked. It is safe for use by several
// goroutines.
type Engine struct {
	opt  Options
	at   endpoint
	conn *transport
	api  *api
	// cgroups is where the cgroup hierarchies are mounted.
	cgroups string

	homeTurn turn // guards the next three, see homeOf
	home     *home
	effort   effort
	sought   time.Time

	scanMu  sync.Mutex // guards the next two, see scan
	scanned processes
	scanAt  time.Time

	mu      sync.Mutex // guards what follows
	trouble string
	stop    *int // default stop timeout
	known   *home
	sources []string
}

// The values of evidence.Container.Source and of Sources.
const (
	sourceAPI   = "docker-api"
	sourceFiles = "engine-files"
)

// defaultCall is the deadline of one API call. A healthy engine answers each in
// milliseconds; `docker inspect` on a locked container never returns.
const defaultCall = time.Second

// Open finds the endpoint and prepares to talk to it; nothing is sent yet. The
// error is an *Error: exit code 2 for options and contexts that cannot be used,
// 4 for an endpoint that this program cannot reach by its nature (ssh://).
func Open(_ context.Context, o Options) (*Engine, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.HomeDir == "" {
		o.HomeDir = o.Getenv("HOME")
	}
	if o.ProcRoot == "" {
		o.ProcRoot = "/proc"
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = defaultCall
	}
	at, err := findEndpoint(o)
	if err != nil {
		return nil, err
	}
	conn, err := newTransport(at)
	if err != nil {
		return nil, err
	}
	api, err := newAPI(at, conn)
	if err != nil {
		return nil, err
	}
	return &Engine{opt: o, at: at, conn: conn, api: api, cgroups: "/sys/fs/cgroup"}, nil
}

// Describe says which engine answered, as far as is known by now: version and
// trouble are known after Resolve.
func (e *Engine) Describe() evidence.Engine {
	name, version := e.conn.server()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case name != "":
	case e.known != nil && e.known.podman, isPodmanSocket(e.socket()):
		name = "podman"
	default:
		name = "docker"
	}
	d := evidence.Engine{
		Name: name, Version: version, APIVersion: e.api.version(), Endpoint: e.at.host,
		DefaultStopTimeout: e.stop, Trouble: e.trouble,
	}
	if h := e.known; h != nil {
		d.UsersRemapped, d.Rootless = h.remapped, h.rootless
		if h.podman {
			d.DataRoot, d.ExecRoot = h.data, h.exec
		} else {
			d.LiveRestore = &h.liveRestore
		}
	}
	return d
}

// PID is the process behind the socket, 0 where that is not known or not here.
func (e *Engine) PID(ctx context.Context) int {
	pid, err := beside.Within(ctx, func() int { return e.enginePID(quick) })
	if err != nil {
		return 0
	}
	return pid
}

// Sources are those that contributed so far: docker-api, engine-files.
func (e *Engine) Sources() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.sources)
}

// Close drops the idle connections.
func (e *Engine) Close() error {
	e.conn.base.CloseIdleConnections()
	return nil
}

func (e *Engine) used(source string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.sources, source) {
		e.sources = append(e.sources, source)
		slices.Sort(e.sources)
	}
}

func (e *Engine) setTrouble(t string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trouble = t
}

// Error is a failure of the whole question, with the exit code that it means: 2
// called wrongly, 4 neither the engine nor its files can be read.
type Error struct {
	ExitCode int
	Message  string // one line that says what to do
	Err      error  // the cause, may be nil
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// ErrNothingAsked is wrapped by Resolve's error for a Query without names and
// without All, Project or Service.
var ErrNothingAsked = errors.New("no container named")

// The exit codes that this package gives to its errors.
const (
	ExitUsage    = 2
	ExitNoEngine = 4
)

func usage(message string, cause error) *Error {
	return &Error{ExitCode: ExitUsage, Message: message, Err: cause}
}
