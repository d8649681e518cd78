package probe

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

const (
	// maxHolderFDs bounds the descriptors looked at in each process of the host. A
	// server opens /dev/fuse at its start, so the number is a low one.
	maxHolderFDs = 512
	// maxServers bounds the processes named: a server that forks hands its
	// descriptor on.
	maxServers = 8
	// maxServerThreads bounds the threads of a server whose call is read.
	maxServerThreads = 256
)

// passFUSE finds the servers of the FUSE mounts that tasks are stuck on. It
// goes over the whole host, so it is done only when there is such a task.
func (l *look) passFUSE() {
	wanted := map[int]int{} // connection -> minor
	for i := range l.t.Processes {
		for j := range l.t.Processes[i].Tasks {
			if a := l.t.Processes[i].Tasks[j].About; a != nil && (&mount{fsType: a.FSType}).fuse() {
				if conn, minor, ok := connectionOf(a.Device); ok {
					wanted[conn] = minor
				}
			}
		}
	}
	if len(wanted) == 0 {
		return
	}
	found, ok := once(l, 2*l.p.cfg.ReadTimeout, func(r *reader) []evidence.FUSEConn { return r.servers(wanted) })
	if !ok {
		l.gap(evidence.GapTimeout, l.p.cfg.Proc+"/*/fd", fileFUSE.matters)
	}
	l.t.FUSE = found
}

// connectionOf turns "0:74" into the number of the connection, which is the
// kernel's dev_t (fs/fuse/control.c fuse_ctl_add_conn); the major is 0 for all
// but fuseblk.
func connectionOf(device string) (conn, minor int, ok bool) {
	a, b, ok := strings.Cut(device, ":")
	major, err1 := strconv.Atoi(a)
	minor, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || major < 0 || minor < 0 || major > 0xfff || minor > 0xfffff {
		return 0, 0, false
	}
	return major<<20 | minor, minor, true
}

// holder is a process with a descriptor of /dev/fuse; conn is -1 where fdinfo
// does not name the connection (kernels before `fuse_connection:`).
type holder struct {
	pid  int
	conn int
	fds  []int
}

// servers lists who holds the wanted connections, in the order of their numbers.
func (r *reader) servers(wanted map[int]int) []evidence.FUSEConn {
	var out []evidence.FUSEConn
	holders, all := r.p.fuse.get(r)
	if !all {
		r.gaps = append(r.gaps, evidence.Gap{Path: r.p.cfg.Proc + "/*/fd", Kind: evidence.GapTimeout, Matters: fileFUSE.matters})
	}
	for _, conn := range slices.Sorted(maps.Keys(wanted)) {
		base := evidence.FUSEConn{Device: wanted[conn], Connection: conn, Waiting: r.fuseWaiting(conn)}
		any := false
		for _, h := range holders {
			// Without a number a holder is the server if there is no other.
			if h.conn != conn && !(h.conn < 0 && len(holders) == 1) || len(out) >= maxServers {
				continue
			}
			any = true
			out = append(out, r.server(base, h))
		}
		if !any {
			out = append(out, base)
		}
	}
	return out
}

// server adds what the serving process is doing.
func (r *reader) server(c evidence.FUSEConn, h holder) evidence.FUSEConn {
	c.ServerPID, c.ServerComm = h.pid, r.comm(h.pid)
	if st, err := r.readStat(h.pid); err == nil {
		c.ServerState = st.State
	}
	c.ServerIdle = r.readsFUSE(h)
	return c
}

// holders is one search of the host for those who serve FUSE. Targets that are
// looked at side by side share it: on a busy host each of several would run out of
// its time.
type holders struct {
	mu   sync.Mutex
	at   time.Time // when it ended
	list []holder
	all  bool // it came to its end
}

// freshHolders is for how long a search is good.
const freshHolders = time.Second

// get searches, or gives what another search has just found.
func (h *holders) get(r *reader) (list []holder, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) > freshHolders {
		h.list, h.all = r.holders(time.Now().Add(r.p.cfg.ReadTimeout * 3 / 2))
		h.at = time.Now()
	}
	return h.list, h.all
}

// holders finds every descriptor of /dev/fuse on the host, until the time is up.
func (r *reader) holders(until time.Time) (out []holder, all bool) {
	pids, _, _ := numbers(r.p.cfg.Proc, 1<<22)
	for _, pid := range pids {
		if time.Now().After(until) {
			return out, false
		}
		fds, _, err := numbers(r.p.pidPath(pid, "fd"), maxHolderFDs)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if text, err := readLink(r.p.pidPath(pid, "fd", strconv.Itoa(fd))); err == nil && text == "/dev/fuse" {
				out = r.addHolder(out, pid, fd)
			}
		}
	}
	return out, true
}

// addHolder adds a descriptor to the holder that has others of its connection.
func (r *reader) addHolder(out []holder, pid, fd int) []holder {
	conn := -1
	if data, err := r.read(r.p.pidPath(pid, "fdinfo", strconv.Itoa(fd)), firstRead); err == nil {
		if n, ok := infoNumber(data, "fuse_connection:"); ok {
			conn = n
		}
	}
	for i := range out {
		if out[i].pid == pid && out[i].conn == conn {
			out[i].fds = append(out[i].fds, fd)
			return out
		}
	}
	return append(out, holder{pid, conn, []int{fd}})
}

// readsFUSE tells whether a thread of the server sleeps in a read of its
// connection. A server whose only threads are stopped, or at work, tells
// nothing of what is queued.
func (r *reader) readsFUSE(h holder) *bool {
	idle, known := false, false
	tids, _, err := numbers(r.p.pidPath(h.pid, "task"), maxServerThreads)
	if err != nil {
		return nil
	}
	for _, tid := range tids {
		st, err := r.readTaskStat(h.pid, tid)
		if err != nil {
			continue
		}
		known = true
		if st.State == "S" && r.inFUSERead(h, tid) {
			idle = true
			break
		}
	}
	if !known {
		return nil
	}
	return &idle
}

// inFUSERead: the thread sleeps in fuse_dev_do_read, by read, readv or splice of
// one of the holder's descriptors. With another connection in the same process
// only the call's descriptor tells which.
func (r *reader) inFUSERead(h holder, tid int) bool {
	data, err := r.read(r.p.taskPath(h.pid, tid, "wchan"), 256)
	if err != nil || catalog.TrimSuffix(string(data)) != "fuse_dev_do_read" {
		return false
	}
	// Another process's call that may not be read is nobody's gap.
	if data, err = r.read(r.p.taskPath(h.pid, tid, fileSyscall.name), firstRead); err != nil {
		return false
	}
	call, err := parseSyscall(data, runtime.GOARCH)
	if err != nil || call.Running || len(call.Args) == 0 {
		return false
	}
	return slices.Contains(h.fds, int(int32(uint32(call.Args[0]))))
}

// fuseWaiting is the number of requests of a connection that are not answered.
func (r *reader) fuseWaiting(conn int) *int {
	n, err := r.number(r.p.cfg.Sys + "/fs/fuse/connections/" + strconv.Itoa(conn) + "/waiting")
	if err != nil {
		return nil // fusectl is seldom mounted, and that is nobody's gap
	}
	return &n
}
