package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// enginePID is the process that serves the unix socket, 0 when that is not known
// or the listener is no engine: `ssh -L`, socat and Docker Desktop's forwarder
// listen on sockets too, and the files here are not those of their engine.
func (e *Engine) enginePID(how effort) int {
	proc := e.opt.ProcRoot
	peer := e.conn.listener()
	if isEngine(proc, peer) {
		return peer
	}
	if peer > 1 && commOf(proc, peer) != "systemd" {
		return 0
	}
	// Socket activation: systemd called listen(2) and passed the descriptor on.
	inode := socketInode(proc, e.at.socket)
	if inode == "" {
		return 0
	}
	var candidates []int
	if b, err := os.ReadFile("/run/docker.pid"); err == nil && isDefaultSocket(e.at.socket) {
		if pid, ok := number(strings.TrimSpace(string(b))); ok {
			candidates = append(candidates, pid)
		}
	}
	if how == thorough {
		candidates = append(candidates, allPIDs(proc)...)
	}
	for _, pid := range candidates {
		if isEngine(proc, pid) && holdsSocket(proc, pid, inode) {
			return pid
		}
	}
	return 0
}

func isEngine(proc string, pid int) bool {
	if pid <= 0 {
		return false
	}
	return engineComm(commOf(proc, pid))
}

// engineComm reports whether a process's name is that of an engine.
func engineComm(comm string) bool { return comm == podmanComm || strings.HasPrefix(comm, "dockerd") }

// podmanComm is the name of every podman command, the service's too.
const podmanComm = "podman"

func commOf(proc string, pid int) string {
	b, _ := os.ReadFile(procPath(proc, pid, "comm"))
	return strings.TrimSuffix(string(b), "\n")
}

func procPath(proc string, pid int, file string) string {
	return filepath.Join(proc, strconv.Itoa(pid), file)
}

func allPIDs(proc string) []int {
	f, err := os.Open(proc)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	var pids []int
	for _, n := range names {
		if pid, ok := number(n); ok {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// socketInode finds a listening socket in /proc/net/unix by its path, also one
// whose file was removed or replaced: then it is the last in the table, and "" if
// two processes listen on one path, because it cannot be told which is meant.
func socketInode(proc, path string) string {
	b, err := os.ReadFile(filepath.Join(proc, "net/unix"))
	if err != nil {
		return ""
	}
	return parseSocketInode(b, socketPaths(path))
}

// socketPaths are the spellings under which a listener may have bound the path:
// /var/run is a link to /run.
func socketPaths(path string) []string {
	paths := []string{path}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		paths = append(paths, filepath.Join(dir, filepath.Base(path)))
	}
	if rest, ok := strings.CutPrefix(path, "/run/"); ok {
		paths = append(paths, "/var/run/"+rest)
	}
	return paths
}

// parseSocketInode reads /proc/net/unix:
// "Num RefCount Protocol Flags Type St Inode Path"; flag 0x10000 is __SO_ACCEPTCON.
func parseSocketInode(table []byte, paths []string) string {
	inode := ""
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) != 8 || !slices.Contains(paths, f[7]) {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 64)
		if err != nil || flags&0x10000 == 0 {
			continue
		}
		if inode != "" && inode != f[6] {
			return ""
		}
		inode = f[6]
	}
	return inode
}

func holdsSocket(proc string, pid int, inode string) bool {
	dir := procPath(proc, pid, "fd")
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	for _, n := range names {
		if link, err := os.Readlink(filepath.Join(dir, n)); err == nil && link == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}

// homeOfProcess says where a running engine keeps its files; nil for what cannot
// be read.
func homeOfProcess(proc string, pid int) *home {
	if commOf(proc, pid) == podmanComm {
		return podmanOf(proc, pid)
	}
	argv := commandLine(proc, pid)
	if argv == nil {
		return nil
	}
	h := &home{pid: pid}
	var err error
	if h.fs, err = treeOf(proc, pid); err != nil {
		return nil
	}
	config, data, exec := defaultsOf(proc, pid)
	h.configure(argv, config, data, exec)
	h.fs.owner = ownerOf(proc, pid) // from here on: the configuration may be an administrator's
	h.rootless = h.fs.owner != 0
	return h
}

// commandLine is nil where it cannot be read.
func commandLine(proc string, pid int) []string {
	b, err := os.ReadFile(procPath(proc, pid, "cmdline"))
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// environOf is empty where it cannot be read.
func environOf(proc string, pid int) map[string]string {
	b, _ := os.ReadFile(procPath(proc, pid, "environ"))
	env := map[string]string{}
	for pair := range strings.SplitSeq(string(b), "\x00") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

// treeOf is the file system as a process sees it: our own where both share the
// mount namespace.
func treeOf(proc string, pid int) (tree, error) {
	ours, err := os.Readlink(filepath.Join(proc, "self/ns/mnt"))
	if err != nil {
		return tree{}, fmt.Errorf("telling our mount namespace: %w", err)
	}
	theirs, err := os.Readlink(procPath(proc, pid, "ns/mnt"))
	if err != nil {
		return tree{}, fmt.Errorf("telling the engine's mount namespace: %w", err)
	}
	if root, err := os.Readlink(procPath(proc, pid, "root")); err == nil && ours == theirs && root == "/" {
		return tree{}, nil
	}
	f, err := os.Open(procPath(proc, pid, "root"))
	if err != nil {
		return tree{}, fmt.Errorf("opening the engine's root: %w", err)
	}
	return tree{root: f}, nil
}

// ownerOf is the user of a process, 0 also where that is not known.
func ownerOf(proc string, pid int) int { return fileOwner(procPath(proc, pid, ".")) }

// fileOwner is 0 also where it is not known.
func fileOwner(path string) int {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return 0
}

// defaultsOf are the configuration file, data root and exec root of a dockerd
// without flags. A rootless one goes by the user's directories.
func defaultsOf(proc string, pid int) (config, data, exec string) {
	config, data, exec = defaultConfigFile, "/var/lib/docker", "/var/run/docker"
	if ownerOf(proc, pid) == 0 {
		return config, data, exec
	}
	env := environOf(proc, pid)
	below := func(dir, fallback, sub string) string {
		if dir == "" && env["HOME"] != "" {
			dir = filepath.Join(env["HOME"], fallback)
		}
		if dir == "" {
			return ""
		}
		return filepath.Join(dir, sub)
	}
	exec = ""
	if env["XDG_RUNTIME_DIR"] != "" {
		exec = filepath.Join(env["XDG_RUNTIME_DIR"], "docker")
	}
	return below(env["XDG_CONFIG_HOME"], ".config", "docker/daemon.json"), below(env["XDG_DATA_HOME"], ".local/share", "docker"), exec
}
