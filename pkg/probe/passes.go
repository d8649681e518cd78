package probe

import (
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// finish takes the later passes over the processes seen, the harmless reads
// first and those that touch a target's memory last.
func (l *look) finish() {
	l.passCalls()
	l.passFreezer()
	l.passZombies()
	l.passSignalFDs()
	l.passAgain()
	l.passAbout()
	l.passAsync()
	l.passDevices()
	l.passMemory()
	l.passWords()
	l.passOutput()
	l.verify()
}

// pids lists the processes seen that fit.
func (l *look) pids(fits func(*evidence.Process) bool) []int {
	var out []int
	for i := range l.t.Processes {
		if fits(&l.t.Processes[i]) {
			out = append(out, l.t.Processes[i].PID)
		}
	}
	return out
}

// taskCopies are the tasks of every process for steps that may outlive the look.
func (l *look) taskCopies() map[int][]evidence.Task {
	out := make(map[int][]evidence.Task)
	for i := range l.t.Processes {
		if l.t.Processes[i].Brief {
			continue // no later step concerns it
		}
		out[l.t.Processes[i].PID] = slices.Clone(l.t.Processes[i].Tasks)
	}
	return out
}

// passCalls reads syscall and stack.
func (l *look) passCalls() {
	tasks := l.taskCopies()
	exiting := map[int]bool{}
	for i := range l.t.Processes {
		exiting[l.t.Processes[i].PID] = dying(&l.t.Processes[i])
	}
	all := l.pids(func(p *evidence.Process) bool { return !p.Brief })
	each(l, fileSyscall, l.p.cfg.ReadTimeout, all, func(r *reader, pid int) []taskCalls {
		return r.readCalls(pid, exiting[pid], tasks[pid])
	}, func(pid int, calls []taskCalls) {
		p := l.process(pid)
		for i := range calls {
			p.Tasks[i].Syscall, p.Tasks[i].Stack = calls[i].syscall, calls[i].stack
		}
		l.explainWchan(p)
	})
}

// explainWchan notes why a wchan is not known: the kernel prints "0" instead of
// an error to whom may not know (fs/proc/base.c proc_pid_wchan), but refuses
// the system call of the same task.
func (l *look) explainWchan(p *evidence.Process) {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if t.Wchan == nil && t.Syscall == nil && t.State != "Z" {
			l.gap(evidence.GapDenied, l.p.taskPath(p.PID, t.TID, fileWchan.name), fileWchan.matters)
			return
		}
	}
}

// passFreezer reads the state of the target's cgroup and its ancestors.
func (l *look) passFreezer() {
	g, lines := l.group, l.cgroups
	if g.path == "" {
		return
	}
	c, ok := once(l, l.p.cfg.ReadTimeout, func(r *reader) *evidence.Cgroup { return r.freezer(g, lines) })
	if !ok {
		l.gap(evidence.GapTimeout, g.dir+"/"+fileFreezer.name, fileFreezer.matters)
		return
	}
	l.t.Cgroup = c
}

// passSignalFDs looks for signalfd where a blocked signal makes it matter.
func (l *look) passSignalFDs() {
	some := l.pids(func(p *evidence.Process) bool { return !p.Outside && !dying(p) && blocksSignals(p) })
	if len(some) == 0 {
		return
	}
	tasks, safe := l.taskCopies(), epollSafe(l.t.Processes)
	each(l, fileFD, l.p.cfg.ReadTimeout, some, func(r *reader, pid int) []evidence.SignalFD {
		return r.signalFDs(pid, tasks[pid], safe)
	}, func(pid int, fds []evidence.SignalFD) { l.process(pid).SignalFDs = fds })
}

// passAgain takes the second look, a short while after the first.
func (l *look) passAgain() {
	ids := restlessTasks(l.t.Processes)
	if len(ids) == 0 {
		return
	}
	select {
	case <-time.After(l.p.cfg.Interval - time.Since(l.seen)):
	case <-l.ctx.Done():
		return
	}
	seen := l.seen
	looks, _ := once(l, l.p.cfg.Total, func(r *reader) []*evidence.SecondLook { return r.secondLook(ids, seen) })
	for i, again := range looks {
		l.t.Processes[ids[i].process].Tasks[ids[i].task].Again = again
	}
}

// passWords reads what may block: exe and cmdline.
func (l *look) passWords() {
	safe := l.pids(func(p *evidence.Process) bool { return !p.Brief && mayTouch(p) })
	for i := range l.t.Processes {
		if p := &l.t.Processes[i]; !mayTouch(p) {
			l.gap(evidence.GapSkipped, l.p.pidPath(p.PID, fileCmdline.name), fileCmdline.matters+": the process is in D or dying, where reading could block")
		}
	}
	stdio := l.stdioMatters()
	each(l, fileCmdline, l.p.cfg.ReadTimeout, safe, func(r *reader, pid int) words { return r.readWords(pid, stdio[pid]) },
		func(pid int, w words) {
			p := l.process(pid)
			p.Stdio, p.Exe, p.Argv = w.stdio, w.exe, w.argv
		})
}

// stdioMatters picks whose descriptors 0 to 2 are worth three links: the init's,
// and those of who reads or writes one of them now.
func (l *look) stdioMatters() map[int]bool {
	out := map[int]bool{l.t.PID: true}
	for i := range l.t.Processes {
		p := &l.t.Processes[i]
		for j := range p.Tasks {
			if c := p.Tasks[j].Syscall; c != nil && len(c.Args) > 0 && c.Args[0] <= 2 {
				switch c.Name {
				case "read", "readv", "write", "writev", "sendto", "sendmsg", "splice", "ioctl":
					out[p.PID] = true
				}
			}
		}
	}
	return out
}

// passOutput reads the links of descriptors 0 to 2 of those that may outlive the
// target's init, which is no init of a PID namespace, and may hang: the engine may
// wait for the output that they hold. Such a link is read without a lock that
// sleeps, also of a task in D.
func (l *look) passOutput() {
	init := l.process(l.t.PID)
	if init == nil || l.t.Container == nil || init.NSPID() <= 1 {
		return
	}
	some := l.pids(func(p *evidence.Process) bool {
		return p != init && !p.Outside && !p.Brief && p.Stdio == nil && !dying(p) && slices.ContainsFunc(p.Tasks, func(t evidence.Task) bool { return restless(&t) })
	})
	each(l, fileOutput, l.p.cfg.ReadTimeout, some, (*reader).stdio, func(pid int, links []string) { l.process(pid).Stdio = links })
}

// shortLook is a look in which no number can have come round: PIDs are given
// out in a circle, and the smallest usual one (32768) takes seconds to fill.
const shortLook = 500 * time.Millisecond

// verify drops what ended or became another process during the look.
func (l *look) verify() {
	short := time.Since(l.began) < shortLook
	pids := l.pids(func(p *evidence.Process) bool { return !short || p.PID == l.t.PID })
	now, ok := once(l, l.p.cfg.Total, func(r *reader) map[int]uint64 {
		out := make(map[int]uint64, len(pids))
		for _, pid := range pids {
			if st, err := r.readStat(pid); err == nil {
				out[pid] = st.StartTicks
			}
		}
		return out
	})
	if !ok {
		l.gap(evidence.GapTimeout, l.p.pidPath(l.t.PID, fileStat.name), "cannot prove that no PID was given to another process during the look")
		return
	}
	l.t.Processes = slices.DeleteFunc(l.t.Processes, func(p evidence.Process) bool {
		if now[p.PID] == p.StartTicks || short && p.PID != l.t.PID {
			return false
		}
		l.gap(evidence.GapGone, l.p.pidPath(p.PID), "the process ended during the look")
		if p.PID == l.t.PID && l.t.Identity != nil {
			l.t.Identity.Alive, l.t.Identity.Vanished = false, true
		}
		return true
	})
}
