package engine

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is what a scan keeps of each process.
type process struct {
	pid, ppid int
	comm      string
	start     uint64
	state     byte
	threads   int
	kernel    bool // a kernel thread
}

// lives: it is more than the entry of a zombie. The leader of a process may be a
// zombie while its threads live.
func (p process) lives() bool { return p.state != 'Z' && p.state != 'X' || p.threads > 1 }

// processes is one scan of /proc, in rising order of PIDs.
type processes []process

// scanProcesses reads the stat file of every process; those that end meanwhile
// are left out.
func scanProcesses(proc string) processes {
	return readStats(proc, allPIDs(proc))
}

// readStats reads the stat files of some processes, whose PIDs rise.
func readStats(proc string, pids []int) processes {
	out := make(processes, 0, len(pids))
	for _, pid := range pids {
		b, err := readKernel(procPath(proc, pid, "stat"))
		if err != nil {
			continue
		}
		if p, ok := parseStat(b); ok {
			out = append(out, p)
		}
	}
	return out
}

// readKernel reads a small file of /proc in three system calls. os.ReadFile makes
// nine, most of them to find out that such a file cannot be polled, which is half
// the price of a scan of all processes.
func readKernel(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 4096)
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return b, nil
		}
		b = b[:len(b)+max(n, 0)]
		if len(b) < cap(b) && n > 0 && b[len(b)-1] == '\n' {
			return b, nil // the kernel gave all that it has
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, cap(b))
		}
	}
}

// pfKthread is PF_KTHREAD of the kernel's include/linux/sched.h.
const pfKthread = 0x200000

// parseStat reads PID, comm, state, PPID, flags, threads and start time. The comm
// may hold spaces and parentheses: it ends at the last one.
func parseStat(b []byte) (process, bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return process{}, false
	}
	rest := strings.Fields(string(b[end+1:])) // from field 3 on
	pid, ok := number(strings.TrimSpace(string(b[:open])))
	if !ok || len(rest) < 20 {
		return process{}, false
	}
	ppid, ok := number(rest[1])
	flags, flagsErr := strconv.ParseUint(rest[6], 10, 64)
	threads, _ := number(rest[17])
	start, err := strconv.ParseUint(rest[19], 10, 64)
	return process{
		pid: pid, ppid: ppid, comm: string(b[open+1 : end]), start: start,
		state: rest[0][0], threads: threads, kernel: flags&pfKthread != 0,
	}, ok && err == nil && flagsErr == nil
}

func (ps processes) get(pid int) (process, bool) {
	i, ok := slices.BinarySearchFunc(ps, pid, func(p process, pid int) int { return p.pid - pid })
	if !ok {
		return process{}, false
	}
	return ps[i], true
}

func (ps processes) children(pid int) []int {
	var out []int
	for _, p := range ps {
		if p.ppid == pid {
			out = append(out, p.pid)
		}
	}
	return out
}

// isNamespaceInit: the last number of the NSpid line is 1, and it is not the only
// one, as it is for PID 1 of our own namespace.
func isNamespaceInit(proc string, pid int) bool {
	b, err := os.ReadFile(procPath(proc, pid, "status"))
	if err != nil {
		return false
	}
	_, line, ok := strings.Cut(string(b), "\nNSpid:")
	if !ok {
		return false
	}
	line, _, _ = strings.Cut(line, "\n")
	f := strings.Fields(line)
	return len(f) > 1 && f[len(f)-1] == "1"
}

// shim is a process that keeps one container: containerd's shim or conmon.
type shim struct {
	pid   int
	id    string
	owner string // whose container, in words; "": dockerd's
	// address is its containerd's socket; action is what a helper was started for:
	// start, delete or exec.
	address, action string
	bundle, pidFile string // of a conmon
	user            int    // of a conmon
}

func shims(proc string, procs processes) []shim {
	var out []shim
	for _, p := range procs {
		// comm is cut at 15 characters: "containerd-shim" is exactly that.
		if p.comm != "conmon" && !strings.HasPrefix(p.comm, "containerd-shim") {
			continue
		}
		b, err := os.ReadFile(procPath(proc, p.pid, "cmdline"))
		if err != nil {
			continue
		}
		if s, ok := parseShim(p, strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")); ok {
			if s.bundle != "" {
				s.user = ownerOf(proc, p.pid)
			}
			out = append(out, s)
		}
	}
	return slices.DeleteFunc(out, func(s shim) bool {
		p, _ := procs.get(s.pid)
		return slices.ContainsFunc(out, func(q shim) bool { return q.forks(s, p.ppid) })
	})
}

// forks reports whether s, a child of parent, is a shim's fork that has not yet
// become the runtime: it has the shim's own command line. The one that runs "start"
// makes a shim.
func (q shim) forks(s shim, parent int) bool {
	return q.pid == parent && q.id == s.id && q.action == ""
}

// parseShim reads "containerd-shim-runc-v2 -namespace moby -id ID -address ..."
// and "conmon ... -c ID ...".
func parseShim(p process, argv []string) (shim, bool) {
	after := func(flag string) string {
		if i := slices.Index(argv, flag); i >= 0 && i+1 < len(argv) {
			return argv[i+1]
		}
		return ""
	}
	s := shim{pid: p.pid, id: after("-id"), address: after("-address")}
	if last := argv[len(argv)-1]; last == "start" || last == "delete" {
		s.action = last
	}
	if p.comm == "conmon" {
		s.id, s.owner, s.bundle, s.pidFile = after("-c"), "Podman or CRI-O", after("-b"), after("-p")
		if slices.Contains(argv, "-e") { // of a docker exec, for 5 minutes after its end
			s.action = "exec"
		}
	} else if ns := after("-namespace"); ns != defaultNamespace && !strings.HasPrefix(ns, defaultNamespace+"-") {
		s.owner = "containerd (namespace " + strconv.Quote(clip(ns, 64)) + ")"
	}
	return s, isID(s.id)
}

// cgroupID is the container id in a cgroup's name: "ID", "docker-ID.scope",
// "libpod-ID.scope", "cri-containerd-ID.scope", "SLICE:docker:ID"; "" when there
// is none. Podman's conmon has one of its own beside the container's,
// "libpod-conmon-ID.scope": who is in there is not in the container.
func cgroupID(name string) string {
	name = strings.TrimSuffix(name, ".scope")
	cut := len(name) - 64
	if cut < 0 || strings.HasPrefix(name, "libpod-conmon-") || !isID(name[cut:]) || cut > 0 && name[cut-1] != '-' && name[cut-1] != ':' {
		return ""
	}
	return name[cut:]
}

// cgroupOwner names the engine whose way of naming cgroups it is; "": dockerd's,
// or any.
func cgroupOwner(dir string) string {
	switch {
	case strings.Contains(dir, "/libpod-"), strings.Contains(dir, "/libpod_parent"):
		return "Podman"
	case strings.Contains(dir, "/kubepods"), strings.Contains(dir, "/cri-containerd"), strings.Contains(dir, "/crio-"):
		return "Kubernetes"
	}
	return ""
}

const (
	maxCgroups     = 50000
	maxCgroupDepth = 12
)

// cgroupsOf lists the cgroup directories that carry an id with the prefix, in the
// unified hierarchy, or on cgroup v1 in the hierarchies that every container is in.
func cgroupsOf(root, prefix string) []string {
	var out []string
	for _, top := range hierarchies(root) {
		seen := 0
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return nil // one that went away meanwhile
			case seen > maxCgroups:
				return fs.SkipAll
			}
			seen++
			if id := cgroupID(d.Name()); id != "" {
				if strings.HasPrefix(id, prefix) {
					out = append(out, path)
				}
				return fs.SkipDir // what is below is the container's own
			}
			if strings.Count(path[len(top):], "/") >= maxCgroupDepth {
				return fs.SkipDir
			}
			return nil
		})
	}
	return out
}

func hierarchies(root string) []string {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return []string{root}
	}
	var out []string
	for _, name := range []string{"unified", "freezer", "pids", "memory"} {
		dir := filepath.Join(root, name)
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			out = append(out, dir)
		}
	}
	return out
}

func cgroupMembers(dir string) []int {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if pid, ok := number(f); ok && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
