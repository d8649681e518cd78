// Package inside reads what a program's own ELF file and memory say of its
// signal handling, where the kernel's masks cannot: the text of a bash trap and
// whether bash holds it back, the handlers that JavaScript and PHP code has
// installed behind the runtime's own, the signals a Go program asked for, the
// set a thread awaits in sigtimedwait, and whether a signalfd is in a poll set.
//
// It only reads: no ptrace, no stop, no signal. Memory comes by
// process_vm_readv(2), at most maxMemory bytes a process, and only of a process
// that sleeps or runs; all of it beside the caller and under a deadline. File
// and memory belong to a container, so both are hostile: every size is capped,
// every offset checked, every list bounded. A version or layout that is not one
// of those named in the reader is not known; nothing is guessed.
//
// It is not for judging, and not for what /proc or the kernel can say.
package inside

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// limit is how long one process may take. The slowest reader needs 10 ms with a
// warm page cache; what takes longer waits for a disk or a lock.
const limit = 500 * time.Millisecond

// Annotate reads p's program and memory and fills p.Inside, Task.Awaited and
// SignalFD.Watched. proc is the root of /proc. p must come from a look at the
// same host just now, with State, StartTicks, Exe or Argv, Signals and the
// tasks' Syscall filled; whatever is missing makes less readable, never wrong.
// A process for which no reader applies costs no system call. What was tried
// and could not be read is a gap.
func Annotate(ctx context.Context, p *evidence.Process, proc string) []evidence.Gap {
	plan := planFor(p)
	if plan.nothing() {
		return nil
	}
	if why := untouchable(p); why != "" {
		return []evidence.Gap{gapFor(p, proc, evidence.GapSkipped, plan.matters()+" ("+why+")")}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// The reader works on a copy: when it is abandoned it may still run while
	// the caller writes to p.
	in := snapshot(p)
	f, err := beside.Within(ctx, func() findings { return look(ctx, &in, proc, plan) })
	if err != nil {
		// Not tried again: a reader that waits for the target's mmap lock or for
		// a file system would only be joined by a second one.
		return []evidence.Gap{gapFor(p, proc, evidence.GapTimeout, plan.matters())}
	}
	f.apply(p)
	return f.gaps
}

// findings is what one look brought back.
type findings struct {
	inside  *evidence.Inside
	awaited map[int]evidence.SigSet // by TID
	watched map[int]watch           // by descriptor
	gaps    []evidence.Gap
}

// apply writes the findings into p.
func (f *findings) apply(p *evidence.Process) {
	if f.inside != nil {
		p.Inside = f.inside
	}
	for i := range p.Tasks {
		if set, ok := f.awaited[p.Tasks[i].TID]; ok {
			p.Tasks[i].Awaited = &set
		}
	}
	for i := range p.SignalFDs {
		if w, ok := f.watched[p.SignalFDs[i].FD]; ok {
			p.SignalFDs[i].Watched, p.SignalFDs[i].How = &w.watched, w.how
		}
	}
}

// look does the reading. A panic of a parser on hostile input must not take
// the program down with it: it becomes a gap.
func look(ctx context.Context, p *evidence.Process, proc string, plan plan) (f findings) {
	defer func() {
		if r := recover(); r != nil {
			f = findings{gaps: []evidence.Gap{gapFor(p, proc, evidence.GapAbsent, fmt.Sprintf("%s (reader failed: %.200v)", plan.matters(), r))}}
		}
	}()
	t, err := openTarget(ctx, proc, p)
	if err != nil {
		return findings{gaps: []evidence.Gap{gapFor(p, proc, gapKind(err), plan.matters())}}
	}
	defer t.close()
	if plan.waits {
		f.awaited = awaited(t, p.Tasks)
		f.watched = watches(t, p)
		if len(f.awaited) == 0 && len(f.watched) == 0 && t.denied() {
			f.gaps = append(f.gaps, gapFor(p, proc, evidence.GapDenied, mattersWaits))
		}
	}
	if plan.program != "" {
		inside, err := program(t, p, plan.program)
		f.inside = inside
		if err != nil && !errors.Is(err, errOther) {
			gap := gapFor(p, proc, gapKind(err), matters[plan.program])
			if errors.As(err, &fileError{}) {
				gap.Path = filepath.Join(filepath.Dir(gap.Path), "exe")
			}
			f.gaps = append(f.gaps, gap)
		}
	}
	if err := t.stillSame(); err != nil {
		// It ended, or became another program, while its memory was read.
		return findings{gaps: []evidence.Gap{gapFor(p, proc, evidence.GapGone, plan.matters())}}
	}
	return f
}

// program runs the one reader that the plan names.
func program(t *target, p *evidence.Process, name string) (*evidence.Inside, error) {
	exe, err := openExe(t)
	if err != nil {
		return nil, fileError{err}
	}
	defer exe.close()
	img, err := newImage(exe.r, t)
	if err != nil {
		return nil, fileError{err}
	}
	switch name {
	case programBash:
		b, err := readBash(img, t, p)
		return inside(b, err, func(i *evidence.Inside) { i.Bash = b })
	case programNode:
		n, err := readNode(img, t, p)
		return inside(n, err, func(i *evidence.Inside) { i.Node = n })
	case programPHP:
		h, err := readPHP(img, t, p)
		return inside(h, err, func(i *evidence.Inside) { i.PHP = h })
	}
	g, err := readGo(img, t)
	return inside(g, err, func(i *evidence.Inside) { i.Go = g })
}

// inside wraps one reader's result; a reader may bring something and an error.
func inside[T any](v *T, err error, set func(*evidence.Inside)) (*evidence.Inside, error) {
	if v == nil {
		return nil, err
	}
	i := &evidence.Inside{}
	set(i)
	return i, err
}

// untouchable says why the memory of p must not be read, "" when it may. A
// process with a task in D may hold its mmap lock for ever, and one that is
// stopped, traced, dead or dying is not in a state that its memory describes.
func untouchable(p *evidence.Process) string {
	const exiting, signaled = 0x4, 0x400 // PF_EXITING, PF_SIGNALED
	if p.Flags&(exiting|signaled) != 0 {
		return "it is dying"
	}
	leader := p.State
	for i := range p.Tasks {
		t := &p.Tasks[i]
		state := t.State
		if state == "D" && t.Again != nil { // a page fault, over at the second look
			state = t.Again.State
		}
		if state == "D" {
			return "thread " + strconv.Itoa(t.TID) + " is in state D"
		}
		if t.TID == p.PID && p.State == "D" {
			leader = state
		}
	}
	if leader != "S" && leader != "R" {
		return "state " + leader
	}
	return ""
}

// snapshot copies what the reader looks at, so that it shares nothing that the
// caller writes to.
func snapshot(p *evidence.Process) evidence.Process {
	c := *p
	c.Tasks = append([]evidence.Task(nil), p.Tasks...)
	c.SignalFDs = append([]evidence.SignalFD(nil), p.SignalFDs...)
	if p.Signals != nil {
		s := *p.Signals
		c.Signals = &s
	}
	return c
}

func gapFor(p *evidence.Process, proc, kind, matters string) evidence.Gap {
	return evidence.Gap{Path: filepath.Join(proc, strconv.Itoa(p.PID), "mem"), Kind: kind, Matters: strings.TrimSpace(matters)}
}
