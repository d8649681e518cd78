package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// partsCall bounds the look for dockerd and containerd.
const partsCall = 500 * time.Millisecond

// Parts finds dockerd and its containerd, or Podman's service. It is empty for an
// engine that is not on this host, and where it is not proven whose processes they
// are.
func (e *Engine) Parts(ctx context.Context) []evidence.Part {
	ctx, cancel := context.WithTimeout(ctx, partsCall)
	defer cancel()
	how := quick
	if e.Describe().Trouble != "" {
		how = thorough
	}
	h, err := e.homeOf(ctx, how)
	if err != nil {
		return nil
	}
	parts, _ := beside.Within(ctx, func() []evidence.Part {
		out := []evidence.Part{{Role: evidence.RoleDaemon, PID: h.pid}}
		if c, ok := h.containerdPart(e.opt.ProcRoot); ok {
			out = append(out, c)
		}
		return out
	})
	return parts
}

// managedContainerd is the socket of a containerd that dockerd has started, below
// its exec root (moby libcontainerd/supervisor).
const managedContainerd = "containerd/containerd.sock"

// containerdPart finds the containerd of an engine by connecting to its socket:
// the kernel tells who listens there, without an answer. false: no socket is
// known.
func (h *home) containerdPart(proc string) (evidence.Part, bool) {
	var parts []evidence.Part
	for _, socket := range h.containerdSockets() {
		p := evidence.Part{Role: evidence.RoleContainerd, Address: socket}
		p.PID, p.Trouble = h.fs.listener(socket)
		if p.Trouble == troubleTimeout { // its backlog is full
			p.PID = holderOf(proc, socket, "containerd")
		}
		p.ByDaemon = socket == filepath.Join(h.exec, managedContainerd)
		if p.Trouble == "" || p.Trouble == troubleTimeout {
			return p, true
		}
		if p.Trouble != troubleGone || h.containerd != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return evidence.Part{}, false
	}
	return parts[0], true
}

func (h *home) containerdSockets() []string {
	if h.podman {
		return nil
	}
	if h.containerd != "" {
		return []string{h.containerd}
	}
	var out []string
	if h.exec != "" {
		out = append(out, filepath.Join(h.exec, managedContainerd))
	}
	if h.pid != 0 || isDefaultExecRoot(h.exec) { // else only the user's flags are known
		out = append(out, systemContainerd)
	}
	return out
}

func isDefaultExecRoot(dir string) bool { return dir == "/var/run/docker" || dir == "/run/docker" }

// ContainerdAt is the containerd that a shim of this engine reports to, for when
// the engine itself does not tell.
func (e *Engine) ContainerdAt(ctx context.Context, socket string) (evidence.Part, bool) {
	if !filepath.IsAbs(socket) {
		return evidence.Part{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, partsCall)
	defer cancel()
	h := &home{containerd: socket}
	if known, err := e.homeOf(ctx, quick); err == nil {
		h.fs = known.fs // a shim's paths are as its engine sees them
	}
	found, err := beside.Within(ctx, func() []evidence.Part {
		p, _ := h.containerdPart(e.opt.ProcRoot)
		return []evidence.Part{p}
	})
	if err != nil {
		return evidence.Part{}, false
	}
	return found[0], true
}

// listener is listenerAt for a path of the tree. Below a foreign root the socket
// is found there first, with every link resolved within it, and then connected to
// by its descriptor.
func (t tree) listener(path string) (pid int, trouble string) {
	if t.root == nil {
		return listenerAt(path)
	}
	fd, err := unix.Openat2(int(t.root.Fd()), path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return 0, connectTrouble(err)
	}
	defer unix.Close(fd)
	return listenerAt("/proc/self/fd/" + strconv.Itoa(fd))
}

// listenerAt connects to a unix socket without waiting and tells who listens
// there; nothing is sent.
func listenerAt(path string) (pid int, trouble string) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, ""
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return 0, connectTrouble(err)
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, ""
	}
	return int(cred.Pid), ""
}

// connectTrouble is "" for what says nothing of a listener, as a path that is too
// long for a socket's name.
func connectTrouble(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return troubleGone
	case errors.Is(err, unix.ECONNREFUSED):
		return troubleRefused
	case errors.Is(err, unix.EAGAIN):
		return troubleTimeout
	case errors.Is(err, fs.ErrPermission):
		return troubleDenied
	}
	return ""
}

// holderOf finds a process of a name that holds the listening socket of a path.
func holderOf(proc, path, name string) int {
	inode := socketInode(proc, path)
	if inode == "" {
		return 0
	}
	for _, pid := range allPIDs(proc) {
		if strings.HasPrefix(commOf(proc, pid), name) && holdsSocket(proc, pid, inode) {
			return pid
		}
	}
	return 0
}

// ExecClients finds the docker commands on this host that run something in a
// container: "docker exec", with its name or a prefix of its id as an argument.
func (e *Engine) ExecClients(ctx context.Context, id, name string) []evidence.Part {
	ctx, cancel := context.WithTimeout(ctx, shimCall)
	defer cancel()
	found, _ := beside.Within(ctx, func() []evidence.Part {
		var out []evidence.Part
		for _, p := range e.scan() {
			if p.comm != "docker" {
				continue
			}
			b, err := os.ReadFile(procPath(e.opt.ProcRoot, p.pid, "cmdline"))
			argv := strings.Split(string(b), "\x00")
			about := func(arg string) bool {
				return name != "" && arg == name || len(arg) >= 4 && isHex(arg) && strings.HasPrefix(id, arg)
			}
			if err == nil && slices.Contains(argv, "exec") && slices.ContainsFunc(argv, about) {
				out = append(out, evidence.Part{Role: evidence.RoleClient, PID: p.pid})
			}
		}
		return out
	})
	return found
}

// BirthOf reads what the runtime says of a container's start, nil where the
// engine's directories are not known.
func (e *Engine) BirthOf(ctx context.Context, id string) *evidence.Birth {
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	h, err := e.homeOf(ctx, thorough)
	if err != nil || !isID(id) {
		return nil
	}
	b, _ := beside.Within(ctx, func() *evidence.Birth { return h.birth(id) })
	return b
}

func (h *home) birth(id string) *evidence.Birth {
	if h.exec == "" {
		return nil
	}
	b := &evidence.Birth{}
	for _, dir := range h.stateDirs() {
		names, err := h.fs.names(filepath.Join(dir, id), 100)
		if err != nil {
			continue
		}
		b.Record = b.Record || slices.Contains(names, "state.json")
		b.Unstarted = b.Unstarted || slices.Contains(names, "exec.fifo")
	}
	for _, dir := range h.bundleDirs() {
		if log, err := h.fs.read(filepath.Join(dir, id, "log.json"), maxConfig); err == nil {
			b.LastError = lastError(log)
		}
	}
	return b
}

// lastError is the last message of level error in the runtime's log: JSON lines.
func lastError(log []byte) string {
	last := ""
	for line := range strings.Lines(string(log)) {
		var entry struct{ Level, Msg string }
		if decode([]byte(line), &entry) == nil && entry.Level == "error" {
			last = entry.Msg
		}
	}
	return clip(last, maxText)
}

// stopped reports whether a process is stopped or held by a tracer: it will not
// answer before somebody lets it go on.
func stopped(proc string, pid int) bool {
	b, err := os.ReadFile(procPath(proc, pid, "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b[max(0, strings.LastIndexByte(string(b), ')')):]), " ")
	return strings.HasPrefix(rest, "T ") || strings.HasPrefix(rest, "t ")
}
