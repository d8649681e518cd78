package probe

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// taskCalls is what syscall and stack say of one thread.
type taskCalls struct {
	tid     int
	syscall *evidence.Syscall
	stack   []string
}

// readCalls reads syscall and, where it tells more than wchan, stack of the
// given tasks. Both take the process's exec_update_lock (fs/proc/base.c
// lock_trace), which an execve that hangs in a file system holds: hence a step
// of its own, and one for the whole process, since the lock is the process's.
func (r *reader) readCalls(pid int, exiting bool, tasks []evidence.Task) []taskCalls {
	out := make([]taskCalls, len(tasks))
	noCall, noStack := false, false
	for i := range tasks {
		t := &tasks[i]
		out[i].tid = t.TID
		if t.State == "Z" || t.State == "X" {
			continue // a zombie has neither
		}
		if !noCall {
			var err error
			out[i].syscall, err = r.readSyscall(pid, t.TID)
			noCall = denied(err)
		}
		if !noStack && wantsStack(t, exiting) {
			out[i].stack = r.readStack(pid, t.TID)
			noStack = out[i].stack == nil
		}
	}
	return out
}

// wantsStack decides who is worth a stack: all tasks but those that run and
// those that sleep in an ordinary place. In a dying process even do_wait may be
// zap_pid_ns_processes, the init that waits for its namespace to empty.
func wantsStack(t *evidence.Task, exiting bool) bool {
	switch {
	case t.State == "R":
		return false
	case exiting, t.State != "S" && t.State != "T", t.Wchan == nil:
		return true
	}
	return !ordinaryWait(*t.Wchan)
}

func denied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}
