package inside

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxPoll bounds the descriptors of one poll or select that are looked at.
const maxPoll = 4096

// hasWaits: some thread waits with a set that only its memory holds and that
// matters here.
func hasWaits(p *evidence.Process) bool {
	for i := range p.Tasks {
		if inSigwait(&p.Tasks[i]) {
			return true
		}
	}
	return len(unsettled(p)) > 0
}

// inSigwait: the thread sleeps in rt_sigtimedwait with the kernel's signal set
// of 8 bytes. sigsuspend, ppoll, pselect and epoll_pwait show their set as
// SigBlk; there is nothing to read for them.
func inSigwait(t *evidence.Task) bool {
	s := t.Syscall
	return t.State == "S" && t.Awaited == nil && s != nil && s.Name == "rt_sigtimedwait" && len(s.Args) == 6 && s.Args[3] == 8
}

// awaited reads what the threads in rt_sigtimedwait wait for. The kernel takes
// these signals out of SigBlk for the time of the wait (do_sigtimedwait), so
// without the set such a thread looks as if it had none.
func awaited(t *target, tasks []evidence.Task) map[int]evidence.SigSet {
	out := map[int]evidence.SigSet{}
	for i := range tasks {
		task := &tasks[i]
		if !inSigwait(task) {
			continue
		}
		data, err := t.peek(task.Syscall.Args[0], 8)
		if err == nil && t.sameCall(task) {
			// kernel/signal.c: KILL and STOP cannot be awaited.
			out[task.TID] = evidence.SigSet(le64(data)) &^ evidence.SetOf(evidence.SIGKILL, evidence.SIGSTOP)
		}
	}
	return out
}

// sameCall proves after a read that the thread is still in the call whose
// argument was read: the set lies on its stack and is something else later.
func (t *target) sameCall(task *evidence.Task) bool {
	data, err := t.file("task/"+strconv.Itoa(task.TID)+"/syscall", 512)
	return err == nil && isCall(data, task.Syscall)
}

// isCall compares a line of /proc/PID/task/TID/syscall with what it was.
func isCall(line []byte, s *evidence.Syscall) bool {
	want := strconv.Itoa(s.NR)
	for _, a := range s.Args {
		want += fmt.Sprintf(" %#x", a)
	}
	got, ok := bytes.CutPrefix(line, []byte(want))
	return ok && (len(got) == 0 || got[0] == ' ' || got[0] == '\n')
}

// watch is whether a descriptor is waited on, and how.
type watch struct {
	watched bool
	how     string
}

// unsettled are the signalfd descriptors of which it is not known whether
// somebody waits for them, where a thread's poll or select may tell.
func unsettled(p *evidence.Process) []int {
	if !slices.ContainsFunc(p.Tasks, func(t evidence.Task) bool { return polls(&t) }) {
		return nil
	}
	var out []int
	for _, fd := range p.SignalFDs {
		if fd.Watched == nil && fd.FD >= 0 {
			out = append(out, fd.FD)
		}
	}
	return out
}

// polls: the thread sleeps in a call whose descriptors lie in its memory.
func polls(t *evidence.Task) bool {
	if t.State != "S" || t.Syscall == nil || len(t.Syscall.Args) != 6 {
		return false
	}
	switch t.Syscall.Name {
	case "poll", "ppoll", "select", "pselect6":
		return true
	}
	return false
}

// watches settles them: true where a thread has the descriptor in its set,
// false where every thread's call is known and none has it.
func watches(t *target, p *evidence.Process) map[int]watch {
	fds := unsettled(p)
	if len(fds) == 0 {
		return nil
	}
	out := map[int]watch{}
	sure := true
	for i := range p.Tasks {
		task := &p.Tasks[i]
		if !polls(task) {
			sure = sure && watchesNothing(task)
			continue
		}
		set, err := polledSet(t, task.Syscall)
		if err != nil || !t.sameCall(task) {
			sure = false
			continue
		}
		for _, fd := range fds {
			if set(fd) {
				out[fd] = watch{true, how(task.Syscall.Name)}
			}
		}
	}
	for _, fd := range fds {
		if _, ok := out[fd]; !ok && sure {
			out[fd] = watch{}
		}
	}
	return out
}

// how is evidence's word for a call that waits.
func how(call string) string {
	if strings.Contains(call, "select") {
		return "select"
	}
	return "poll"
}

// watchesNothing: the thread's call is one that surely waits for no descriptor
// but, in read, for one that the prober has seen. epoll and io_uring may.
func watchesNothing(t *evidence.Task) bool {
	s := t.Syscall
	if t.State != "S" || s == nil || s.Running || s.NR < 0 || s.Name == "" {
		return false
	}
	return !strings.HasPrefix(s.Name, "epoll_") && s.Name != "io_uring_enter" && s.Name != "restart_syscall"
}

// polledSet reads the descriptors that a poll or select waits to read from.
func polledSet(m peeker, s *evidence.Syscall) (func(fd int) bool, error) {
	if s.Name == "poll" || s.Name == "ppoll" {
		return pollSet(m, s.Args[0], s.Args[1])
	}
	return selectSet(m, s.Args[0], s.Args[1])
}

// pollSet reads an array of struct pollfd: int fd, short events, short revents.
func pollSet(m peeker, at, n uint64) (func(int) bool, error) {
	if n > maxPoll {
		return nil, fmt.Errorf("poll of %d descriptors: %w", n, errUnknown)
	}
	set := map[int]bool{}
	if n == 0 {
		return func(fd int) bool { return set[fd] }, nil
	}
	data, err := m.peek(at, int(n)*8)
	if err != nil {
		return nil, err
	}
	const in, rdnorm = 0x1, 0x40 // POLLIN, POLLRDNORM
	for ; len(data) >= 8; data = data[8:] {
		if le16(data[4:])&(in|rdnorm) != 0 {
			set[int(int32(le32(data)))] = true
		}
	}
	return func(fd int) bool { return set[fd] }, nil
}

// selectSet reads the set of descriptors to read from: bit fd, in 64-bit words.
func selectSet(m peeker, n, at uint64) (func(int) bool, error) {
	if n > 8*maxPoll {
		return nil, fmt.Errorf("select of %d descriptors: %w", n, errUnknown)
	}
	if n == 0 || at == 0 {
		return func(int) bool { return false }, nil
	}
	data, err := m.peek(at, int(n+63)/64*8)
	if err != nil {
		return nil, err
	}
	return func(fd int) bool {
		return fd >= 0 && uint64(fd) < n && data[fd/8]>>(fd%8)&1 != 0
	}, nil
}
