package render

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// threadGroup are the threads of a process with the same masks.
type threadGroup struct {
	rows []string // "blocked   SIGCHLD"
	tids []int
	comm string // "" where they differ
}

// threads writes what each thread has for itself. The rows of a process with one
// thread stand like its other rows.
func (p *page) threads(q *evidence.Process) {
	groups := groupThreads(q, p.o.NoTrunc)
	plain := 0
	for _, g := range groups {
		if len(g.rows) == 0 {
			plain += len(g.tids)
			continue
		}
		indent := 0
		if len(q.Tasks) > 1 {
			p.line(spaces(signalsAt), threadLabel(g))
			indent = 2
		}
		for _, row := range g.rows {
			label, value, _ := strings.Cut(row, "\t")
			p.rowAt(signalsAt+indent, label, value)
		}
	}
	if plain > 0 && plain < len(q.Tasks) {
		p.line(spaces(signalsAt), plural(plain, "other thread", "other threads"), ": nothing blocked, waited for or pending")
	}
}

// groupThreads joins like threads, in the order of their first; in the long form
// each stays alone.
func groupThreads(q *evidence.Process, apart bool) []threadGroup {
	var groups []threadGroup
	index := map[string]int{}
	for i := range q.Tasks {
		t := &q.Tasks[i]
		rows := threadRows(q, t)
		key := strings.Join(rows, "\n")
		if apart {
			key = fmt.Sprint(i)
		}
		at, ok := index[key]
		if !ok {
			index[key] = len(groups)
			groups = append(groups, threadGroup{rows: rows, tids: []int{t.TID}, comm: t.Comm})
			continue
		}
		g := &groups[at]
		g.tids = append(g.tids, t.TID)
		if g.comm != t.Comm {
			g.comm = ""
		}
	}
	return groups
}

// threadRows are the masks of one thread, "" sets left out. What it waits for is
// taken from its memory or the kernel; in sigwait without either the set is
// open, and saying so keeps "blocked" from being read as the whole truth.
func threadRows(q *evidence.Process, t *evidence.Task) []string {
	var rows []string
	switch {
	case t.Blocked == nil && q.Signals != nil:
		rows = append(rows, "blocked\tnot known")
	case t.Blocked != nil && *t.Blocked != 0:
		rows = append(rows, "blocked\t"+setWords(*t.Blocked))
	}
	switch {
	case t.Awaited != nil && *t.Awaited != 0:
		rows = append(rows, "waited\t"+setWords(*t.Awaited)+" (sigwait)")
	case t.Awaited == nil && inSigwait(t):
		rows = append(rows, "waited\tin sigwait for signals that could not be read")
	}
	if real := realBlocked(q, t); real != 0 {
		rows = append(rows, "hidden\t"+setWords(real)+" (blocked again when the system call ends)")
	}
	if t.Pending != nil && *t.Pending != 0 {
		rows = append(rows, "pending\t"+setWords(*t.Pending))
	}
	return rows
}

func inSigwait(t *evidence.Task) bool {
	return t.Wchan != nil && strings.HasPrefix(*t.Wchan, "do_sigtimedwait") ||
		t.Syscall != nil && !t.Syscall.Running && strings.HasPrefix(t.Syscall.Name, "rt_sigtimedwait")
}

// realBlocked is the mask that sigsuspend, ppoll and their like have put aside,
// without what is visible; 0 for a task in sigwait, where it is the awaited set.
func realBlocked(q *evidence.Process, t *evidence.Task) evidence.SigSet {
	if q.Kernel == nil || inSigwait(t) || t.Awaited != nil {
		return 0
	}
	for _, k := range q.Kernel.Tasks {
		if k.TID == t.TID {
			return k.RealBlocked &^ k.Blocked
		}
	}
	return 0
}

// threadLabel is "thread 4181 (worker)" or "5 threads 4181..4185".
func threadLabel(g threadGroup) string {
	label := fmt.Sprintf("thread %d", g.tids[0])
	if n := len(g.tids); n > 1 {
		sep := ", "
		if g.tids[n-1]-g.tids[0] == n-1 && n > 2 {
			sep = ".."
		} else if n > 2 {
			sep = " to "
		}
		label = fmt.Sprintf("%d threads %d%s%d", n, g.tids[0], sep, g.tids[n-1])
	}
	if g.comm != "" {
		label += " (" + g.comm + ")"
	}
	return label
}
