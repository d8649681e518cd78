package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
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
	// stopTimeout is default-stop-timeout; nil: not set.
	stopTimeout *int
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

// homeOf finds the files of the engine behind the endpoint, once per effort.
// Files of an engine that is not proven to be the one behind the socket are never
// used: several engines on one host have containers of the same names.
func (e *Engine) homeOf(ctx context.Context, how effort) (*home, error) {
	h, err := within(ctx, func() *home {
		e.homeMu.Lock()
		defer e.homeMu.Unlock()
		if e.home == nil && e.effort < how {
			e.home, e.effort = e.searchHome(how), how
		}
		return e.home
	})
	if err == nil && h == nil {
		err = errNoHome
	}
	return h, err
}

// searchHome gives nil where the engine is not known and no options say it.
func (e *Engine) searchHome(how effort) *home {
	h := e.engineHome(how)
	if e.opt.DataRoot == "" && e.opt.ExecRoot == "" {
		return h
	}
	if h == nil || h.fs.root != nil {
		// The user's paths are as the user sees them, not as an engine in a mount
		// namespace of its own does.
		h = &home{namespace: defaultNamespace}
	}
	if e.opt.DataRoot != "" {
		h.remapped = h.remapped && h.data == e.opt.DataRoot
		h.data = e.opt.DataRoot
	}
	if e.opt.ExecRoot != "" {
		h.exec = e.opt.ExecRoot
	}
	return h
}

func (e *Engine) engineHome(how effort) *home {
	if e.at.socket == "" {
		return nil
	}
	if pid := e.enginePID(how); pid != 0 {
		return homeOfProcess(e.opt.ProcRoot, pid)
	}
	trouble := e.Describe().Trouble
	dead := trouble == troubleRefused || trouble == troubleGone
	if dead && isDefaultSocket(e.at.socket) {
		h := &home{}
		h.configure(nil, defaultConfigFile, "/var/lib/docker", "/var/run/docker")
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

// list reads all containers from the files.
func (h *home) list(ctx context.Context) ([]listed, error) {
	if h.data == "" {
		return nil, errNoHome
	}
	type result struct {
		list []listed
		err  error
	}
	r, err := within(ctx, func() result {
		list, err := h.readAll(ctx)
		return result{list, err}
	})
	if err != nil {
		return nil, fmt.Errorf("reading the containers below %s: %w", h.data, err)
	}
	return r.list, r.err
}

// maxContainers bounds the directories that are looked at.
const maxContainers = 20000

func (h *home) readAll(ctx context.Context) ([]listed, error) {
	var out []listed
	var firstErr error
	for _, dir := range h.containerDirs() {
		ids, err := h.fs.names(dir, maxContainers)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		slices.Sort(ids)
		for _, id := range ids {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			// One that is being removed has no files any more; others stay known.
			if c, err := h.readContainer(dir, id); err == nil {
				out = append(out, listedFrom(c))
			}
		}
	}
	if len(out) == 0 && firstErr != nil {
		return nil, firstErr
	}
	return out, nil
}

func listedFrom(f filedContainer) listed {
	c := f.container
	return listed{id: c.ID, names: []string{c.Name}, image: c.Image, status: c.Status, labels: f.labels, known: c}
}

// learnStopTimeout finds the engine's default-stop-timeout, which the API does
// not tell but in /info. Engines before 29.7 have none, and finding it out may
// cost a look through all processes, so it is not tried there.
func (e *Engine) learnStopTimeout(ctx context.Context) {
	_, version := e.conn.server()
	how := quick
	if atLeast(version, 29, 7) {
		how = thorough
	} else if version != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	if h, err := e.homeOf(ctx, how); err == nil {
		e.mu.Lock()
		e.stop = h.stopTimeout
		e.mu.Unlock()
	}
}

// fileOf is what the engine's files say of one container; nil: nothing.
func (e *Engine) fileOf(ctx context.Context, id string) *evidence.Container {
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	h, err := e.homeOf(ctx, thorough)
	if err != nil {
		return nil
	}
	c, err := within(ctx, func() *evidence.Container {
		for _, dir := range h.containerDirs() {
			if f, err := h.readContainer(dir, id); err == nil {
				return f.container
			}
		}
		return nil
	})
	if err != nil || c == nil {
		return nil
	}
	e.used(sourceFiles)
	return c
}

// recordCall bounds the reading of the runtime's record. It is taken beside the
// inspect of a healthy engine and must not hold it up.
const recordCall = filesDeadline / 2

// recordOf is what the container runtime has on record for one container, the
// zero value where that cannot be read.
func (e *Engine) recordOf(ctx context.Context, id string) runtimeState {
	ctx, cancel := context.WithTimeout(ctx, recordCall)
	defer cancel()
	h, err := e.homeOf(ctx, quick)
	if err != nil {
		return runtimeState{}
	}
	r, err := within(ctx, func() runtimeState { return h.record(id) })
	if err != nil {
		return runtimeState{}
	}
	return r
}
