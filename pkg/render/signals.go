package render

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Signals writes, for each process and each thread of a snapshot, every signal
// that is not in its default state: ignored, caught (with the handler and its
// flags where the kernel was asked), blocked, waited for, taken by a signalfd,
// pending. Sets are named compactly and like threads stand on one line;
// Options.NoTrunc gives one signal and one thread a line.
func Signals(w io.Writer, s *evidence.Snapshot, o Options) error {
	p := newPage(o)
	for _, t := range clean(s.Targets) {
		p.separate()
		p.targetSignals(t)
	}
	return p.to(w, "a signal table")
}

func (p *page) targetSignals(t evidence.Target) {
	title, image := t.Asked, ""
	if t.Container != nil {
		title, image = firstOf(t.Container.Name, t.Asked), t.Container.Image
	}
	parts := headParts(title, image, t.PID)
	p.line(p.s.bold(parts[0]), strings.TrimRight("  "+strings.Join(parts[1:], "  "), " "))
	if len(t.Processes) == 0 {
		p.line("  no process to look at")
	}
	sort.SliceStable(t.Processes, func(i, j int) bool {
		a, b := &t.Processes[i], &t.Processes[j]
		if a.NSPID() != b.NSPID() {
			return a.NSPID() < b.NSPID()
		}
		return a.PID < b.PID
	})
	for i := range t.Processes {
		p.processSignals(&t.Processes[i])
	}
	if len(t.Gaps) > 0 {
		p.line()
		gaps := make([]diagnose.Gap, 0, len(t.Gaps))
		for _, g := range t.Gaps {
			gaps = append(gaps, diagnose.Gap(g))
		}
		p.gapLines(gaps)
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// The table's columns: a process at 2, its rows at 6, their values at 16.
const (
	signalsAt = 6
	valueAt   = signalsAt + 10
)

func (p *page) processSignals(q *evidence.Process) {
	pid, host := q.NSPID(), ""
	if pid == 0 || pid == q.PID {
		pid = q.PID
	} else {
		host = fmt.Sprintf("  (host PID %d)", q.PID)
	}
	show := &diagnose.Process{Comm: q.Comm, Argv: q.Argv}
	title := fmt.Sprintf("%d %s", pid, command(show))
	p.line()
	p.line("  ", p.s.bold(p.fit(title, p.width-2-len(host))), p.s.dim(host))
	before := p.b.Len()
	if q.Signals == nil {
		p.row("unknown", "the kernel printed no signal masks for it")
	} else if p.o.NoTrunc {
		p.everySignal(q)
	} else {
		p.sets(q)
	}
	p.inside(q.Inside)
	p.signalFDs(q)
	p.threads(q)
	if p.b.Len() == before {
		p.row("default", "all of them, in "+plural(max(len(q.Tasks), 1), "thread", "threads"))
	}
}

func (p *page) row(label, value string) { p.rowAt(signalsAt, label, value) }

func (p *page) rowAt(indent int, label, value string) {
	columns := indent + valueAt - signalsAt
	p.hang(spaces(indent)+p.s.label(pad(label, columns-indent)), columns, value)
}

// sets is the compact form: a line for each disposition, then the handlers.
func (p *page) sets(q *evidence.Process) {
	for _, set := range []struct {
		label string
		set   evidence.SigSet
	}{{"ignored", q.Signals.Ignored}, {"caught", q.Signals.Caught}, {"pending", q.Signals.Pending}} {
		if set.set != 0 {
			p.row(set.label, setWords(set.set))
		}
		if set.label == "caught" {
			p.handlers(q)
		}
	}
}

// handlers groups the signals that one handler takes.
func (p *page) handlers(q *evidence.Process) {
	if q.Kernel == nil {
		return
	}
	var order []string
	by := map[string]evidence.SigSet{}
	for n := 1; n <= evidence.SIGRTMAX; n++ {
		h, ok := q.Kernel.Handlers[evidence.SignalName(n)]
		if !ok {
			continue
		}
		words := handlerWords(h)
		if by[words] == 0 {
			order = append(order, words)
		}
		by[words] = by[words].With(n)
	}
	for _, words := range order {
		signals := setWords(by[words])
		if by[words] == q.Signals.Caught && len(order) == 1 {
			signals = "all of these"
		}
		p.hang(spaces(valueAt+2), valueAt+2, signals+": "+words)
	}
}

// everySignal is the long form, after Solaris psig: one line a signal.
func (p *page) everySignal(q *evidence.Process) {
	s := q.Signals
	for n := 1; n <= evidence.SIGRTMAX; n++ {
		var is []string
		if s.Ignored.Has(n) {
			is = append(is, "ignored")
		}
		if s.Caught.Has(n) {
			is = append(is, "caught")
		}
		if s.Pending.Has(n) {
			is = append(is, "pending")
		}
		if len(is) == 0 {
			continue
		}
		text := strings.Join(is, ", ")
		if q.Kernel != nil {
			if h, ok := q.Kernel.Handlers[evidence.SignalName(n)]; ok {
				text += ": " + handlerWords(h)
			}
		}
		p.hang(spaces(signalsAt)+pad(evidence.SignalName(n), 14), signalsAt+14, text)
	}
}

func (p *page) signalFDs(q *evidence.Process) {
	for _, fd := range q.SignalFDs {
		text := fmt.Sprintf("fd %d: %s", fd.FD, firstOf(setWords(fd.Mask), "nothing"))
		switch {
		case fd.Watched == nil:
			text += "; whether anybody reads it is not known"
		case !*fd.Watched:
			text += "; nobody reads it now"
		case fd.How != "":
			text += "; watched by " + fd.How
		}
		p.row("signalfd", text)
	}
}
