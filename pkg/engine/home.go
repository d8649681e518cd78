package engine

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
)

// home is where one engine keeps its files, all paths as that engine sees them.
type home struct {
	fs   tree
	pid  int    // of the engine; 0: it is dead, or only the user's options are known
	data string // --data-root: /var/lib/docker; "": not known
	exec string // --exec-root: /var/run/docker; "": not known
	// namespace is the engine's namespace in containerd, which is a directory
	// below exec: moby, or moby-100000.100000 with remapped users.
	namespace string
	remapped  bool // --userns-remap: data has a directory for each mapping
	// podman: data is its graph root, exec its run root; runtimes is where runc and
	// crun keep their state.
	podman   bool
	runtimes string
	// stopTimeout is default-stop-timeout; nil: not set.
	stopTimeout *int
	// containerd is the socket that dockerd was told to use; "": it takes the
	// system's where that is there at its start, else it starts one of its own.
	containerd  string
	liveRestore bool
	rootless    bool
}

// effort is how much may be spent on finding an engine's files.
type effort int

const (
	// quick: the listener of the socket and the default pid file.
	quick effort = 1 + iota
	// thorough: all processes are looked through for the socket's owner.
	thorough
)

// errNoHome: it could not be told which engine's files to read.
var errNoHome = errors.New("not known whose they are")

// homeStays is for how long what was found out about the engine's files is taken
// as it is: engines are started and restarted while a watch goes on.
const homeStays = time.Second

// homeOf finds the files of the engine behind the endpoint, once per effort, and
// again when another process serves the endpoint.
// Files of an engine that is not proven to be the one behind the socket are never
// used: several engines on one host have containers of the same names.
func (e *Engine) homeOf(ctx context.Context, how effort) (*home, error) {
	if err := e.homeTurn.take(ctx); err != nil {
		return nil, err
	}
	h, err := beside.Within(ctx, func() *home {
		defer e.homeTurn.give()
		if time.Since(e.sought) > homeStays {
			e.home = e.homeNow(e.home)
			e.sought = time.Now()
			if e.home == nil {
				e.effort = 0
			}
		}
		if e.home == nil && e.effort < how {
			e.home, e.effort = e.searchHome(e.Describe().Trouble, how), how
			e.learn(e.home)
		}
		return e.home
	})
	if err == nil && h == nil {
		err = errNoHome
	}
	return h, err
}

// homeNow is what is left of a home that was found some time ago: nil where
// another engine process has come, and without a PID where none has.
func (e *Engine) homeNow(h *home) *home {
	if h == nil {
		return nil
	}
	switch pid := e.enginePID(quick); {
	case pid == h.pid:
		return h
	case pid != 0:
		return nil
	case isEngine(e.opt.ProcRoot, h.pid):
		return h // it does not answer, or systemd listens for it
	}
	dead := *h // the PID may be anybody's by now
	dead.pid = 0
	return &dead
}

// learn keeps what the engine's configuration says for Describe.
func (e *Engine) learn(h *home) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h != nil && h.data != "" {
		e.known = h
	}
}

// searchHome gives nil where the engine is not known and no options say it.
func (e *Engine) searchHome(trouble string, how effort) *home {
	h := e.engineHome(trouble, how)
	if e.opt.DataRoot != "" || e.opt.ExecRoot != "" {
		h = e.orderedHome(h)
	}
	if how == thorough {
		h.learnFromShims(e.opt.ProcRoot)
	}
	return h
}

// orderedHome is h with the directories that the user has named.
func (e *Engine) orderedHome(h *home) *home {
	if h == nil || h.fs.root != nil {
		// The user's paths are as the user sees them, not as an engine in a mount
		// namespace of its own does.
		h = &home{namespace: defaultNamespace}
	}
	if e.opt.DataRoot != "" {
		same := h.data == e.opt.DataRoot
		h.data = e.opt.DataRoot
		h.remapped = same && h.remapped || !same && h.onlyMapped()
	}
	if e.opt.ExecRoot != "" {
		h.exec = e.opt.ExecRoot
	}
	h.namedPodman()
	return h
}

func (e *Engine) engineHome(trouble string, how effort) *home {
	if e.at.socket == "" {
		return nil
	}
	if pid := e.enginePID(how); pid != 0 {
		return homeOfProcess(e.opt.ProcRoot, pid)
	}
	switch dead := trouble == troubleRefused || trouble == troubleGone; {
	case dead && isPodmanSocket(e.socket()):
		return e.deadPodman()
	case dead && isDefaultSocket(e.at.socket):
		h := &home{}
		h.configure(unitCommand(unitDirs, dockerUnit), defaultConfigFile, "/var/lib/docker", "/var/run/docker")
		return h
	}
	return nil
}

func isDefaultSocket(path string) bool {
	return path == defaultSocket || path == strings.TrimPrefix(defaultSocket, "/var")
}

const (
	defaultNamespace  = "moby"
	defaultConfigFile = "/etc/docker/daemon.json"
)

// daemonConfig is what we use of daemon.json.
type daemonConfig struct {
	DataRoot    string `json:"data-root"`
	Graph       string `json:"graph"` // data-root before 17.05
	ExecRoot    string `json:"exec-root"`
	Namespace   string `json:"containerd-namespace"`
	UsernsRemap string `json:"userns-remap"`
	Containerd  string `json:"containerd"`
	LiveRestore bool   `json:"live-restore"`
	// StopTimeout is known since 29.7.0.
	StopTimeout optional[int] `json:"default-stop-timeout"`
}

// configure reads the configuration file and lets the flags win; dockerd refuses
// to start with both.
func (h *home) configure(argv []string, configFile, data, exec string) {
	if f := flagValue(argv, "config-file"); f != "" {
		configFile = f
	}
	var conf daemonConfig
	if b, err := h.fs.read(configFile, maxConfig); err == nil {
		_ = decode(b, &conf) // a file that is no JSON: dockerd would not have started with it
	}
	h.data = absolute(flagValue(argv, "data-root"), flagValue(argv, "graph", "g"), conf.DataRoot, conf.Graph, data)
	h.exec = absolute(flagValue(argv, "exec-root"), conf.ExecRoot, exec)
	h.namespace = firstOf(flagValue(argv, "containerd-namespace"), conf.Namespace, defaultNamespace)
	h.remapped = firstOf(flagValue(argv, "userns-remap"), conf.UsernsRemap) != ""
	h.containerd = absolute(flagValue(argv, "containerd"), conf.Containerd)
	h.liveRestore = conf.LiveRestore || slices.Contains(argv, "--live-restore") || flagValue(argv, "live-restore") == "true"
	h.stopTimeout = conf.StopTimeout.value
	if n, ok := number(flagValue(argv, "default-stop-timeout")); ok {
		h.stopTimeout = &n
	}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// absolute is firstOf for paths; one that is relative to the engine's working
// directory is not known to us.
func absolute(paths ...string) string {
	if p := firstOf(paths...); filepath.IsAbs(p) {
		return p
	}
	return ""
}

// flagValue finds a flag in a command line as pflag does: the last one wins,
// "--name value", "--name=value", and for one letter "-nvalue" too.
func flagValue(argv []string, names ...string) string {
	value := ""
	for i, arg := range argv {
		for _, name := range names {
			dashes := "--"
			if len(name) == 1 {
				dashes = "-"
			}
			rest, ok := strings.CutPrefix(arg, dashes+name)
			switch {
			case !ok:
			case rest == "" && i+1 < len(argv):
				value = argv[i+1]
			case strings.HasPrefix(rest, "="):
				value = rest[1:]
			case rest != "" && len(name) == 1:
				value = rest
			}
		}
	}
	return value
}
