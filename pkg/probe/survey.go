package probe

import (
	"context"
	"slices"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// surveyTime bounds the survey, at 3 us a process. It is a hint for whoever asks
// before a signal is sent, and must not cost more than the look itself, however many
// processes the host has. On a starved host the same work takes longer, and there
// somebody asks because something hangs: the youngest surveyAnyhow processes are
// gone through in any case, for as long as starvedTime.
const (
	surveyTime   = 3 * time.Millisecond
	surveyAnyhow = 500
	starvedTime  = 200 * time.Millisecond
)

// maxStrangers bounds the processes from outside that are looked at in a target.
const maxStrangers = 16

// survey is which processes live in which PID namespace.
type survey struct {
	byNS  map[uint64][]int
	whole bool
	load  *evidence.Load
}

// Survey begins to note which process of the host lives in which PID namespace,
// beside whatever is done until the first look, and for all looks that follow. So
// a process that joined a container from outside (nsenter, setns) is found before
// anybody kills the container. Without it such a one is found only where the look
// scans the host for another reason.
func (p *Prober) Survey(ctx context.Context) {
	p.survey = beside.Start(func() *survey {
		s := &survey{}
		r := p.newReader()
		defer r.close()
		s.load = r.load()
		s.byNS, s.whole = r.namespaces(ctx)
		return s
	})
}

// namespaces reads the ns/pid link of every process while there is time; only
// what lives outside of the observer's own is kept.
func (r *reader) namespaces(ctx context.Context) (map[uint64][]int, bool) {
	out, began := map[uint64][]int{}, time.Now()
	own, seen := r.ownNS(), 0
	if own == 0 {
		return out, false
	}
	whole := r.youngest(func(pid int) bool { // who came last has the highest number, most often
		limit := starvedTime
		if seen >= surveyAnyhow {
			limit = surveyTime
		}
		if seen++; seen%32 == 0 && (time.Since(began) > limit || ctx.Err() != nil) {
			return false
		}
		text, err := readLink(r.p.pidPath(pid, filePIDNS.name))
		if err != nil {
			return true
		}
		if ns := parseNS(text); ns != 0 && ns != own {
			out[ns] = append(out[ns], pid)
		}
		return true
	})
	return out, whole
}

// strangers are the processes that the survey saw in the init's PID namespace,
// that are there still, and that are no members.
func (l *look) strangers(inode uint64) []int {
	s := l.surveyOf()
	if inode == 0 {
		return nil
	}
	limit := maxStrangers
	if l.group.path == "" {
		limit = len(s.byNS[inode]) // what docker exec has started is among them
	}
	pids := slices.DeleteFunc(slices.Clone(s.byNS[inode]), func(pid int) bool { return l.process(pid) != nil })
	if len(pids) == 0 {
		return nil
	}
	there, _ := once(l, l.p.cfg.ReadTimeout, func(r *reader) []int {
		quiet := *r // one that has ended meanwhile is no gap
		return (&quiet).inNamespace(pids[:min(len(pids), 8*limit)], inode)
	})
	there = slices.DeleteFunc(there, func(pid int) bool { return l.isMember(pid) })
	return there[:min(len(there), limit)]
}

// surveyed reports whether the survey has seen every process of the host.
func (l *look) surveyed() bool {
	return l.surveyOf().whole
}

// surveyOf is what the survey has seen, nothing where there is none.
func (l *look) surveyOf() *survey {
	if s := l.p.survey; s != nil {
		select {
		case <-s.Done():
			return s.Wait()
		case <-l.ctx.Done():
		}
	}
	return &survey{}
}

// isMember reports whether a process came into the container's cgroup since its
// members were listed.
func (l *look) isMember(pid int) bool {
	if l.group.path == "" {
		return false
	}
	member, _ := once(l, l.p.cfg.ReadTimeout, func(r *reader) bool { return r.inGroup(pid, l.group.path) })
	return member
}
