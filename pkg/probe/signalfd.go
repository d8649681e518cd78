package probe

import (
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxFDs bounds the descriptors looked at for one process. Programs that use
// signalfd (inits, supervisors) have dozens; a proxy with a blocked signal may
// have a hundred thousand, 5 us each.
const maxFDs = 4096

// signalFDs finds the signalfd descriptors of a process and who waits on them.
// epollSafe tells whether epoll's fdinfo may be read, see epollSafe.
func (r *reader) signalFDs(pid int, tasks []evidence.Task, epollSafe bool) []evidence.SignalFD {
	fds, epolls := r.interestingFDs(pid)
	var out []evidence.SignalFD
	for _, fd := range fds {
		path := r.fdinfoPath(pid, fd)
		data, err := r.read(path, firstRead)
		if err != nil {
			r.miss(fileFDInfo, pid, path, err)
			continue
		}
		mask, ok := parseSignalFD(data)
		if !ok {
			r.gaps = append(r.gaps, evidence.Gap{Path: path, Kind: evidence.GapAbsent, Matters: fileFDInfo.matters})
			continue
		}
		out = append(out, evidence.SignalFD{FD: fd, Mask: mask})
	}
	if len(out) == 0 {
		return nil
	}
	sets := r.epollSets(pid, epolls, epollSafe)
	for i := range out {
		out[i].Watched, out[i].How = watched(out[i].FD, tasks, sets)
	}
	return out
}

func (r *reader) fdinfoPath(pid, fd int) string {
	return r.p.pidPath(pid, "fdinfo", strconv.Itoa(fd))
}

// interestingFDs lists a process's signalfd and epoll descriptors.
func (r *reader) interestingFDs(pid int) (signals, epolls []int) {
	dir := r.p.pidPath(pid, "fd")
	fds, more, err := numbers(dir, maxFDs)
	if err != nil {
		r.miss(fileFD, pid, dir, err)
	}
	if more {
		r.gaps = append(r.gaps, evidence.Gap{Path: dir, Kind: evidence.GapSkipped, Matters: fileFD.matters})
	}
	for _, fd := range fds {
		text, err := readLink(dir + "/" + strconv.Itoa(fd))
		switch {
		case err != nil:
		case strings.HasPrefix(text, "anon_inode:[signalfd]"):
			signals = append(signals, fd)
		case strings.HasPrefix(text, "anon_inode:[eventpoll]"):
			epolls = append(epolls, fd)
		}
	}
	return signals, epolls
}

// epollSets reads which descriptors each epoll descriptor watches; nil where
// that may not be read, which is not the same as none.
func (r *reader) epollSets(pid int, epolls []int, safe bool) map[int][]int {
	if len(epolls) > 0 && !safe {
		r.gaps = append(r.gaps, evidence.Gap{Path: r.fdinfoPath(pid, epolls[0]), Kind: evidence.GapSkipped, Matters: fileFDInfo.matters})
		return nil
	}
	sets := make(map[int][]int, len(epolls))
	for _, fd := range epolls {
		path := r.fdinfoPath(pid, fd)
		data, err := r.read(path, maxRead)
		if err != nil {
			r.miss(fileFDInfo, pid, path, err)
			return nil
		}
		sets[fd] = parseEpoll(data)
	}
	return sets
}

// watched says whether some thread waits on fd now, and how. nil: it cannot be
// told, because a thread runs, hides its call, or keeps the set in its memory
// (poll, select, io_uring).
func watched(fd int, tasks []evidence.Task, sets map[int][]int) (*bool, string) {
	yes, no := true, false
	unsure, how := false, ""
	for i := range tasks {
		c := tasks[i].Syscall
		if c == nil || c.Running || c.NR < 0 || c.Name == "" || len(c.Args) == 0 {
			unsure = unsure || (tasks[i].State != "Z" && tasks[i].State != "X")
			continue
		}
		switch c.Name {
		case "read", "readv":
			if c.Args[0] == uint64(fd) {
				return &yes, "read"
			}
		case "epoll_wait", "epoll_pwait", "epoll_pwait2":
			if sets == nil {
				unsure, how = true, "epoll"
			} else if inSet(fd, int(int32(c.Args[0])), sets, 0) {
				return &yes, "epoll"
			}
		case "poll", "ppoll":
			unsure, how = true, "poll"
		case "select", "pselect6":
			unsure, how = true, "select"
		case "io_uring_enter", "restart_syscall":
			unsure = true
		}
	}
	if unsure {
		return nil, how
	}
	return &no, ""
}

// inSet looks for fd in an epoll set and in those nested in it; the kernel nests
// no deeper than five (fs/eventpoll.c EP_MAX_NESTS is 4).
func inSet(fd, epfd int, sets map[int][]int, depth int) bool {
	for _, member := range sets[epfd] {
		if member == fd {
			return true
		}
		if _, nested := sets[member]; nested && depth < 5 && inSet(fd, member, sets, depth+1) {
			return true
		}
	}
	return false
}

// blocksSignals reports whether a signal that a stop may use is blocked
// somewhere in the process: only then can a signalfd take it. SIGCHLD alone
// does not count; shells and system(3) block it all the time.
func blocksSignals(p *evidence.Process) bool {
	var all evidence.SigSet
	for i := range p.Tasks {
		if b := p.Tasks[i].Blocked; b != nil {
			all |= *b
		}
	}
	return all&^evidence.SetOf(evidence.SIGCHLD) != 0
}

// epollSafe reports whether the fdinfo of epoll descriptors may be read. It
// takes the set's mutex, not killably (ep_show_fdinfo), and a thread holds that
// mutex while it copies events to memory or polls a file: if that is a page or
// file of a silent FUSE server, the reader would hang beyond any signal. So
// every thread in an epoll call must be seen asleep in its ordinary place.
func epollSafe(procs []evidence.Process) bool {
	for i := range procs {
		if dying(&procs[i]) {
			continue
		}
		for j := range procs[i].Tasks {
			t := &procs[i].Tasks[j]
			inEpoll := t.Syscall != nil && strings.HasPrefix(t.Syscall.Name, "epoll_")
			if t.State == "D" || inEpoll && (t.Wchan == nil || !ordinaryWait(*t.Wchan)) {
				return false
			}
		}
	}
	return true
}
