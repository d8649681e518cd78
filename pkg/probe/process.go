package probe

import (
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// readProcess is the harmless part of the look at one process: stat, status,
// ns/pid, and status and wchan of each thread. nil: there is no such process,
// or it ended meanwhile. budget is how many threads may still be looked at;
// leaderOnly leaves all but the first away.
func (r *reader) readProcess(pid, budget int, leaderOnly bool) *evidence.Process {
	st, err := r.readStat(pid)
	if err != nil {
		r.miss(fileStat, pid, r.p.pidPath(pid, "stat"), err)
		return nil
	}
	p := &evidence.Process{
		PID: pid, PPID: st.PPID, PGID: st.PGRP, SID: st.Session, TTY: st.TTY,
		StartTicks: st.StartTicks, Comm: st.Comm, State: st.State, Flags: st.Flags,
	}
	s := r.readStatus(pid)
	if s.State == "" {
		s.State = p.State // status could not be read, or has no State line
	}
	p.NSPIDs, p.UID, p.Threads = s.NSPIDs, s.UID, s.Threads
	p.TracerPID, p.CoreDumping, p.Seccomp, p.CapEff = s.TracerPID, s.CoreDumping, s.Seccomp, s.CapEff
	p.Signals = s.signals()
	if p.Threads == 0 {
		p.Threads = st.Threads
	}
	p.PIDNS = r.pidNS(pid)
	if leaderOnly {
		r.readTasks(p, s, []int{pid})
	} else {
		r.readTasks(p, s, r.tids(p, budget))
	}
	r.times(p, &st)
	r.tracer(p)
	return p
}

// readStatus is /proc/PID/status; empty where it could not be read.
func (r *reader) readStatus(pid int) *status {
	path := r.p.pidPath(pid, "status")
	data, err := r.record(path, maxRead)
	if err != nil {
		r.miss(fileStatus, pid, path, err)
		return &status{}
	}
	s, err := parseStatus(data)
	if err != nil || s.signals() == nil || s.SigBlk == nil {
		r.gaps = append(r.gaps, evidence.Gap{Path: path, Kind: evidence.GapAbsent, Matters: fileStatus.matters})
	}
	return &s
}

// times gives the tasks that may be running in circles their time: the second
// look compares it. The group's sums are the thread's own if there is but one.
func (r *reader) times(p *evidence.Process, group *stat) {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		switch {
		case len(p.Tasks) == 1 && p.Threads == 1:
			t.UTicks, t.STicks = group.UTime, group.STime
		case restless(t):
			s, _ := r.readTaskStat(p.PID, t.TID)
			t.UTicks, t.STicks = s.UTime, s.STime
		}
	}
}

// pidNS is the inode of a process's PID namespace, 0 when it may not be read.
func (r *reader) pidNS(pid int) uint64 {
	path := r.p.pidPath(pid, filePIDNS.name)
	text, err := readLink(path)
	if err != nil {
		r.miss(filePIDNS, pid, path, err)
	}
	return parseNS(text)
}

// ownNS is the inode of the observer's PID namespace, 0 when not known.
func (r *reader) ownNS() uint64 {
	text, _ := readLink(r.p.cfg.Proc + "/self/" + filePIDNS.name)
	return parseNS(text)
}

// sameNS tells whether a process lives in the observer's PID namespace, nil when
// nothing tells. Where the link may not be read NSpid decides: it lists the
// numbers from the observer's namespace down, so a single one is the observer's.
func sameNS(own, ns uint64, nsPIDs []int) *bool {
	same := own == ns
	if own == 0 || ns == 0 {
		if len(nsPIDs) == 0 {
			return nil
		}
		same = len(nsPIDs) == 1
	}
	return &same
}

// parseNS reads "pid:[4026531836]", 0 for anything else.
func parseNS(text string) uint64 {
	rest, ok := strings.CutPrefix(text, "pid:[")
	if !ok {
		return 0
	}
	rest, ok = strings.CutSuffix(rest, "]")
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(rest, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// comm is a process's name, "" for PID 0 or when it cannot be read.
func (r *reader) comm(pid int) string {
	if pid <= 0 {
		return ""
	}
	data, err := r.read(r.p.pidPath(pid, "comm"), 256)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}

// dying reports whether a process is on its way out: nothing that touches its
// memory or files may be read any more.
func dying(p *evidence.Process) bool {
	return p.Flags&pfExiting != 0 || p.State == "Z" || p.State == "X"
}

// writesPipe tells the wait for a pipe that nobody empties.
func writesPipe(wchan string) bool {
	name := bareSymbol(wchan)
	return name == "pipe_write" || name == "anon_pipe_write"
}

// restless are the tasks that deserve a second look: D may be a moment's wait
// for a disk or for ever, R a busy program or a loop in the kernel.
func restless(t *evidence.Task) bool {
	return t.State == "D" || t.State == "R" || t.State == "S" && t.Wchan != nil && (strings.HasPrefix(*t.Wchan, "request_wait_answer") || strings.HasPrefix(*t.Wchan, "io_uring_cancel") || writesPipe(*t.Wchan))
}

// uninterruptible reports whether a thread of p is in D now, as far as is known.
// All threads share the mmap lock, and any of them may hold it.
func uninterruptible(p *evidence.Process) bool {
	for i := range p.Tasks {
		t := &p.Tasks[i]
		state := t.State
		if t.Again != nil {
			state = t.Again.State
		}
		if state == "D" {
			return true
		}
	}
	return false
}
