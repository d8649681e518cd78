package probe

import (
	"cmp"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Bounds of a crowd: what a person would call "and 1,188 more like these".
const (
	// crowdSize is how many members a target has at least before any of them is
	// looked at briefly.
	crowdSize = 128
	// alikeFew is up to how many alike siblings are all looked at in full.
	alikeFew = 32
	// Of more, so many of the oldest and of the youngest are.
	alikeOldest, alikeYoungest = 16, 4
)

// sibling is a member of a crowd as stat shows it.
type sibling struct {
	pid int
	st  stat
}

// alike is what siblings have in common that are taken for the same program in
// the same place. pfForkNoExec is in it, since it tells a copy of the parent from
// a program of its own.
type alike struct {
	ppid            int
	comm            string
	flags           uint64
	ignored, caught evidence.SigSet
}

const (
	pfForkNoExec = 0x40
	pfDumpCore   = 0x200
	pfSignaled   = 0x400
)

// seeCrowd looks at many processes, and at alike siblings among them only
// briefly: stat and wchan, a quarter of the price of a look at one process. All
// that is odd by either gets the full look, and so does the whole set when one
// of those looked at in full is held by something that stat does not show.
func (l *look) seeCrowd(pids []int, how seeing) {
	sets, rest := l.divide(l.skim(pids))
	var samples []int
	for _, set := range sets {
		a, b := sampled(set)
		samples = append(append(samples, pidsOf(a)...), pidsOf(b)...)
	}
	l.seeFully(append(rest, samples...), how)
	var odd []int
	var many []sibling
	for _, set := range sets {
		middle := set[alikeOldest : len(set)-alikeYoungest]
		if l.vouched(set) {
			many = append(many, middle...)
		} else {
			odd = append(odd, pidsOf(middle)...)
		}
	}
	odd = append(odd, l.seeBriefly(many, how)...)
	if len(odd) > 0 {
		l.seeFully(odd, how)
	}
}

// skim reads stat of every process. One that ended is left out without a word,
// as any that ended before the look.
func (l *look) skim(pids []int) []sibling {
	out := make([]sibling, 0, len(pids))
	each(l, fileStat, l.p.cfg.Total, pids, func(r *reader, pid int) *sibling {
		st, err := r.readStat(pid)
		if err != nil {
			if gapKind(err, func() bool { return exists(r.p.pidPath(pid)) }) != evidence.GapGone {
				r.miss(fileStat, pid, r.p.pidPath(pid, fileStat.name), err)
			}
			return nil
		}
		return &sibling{pid, st}
	}, func(_ int, s *sibling) {
		if s != nil {
			out = append(out, *s)
		}
	})
	return out
}

// divide finds the sets of alike siblings that are worth a brief look, each by
// age, and lists all other processes.
func (l *look) divide(all []sibling) (sets [][]sibling, rest []int) {
	parents := make(map[int]bool, len(all))
	for i := range all {
		parents[all[i].st.PPID] = true
	}
	byKind := map[alike][]sibling{}
	for i := range all {
		s := &all[i]
		if s.pid == l.t.PID || parents[s.pid] || !plain(&s.st) {
			rest = append(rest, s.pid)
			continue
		}
		k := alike{s.st.PPID, s.st.Comm, s.st.Flags & pfForkNoExec, s.st.Legacy.Ignored, s.st.Legacy.Caught}
		byKind[k] = append(byKind[k], *s)
	}
	for _, set := range byKind {
		if len(set) <= alikeFew {
			rest = append(rest, pidsOf(set)...)
			continue
		}
		slices.SortFunc(set, func(a, b sibling) int {
			return cmp.Or(cmp.Compare(a.st.StartTicks, b.st.StartTicks), a.pid-b.pid)
		})
		sets = append(sets, set)
	}
	return sets, rest
}

// plain reports whether stat shows nothing that would need a second file: one
// thread asleep, nothing pending or blocked (a signalfd would matter), not dying.
func plain(st *stat) bool {
	return st.State == "S" && st.Threads == 1 && st.Legacy.Pending == 0 && st.Legacy.Blocked == 0 &&
		st.Flags&(pfExiting|pfDumpCore|pfSignaled) == 0
}

// sampled are the oldest and the youngest of a set.
func sampled(set []sibling) (oldest, youngest []sibling) {
	return set[:alikeOldest], set[len(set)-alikeYoungest:]
}

func pidsOf(set []sibling) []int {
	out := make([]int, len(set))
	for i := range set {
		out[i] = set[i].pid
	}
	return out
}

// vouched reports whether the full looks at a set's samples found nothing that
// stat cannot show: a tracer, a PID namespace of their own, or masks that are
// not the same in status (gVisor prints none there, and zeros in stat).
func (l *look) vouched(set []sibling) bool {
	oldest, youngest := sampled(set)
	depth, found := 0, false
	for _, s := range slices.Concat(oldest, youngest) {
		p := l.process(s.pid)
		if p == nil {
			continue // ended meanwhile
		}
		if p.Signals == nil || p.TracerPID != 0 || len(p.NSPIDs) == 0 || found && len(p.NSPIDs) != depth || p.NSPID() == 1 {
			return false
		}
		if low(p.Signals.Ignored) != s.st.Legacy.Ignored || low(p.Signals.Caught) != s.st.Legacy.Caught {
			return false
		}
		depth, found = len(p.NSPIDs), true
	}
	return found
}

// low are signals 1 to 31, all that stat has.
func low(s evidence.SigSet) evidence.SigSet { return s & (1<<31 - 1) }

// seeBriefly adds processes by stat and wchan alone. Those whose wchan is not
// known or not an ordinary place to sleep are not added but given back: a FUSE
// request looks like sleep too, and sigwait takes signals that masks do not show.
func (l *look) seeBriefly(set []sibling, how seeing) (odd []int) {
	if len(set) == 0 {
		return nil
	}
	byPID := make(map[int]*stat, len(set))
	for i := range set {
		byPID[set[i].pid] = &set[i].st
	}
	seen := make([]evidence.Process, 0, len(set))
	each(l, fileWchan, l.p.cfg.Total, pidsOf(set), func(r *reader, pid int) *string {
		return r.readWchan(pid, pid, "S")
	}, func(pid int, wchan *string) {
		if wchan == nil || !ordinaryWait(*wchan) || takesSignals(*wchan) {
			odd = append(odd, pid)
			return
		}
		seen = append(seen, brief(pid, byPID[pid], wchan, how.outside))
	})
	if len(seen) > 0 {
		l.add(seen)
		l.gap(evidence.GapSkipped, l.p.pidPath(seen[0].PID, fileStatus.name), "one of many alike siblings, of which some were looked at in full and the others by stat and wchan alone")
	}
	return odd
}

// takesSignals tells the waits in which signals are fetched.
func takesSignals(wchan string) bool {
	switch bareSymbol(wchan) {
	case "do_sigtimedwait", "signalfd_read_iter", "signalfd_read", "signalfd_dequeue":
		return true
	}
	return false
}

// brief is the evidence of one that was only skimmed.
func brief(pid int, st *stat, wchan *string, outside bool) evidence.Process {
	blocked, pending := st.Legacy.Blocked, st.Legacy.Pending
	return evidence.Process{
		PID: pid, PPID: st.PPID, PGID: st.PGRP, SID: st.Session, TTY: st.TTY,
		StartTicks: st.StartTicks, Comm: st.Comm, State: st.State, Flags: st.Flags, Threads: st.Threads,
		Outside: outside, Brief: true,
		Signals: &evidence.Signals{Ignored: st.Legacy.Ignored, Caught: st.Legacy.Caught, Queued: -1, QueueLimit: -1},
		Tasks: []evidence.Task{{TID: pid, Comm: st.Comm, State: st.State, Wchan: wchan,
			Blocked: &blocked, Pending: &pending, UTicks: st.UTime, STicks: st.STime}},
	}
}
