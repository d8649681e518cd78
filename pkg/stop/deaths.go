package stop

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// death is the end of one process.
type death struct {
	pid  int
	at   time.Time
	code *int // wait status, nil: not known (before Linux 6.15, or not yet reaped)
}

// maxWatched bounds the processes whose end is waited for: each takes a descriptor.
const maxWatched = 512

// watchDeaths waits for the end of each process by a pidfd, which needs no right
// and does not touch the process.
func (r *run) watchDeaths(ctx context.Context) {
	n := 0
	for i := range r.t.Processes {
		p := &r.t.Processes[i]
		if p.Outside || p.State == "Z" || n == maxWatched {
			continue
		}
		fd, err := unix.PidfdOpen(p.PID, unix.PIDFD_NONBLOCK)
		if err != nil {
			continue // gone by now, or a kernel before 5.3
		}
		n++
		f := os.NewFile(uintptr(fd), "pidfd")
		stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })
		go func() {
			defer f.Close()
			defer stop()
			r.watchOne(ctx, f, p.PID)
		}()
	}
}

func (r *run) watchOne(ctx context.Context, f *os.File, pid int) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	if raw.Read(func(fd uintptr) bool { return readable(fd) }) != nil {
		return
	}
	d := death{pid: pid, at: time.Now()}
	for wait := time.Millisecond; d.code == nil && wait < 20*time.Millisecond; wait *= 2 {
		_ = raw.Control(func(fd uintptr) { d.code = exitOf(fd) })
		if d.code == nil {
			time.Sleep(wait) // known once it has been reaped
		}
	}
	select {
	case r.deaths <- d:
	case <-ctx.Done():
	}
}

// readable: a pidfd is once the process has ended, all threads of it.
func readable(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}

// exitOf is the wait status of a reaped process.
func exitOf(fd uintptr) *int {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if unix.IoctlPidfdInfo(int(fd), &info) != nil || info.Mask&unix.PIDFD_INFO_EXIT == 0 {
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
		switch {
		case ws.Signaled():
			text = "dies of " + evidence.SignalName(int(ws.Signal()))
			r.facts.deadOf[d.pid] = int(ws.Signal())
		default:
			text = fmt.Sprintf("exits with code %d", ws.ExitStatus())
			r.facts.deadOf[d.pid] = 0
		}
	}
	if d.pid == r.t.PID {
		r.facts.initDied = &at
	}
	r.noteAt(at, d.pid, r.title(d.pid)+" "+text, fromPidfd)
}

// title names a process: its PID in the container and its name.
func (r *run) title(pid int) string {
	for i := range r.t.Processes {
		p := &r.t.Processes[i]
		if p.PID != pid {
			continue
		}
		if n := p.NSPID(); n != 0 {
			return fmt.Sprintf("%d %s", n, p.Comm)
		}
		return fmt.Sprintf("%d %s", pid, p.Comm)
	}
	return fmt.Sprintf("host PID %d", pid)
}
