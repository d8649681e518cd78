package probe

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Flags of field 9 of /proc/PID/stat (include/linux/sched.h).
const pfExiting = 0x4

// stat is what a look needs of /proc/PID/stat (proc(5), fs/proc/array.c
// do_task_stat). It is parsed here and not with procfs.Proc.Stat, which takes
// 51 us a process where this takes 11 (a stat of the directory, os.Open's twelve
// calls and fmt.Fscan over 42 fields), half the cost of a look at a container,
// and which panics on a line that ends behind the comm.
type stat struct {
	Comm       string
	State      string
	PPID       int
	PGRP       int
	Session    int
	TTY        int
	Flags      uint64
	UTime      uint64 // ticks of 1/100 s; of the whole group in /proc/PID/stat
	STime      uint64
	Threads    int
	StartTicks uint64 // since boot
	// Legacy has pending, blocked, ignored and caught signals 1 to 31 of the
	// leader; pending are those sent to that thread alone.
	Legacy legacyMasks
}

// legacyMasks are fields 31 to 34, which the kernel calls obsolete and keeps:
// they come without the lock and the price of status.
type legacyMasks struct{ Pending, Blocked, Ignored, Caught evidence.SigSet }

// dying reports whether the process is on its way out.
func (s *stat) dying() bool {
	return s.Flags&pfExiting != 0 || s.State == "Z" || s.State == "X"
}

// parseStat reads a stat line. The comm may hold blanks, newlines and
// parentheses: the first parenthesis opens it and only the last one ends it.
func parseStat(data []byte) (stat, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("stat %.80q: %w", data, errParse)
	}
	f := statFields{rest: data[end+1:]}
	s := stat{Comm: string(data[open+1 : end]), State: f.word()}
	s.PPID, s.PGRP, s.Session, s.TTY = f.int(), f.int(), f.int(), f.int()
	f.skip(1) // tpgid
	s.Flags = f.uint()
	f.skip(4) // page faults
	s.UTime, s.STime = f.uint(), f.uint()
	f.skip(4) // children's times, priority, nice
	s.Threads = f.int()
	f.skip(1) // itrealvalue
	s.StartTicks = f.uint()
	if f.err == nil {
		s.Legacy = f.masks()
	}
	if f.err != nil {
		return stat{}, fmt.Errorf("stat %.80q: %w", data, f.err)
	}
	return s, nil
}

// statFields takes the blank-separated fields of a stat line one by one and
// keeps the first error.
type statFields struct {
	rest []byte
	err  error
}

func (f *statFields) next() []byte {
	i := 0
	for i < len(f.rest) && f.rest[i] == ' ' {
		i++
	}
	j := i
	for j < len(f.rest) && f.rest[j] > ' ' {
		j++
	}
	word := f.rest[i:j]
	f.rest = f.rest[j:]
	if len(word) == 0 && f.err == nil {
		f.err = errParse
	}
	return word
}

func (f *statFields) skip(n int) {
	for range n {
		f.next()
	}
}

func (f *statFields) word() string { return string(f.next()) }

func (f *statFields) int() int {
	n, err := strconv.Atoi(string(f.next()))
	f.keep(err)
	return n
}

func (f *statFields) uint() uint64 {
	n, err := strconv.ParseUint(string(f.next()), 10, 64)
	f.keep(err)
	return n
}

// masks takes fields 31 to 34, behind the start time. A line that ends before them
// is no error: only a crowd is judged by them, and only where status agrees.
func (f *statFields) masks() (m legacyMasks) {
	rest := statFields{rest: f.rest}
	rest.skip(8) // memory and addresses
	for _, set := range []*evidence.SigSet{&m.Pending, &m.Blocked, &m.Ignored, &m.Caught} {
		*set = evidence.SigSet(rest.uint())
	}
	if rest.err != nil {
		return legacyMasks{}
	}
	return m
}

func (f *statFields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

// readStat is /proc/PID/stat, with the sums of the whole group.
func (r *reader) readStat(pid int) (stat, error) {
	return r.statAt(r.p.pidPath(pid, fileStat.name))
}

// readTaskStat is the stat of one thread alone.
func (r *reader) readTaskStat(pid, tid int) (stat, error) {
	return r.statAt(r.p.taskPath(pid, tid, fileStat.name))
}

func (r *reader) statAt(path string) (stat, error) {
	data, err := r.record(path, firstRead)
	if err != nil {
		return stat{}, err
	}
	return parseStat(data)
}
