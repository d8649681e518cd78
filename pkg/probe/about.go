package probe

import (
	"bytes"
	"errors"
	"maps"
	"os"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/memory"
)

const (
	// maxAbout bounds the tasks of a target whose file is looked for: a hundred
	// threads stuck on one lock are one story.
	maxAbout = 16
	// maxPath is the kernel's PATH_MAX.
	maxPath = 4096
)

// passAbout finds the file and the mount that each task which may hang is stuck
// on, and the servers of FUSE mounts.
func (l *look) passAbout() {
	tasks := l.hangingTasks(maxAbout)
	if len(tasks) == 0 {
		return
	}
	pids := slices.Sorted(maps.Keys(tasks))
	own, ok := once(l, l.p.cfg.ReadTimeout, func(r *reader) []mount {
		table, _ := r.mounts(r.p.pidPath(os.Getpid(), "mountinfo"))
		return table
	})
	if !ok {
		l.gap(evidence.GapTimeout, l.p.cfg.Proc+"/self/mountinfo", fileMounts.matters)
	}
	each(l, fileMounts, l.p.cfg.ReadTimeout, pids, func(r *reader, pid int) map[int]*evidence.About {
		return r.about(pid, tasks[pid], own)
	}, func(pid int, found map[int]*evidence.About) { l.setAbout(pid, found) })
	l.readPaths(tasks, own)
	l.passFUSE()
	l.passSlept(l.hangingTasks(maxAgain)) // an unknown time counts as a short one
}

func (l *look) setAbout(pid int, found map[int]*evidence.About) {
	p := l.process(pid)
	for i := range p.Tasks {
		if a := found[p.Tasks[i].TID]; a != nil {
			p.Tasks[i].About = a
		}
	}
}

// hangingTasks are copies of the tasks that may hang, at most limit, by process.
func (l *look) hangingTasks(limit int) map[int][]evidence.Task {
	out, n := map[int][]evidence.Task{}, 0
	for i := range l.t.Processes {
		p := &l.t.Processes[i]
		for j := range p.Tasks {
			if n < limit && mayHang(&p.Tasks[j]) {
				out[p.PID] = append(out[p.PID], p.Tasks[j])
				n++
			}
		}
	}
	return out
}

// mayHang picks the tasks that slept on from the first look to the second where
// SIGKILL may not end the sleep.
func mayHang(t *evidence.Task) bool {
	if t.Again == nil || t.Again.Moved || t.Again.State != t.State {
		return false
	}
	wait := waitOf(t)
	switch t.State {
	case "D":
		return wait == nil || wait.Killable != catalog.KillableYes && wait.Topic != "freezer"
	case "S":
		return wait != nil && (wait.Read || wait.Killable == catalog.KillableNo && catalog.Exiting(t.Stack))
	}
	return false
}

func waitOf(t *evidence.Task) *catalog.Wait {
	wchan := ""
	if t.Wchan != nil {
		wchan = *t.Wchan
	}
	return catalog.LookupWait(t.Stack, catalog.TrimSuffix(wchan))
}

// about finds what can be found without touching memory: descriptors' links,
// and mounts. A task whose call has a path in memory is left for readPaths.
func (r *reader) about(pid int, tasks []evidence.Task, own []mount) map[int]*evidence.About {
	out := map[int]*evidence.About{}
	for i := range tasks {
		t := &tasks[i]
		a := &evidence.About{Via: evidence.ViaFD}
		table, _ := r.mounts(r.p.taskPath(pid, t.TID, fileMounts.name))
		m := (*mount)(nil)
		if fd, ok := callFD(t.Syscall); ok {
			a.Path, m = r.descriptor(pid, t.TID, fd, table)
		}
		setMount(a, m)
		r.settle(a, t, table, own)
		if a.Path != "" || a.Mount != "" {
			out[t.TID] = a
		}
	}
	return out
}

// settle names the mount where the path alone did not, and looks for it among
// the observer's own.
func (r *reader) settle(a *evidence.About, t *evidence.Task, table, own []mount) {
	wait := waitOf(t)
	if wait != nil && wait.Topic == "fuse" && !(&mount{fsType: a.FSType}).fuse() {
		// A symbolic link led elsewhere, or there is no path at all.
		if a.Mount, a.FSType, a.Source, a.Device = "", "", "", ""; a.Path == "" {
			a.Via = evidence.ViaOnlyMount
		}
		setMount(a, onlyFUSE(table))
	}
	if a.FSType == "overlay" && strings.HasPrefix(a.Source, "/") {
		// Docker's upper directories are named as its own namespace sees them, which
		// is most often the observer's.
		if m := mountOf(own, a.Source); m != nil {
			a.Under = m.device
		}
	}
	if m := sameDevice(own, a.Device); m != nil && a.Device != "" && m.root == "/" {
		a.HostMount = bounded(m.point)
	}
}

// descriptor is the link of a descriptor, which never blocks, and its mount by
// the number in fdinfo: the path may be outside of the process's root.
func (r *reader) descriptor(pid, tid, fd int, table []mount) (string, *mount) {
	n := strconv.Itoa(fd)
	path, err := readLink(r.p.taskPath(pid, tid, "fd/"+n))
	if err != nil || !strings.HasPrefix(path, "/") {
		return "", nil // a pipe or a socket is about no file
	}
	data, err := r.read(r.p.taskPath(pid, tid, "fdinfo/"+n), firstRead)
	if err != nil {
		return path, nil
	}
	if id, ok := infoNumber(data, "mnt_id:"); ok {
		return path, mountByID(table, id)
	}
	return path, nil
}

// infoNumber reads one "key:\tnumber" line of an fdinfo.
func infoNumber(data []byte, key string) (int, bool) {
	for line := range bytes.Lines(data) {
		if v, ok := bytes.CutPrefix(line, []byte(key)); ok {
			n, err := strconv.Atoi(string(bytes.TrimSpace(v)))
			return n, err == nil
		}
	}
	return 0, false
}

// readPaths reads the path arguments of calls from memory, last and each
// process once: process_vm_readv takes the mmap lock.
func (l *look) readPaths(tasks map[int][]evidence.Task, own []mount) {
	var pids []int
	for pid := range tasks {
		p := l.process(pid)
		if !slices.ContainsFunc(tasks[pid], func(t evidence.Task) bool { _, ok := callPath(t.Syscall); return ok }) {
			continue
		}
		if !memoryFree(p) {
			l.gap(evidence.GapSkipped, l.p.pidPath(pid, fileMem.name), fileMem.matters+": a task of it hangs in a page fault or changes its memory")
			continue
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	each(l, fileMem, l.p.cfg.ReadTimeout, pids, func(r *reader, pid int) map[int]*evidence.About {
		return r.arguments(pid, tasks[pid], own)
	}, func(pid int, found map[int]*evidence.About) { l.setAbout(pid, found) })
}

// arguments is about for calls that take a path.
func (r *reader) arguments(pid int, tasks []evidence.Task, own []mount) map[int]*evidence.About {
	out := map[int]*evidence.About{}
	for i := range tasks {
		t := &tasks[i]
		c, ok := callPath(t.Syscall)
		if !ok {
			continue
		}
		path := r.argument(pid, t, c)
		if path == "" {
			continue
		}
		table, _ := r.mounts(r.p.taskPath(pid, t.TID, fileMounts.name))
		a := &evidence.About{Path: path, Via: evidence.ViaArgument}
		setMount(a, mountOf(table, path))
		r.settle(a, t, table, own)
		out[t.TID] = a
	}
	return out
}

// argument is the path of a call as an absolute one, "" when it is not known.
func (r *reader) argument(pid int, t *evidence.Task, c pathCall) string {
	text, ok := r.readString(t.TID, t.Syscall.Args[c.path])
	if !ok {
		return ""
	}
	if strings.HasPrefix(text, "/") {
		return pathpkg.Clean(text)
	}
	dir, err := "", error(nil)
	if fd := int32(uint32(argument(t.Syscall, c.dir))); c.dir < 0 || fd == unix.AT_FDCWD {
		dir, err = readLink(r.p.taskPath(pid, t.TID, "cwd"))
	} else {
		dir, err = readLink(r.p.taskPath(pid, t.TID, "fd/"+strconv.Itoa(int(fd))))
	}
	if err != nil || !strings.HasPrefix(dir, "/") {
		return ""
	}
	return pathpkg.Join(dir, text)
}

func argument(s *evidence.Syscall, i int) uint64 {
	if i < 0 {
		return 0
	}
	return s.Args[i]
}

// readString reads a NUL-ended string of at most maxPath bytes, a page at a time:
// what follows its last page need not be there.
func (r *reader) readString(tid int, addr uint64) (string, bool) {
	if addr == 0 || addr>>63 != 0 {
		return "", false
	}
	dir, err := unix.Open(r.p.pidPath(tid), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(dir)
	page := uint64(os.Getpagesize())
	for buf := []byte{}; len(buf) < maxPath; {
		at := addr + uint64(len(buf))
		part := make([]byte, min(page-at%page, uint64(maxPath-len(buf))))
		n, err := memory.Read(dir, tid, part, at)
		if errors.Is(err, memory.ErrUnsafe) {
			r.gaps = append(r.gaps, evidence.Gap{Path: r.p.pidPath(tid, fileMem.name), Kind: evidence.GapSkipped,
				Matters: fileMem.matters + ": it lies in a file whose server may not answer"})
		}
		if err != nil {
			return "", false
		}
		buf = append(buf, part[:n]...)
		if text, _, ended := bytes.Cut(buf, []byte{0}); ended || n < len(part) {
			return string(text), ended
		}
	}
	return "", false
}

// memoryFree reports whether nobody in a process seems to hold its mmap lock. A
// lock's own functions stand in no stack, but who waits for memory has its
// caller there.
func memoryFree(p *evidence.Process) bool {
	if dying(p) {
		return false
	}
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if t.State == "D" && len(t.Stack) == 0 {
			return false
		}
		if slices.ContainsFunc(t.Stack, touchesMemory) {
			return false
		}
	}
	return true
}

func touchesMemory(frame string) bool {
	for _, part := range []string{"fault", "mmap", "munmap", "mprotect", "mremap", "madvise", "mlock", "_brk", "begin_new_exec", "load_elf", "load_script", "dup_mm", "copy_process", "mmput", "exit_mm", "coredump"} {
		if strings.Contains(frame, part) {
			return true
		}
	}
	return false
}
