package stop

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// death is the end of one process.
type death struct {
	pid  int
	at   time.Time
	code *int // wait status, nil: not known (before Linux 6.15, or not yet reaped)
}

// maxWatched bounds the processes of one container whose end is waited for: each
// takes a descriptor.
const maxWatched = 256

// mourner waits for the ends of processes by their pidfds, which needs no right and
// touches no process. One epoll set for all gives them in the order in which they
// came.
type mourner struct {
	epoll int
	mu    sync.Mutex
	of    map[int32]watched // by descriptor
	ended beside.Group
	ctx   context.Context
}

type watched struct {
	r   *run
	pid int
}

// newMourner waits until ctx ends; wait then gives back what it holds. nil where the
// kernel has no epoll descriptor left for us.
func newMourner(ctx context.Context) *mourner {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	m := &mourner{epoll: fd, of: map[int32]watched{}, ctx: ctx}
	m.ended.Go(m.watch)
	return m
}

// add waits for the processes of a run.
func (m *mourner) add(ctx context.Context, r *run) {
	if m == nil {
		return
	}
	pids := map[int]int{} // by descriptor
	for i := range r.t.Processes {
		p := &r.t.Processes[i]
		if p.Outside || p.State == "Z" || len(pids) == maxWatched {
			continue
		}
		fd, err := unix.PidfdOpen(p.PID, 0)
		if err != nil {
			continue // gone by now, or a kernel before 5.3
		}
		pids[fd] = p.PID
	}
	// A PID may have been given to another between the look and now.
	same := r.p.prober.StillThere(ctx, r.t.Processes)
	for fd, pid := range pids {
		if !slices.Contains(same, pid) {
			_ = unix.Close(fd)
			continue
		}
		m.mu.Lock()
		m.of[int32(fd)] = watched{r, pid}
		m.mu.Unlock()
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if unix.EpollCtl(m.epoll, unix.EPOLL_CTL_ADD, fd, &event) != nil {
			m.forget(int32(fd))
		}
	}
}

// forget closes a descriptor and says whose it was.
func (m *mourner) forget(fd int32) watched {
	m.mu.Lock()
	w := m.of[fd]
	delete(m.of, fd)
	m.mu.Unlock()
	_ = unix.Close(int(fd))
	return w
}

// wakeEvery bounds how late the end of ctx is noticed.
const wakeEvery = 50

func (m *mourner) watch() {
	events := make([]unix.EpollEvent, 64)
	for m.ctx.Err() == nil {
		n, err := unix.EpollWait(m.epoll, events, wakeEvery)
		if err != nil && err != unix.EINTR {
			return
		}
		now := time.Now()
		for i := range max(n, 0) {
			fd := events[i].Fd
			_ = unix.EpollCtl(m.epoll, unix.EPOLL_CTL_DEL, int(fd), nil)
			at := now.Add(time.Duration(i)) // keeps the order of what came at once
			m.ended.Go(func() { m.tell(fd, at) })
		}
	}
}

// tell waits a moment for the exit code, which is there once the process is reaped.
func (m *mourner) tell(fd int32, at time.Time) {
	var code *int
	for wait := time.Millisecond; ; wait *= 2 {
		if code = exitOf(int(fd)); code != nil || wait > 16*time.Millisecond {
			break
		}
		time.Sleep(wait)
	}
	w := m.forget(fd)
	select {
	case w.r.deaths <- death{w.pid, at, code}:
	case <-m.ctx.Done():
	}
}

// raise panics where a bug of ours has ended a watch.
func (m *mourner) raise() {
	if m != nil {
		m.ended.Raise()
	}
}

// wait closes everything, after the end of ctx.
func (m *mourner) wait() {
	if m == nil {
		return
	}
	m.ended.Wait()
	for fd := range m.of {
		_ = unix.Close(int(fd))
	}
	_ = unix.Close(m.epoll)
}

// exitOf is the wait status of a reaped process.
func exitOf(fd int) *int {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(fd, &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return nil
	}
	code := int(info.Exit_code)
	return &code
}

// died takes in the end of a process.
func (r *run) died(d death) {
	at := d.at.Sub(r.sent).Seconds()
	text := "has ended"
	if d.code != nil {
		ws := unix.WaitStatus(*d.code)
		text = fmt.Sprintf("exits with code %d", ws.ExitStatus())
		r.facts.deadOf[d.pid] = 0
		if ws.Signaled() {
			text = "dies of " + evidence.SignalName(int(ws.Signal()))
			r.facts.deadOf[d.pid] = int(ws.Signal())
		}
	}
	if d.pid == r.t.PID {
		r.facts.initDied = &at
		if !r.hostPIDs() { // with it all of its PID namespace is dead
			r.flushed = r.p.trace.flush()
		}
	}
	r.noteAt(at, d.pid, r.title(d.pid)+" "+text, fromPidfd)
}

// title names a process: its PID in the container and its name.
func (r *run) title(pid int) string {
	p := r.process(r.groupOf(pid))
	switch {
	case p == nil:
		return fmt.Sprintf("host PID %d", pid)
	case p.NSPID() != 0:
		return fmt.Sprintf("%d %s", p.NSPID(), p.Comm)
	}
	return fmt.Sprintf("%d %s", pid, p.Comm)
}
