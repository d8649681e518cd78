// Package kernel asks the kernel what /proc does not print: the handler and
// sa_flags of every caught signal, the mask that sigtimedwait hides, the killable
// bit of a sleep, whether a thread group is an init or dying, who holds a lock.
//
// It does so with a BPF iterator over tasks, which only reads: no process is
// stopped, traced or touched. It needs root (CAP_BPF and CAP_PERFMON), Linux 5.8
// and BTF. Without them every answer has a weaker source in /proc, so this
// package is never required: it says why it is absent and leaves the evidence as
// it was.
//
// It is not for judging (diagnose), nor for a program's own memory (probe/inside).
package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Session is one load of the iterator. Its methods are safe for concurrent use.
type Session struct {
	done   chan struct{} // closed when loading has ended, either way
	prog   *program      // nil when err is set
	err    error
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex // one reader at a time: the maps are shared

	symbols symbolCache
}

// Start begins loading the iterator in the background and returns at once, so
// that the load runs beside the engine's calls. What went wrong is Annotate's to
// say. End the session with Close; one that is never used is cheap to abandon.
func Start(ctx context.Context) *Session {
	s := &Session{done: make(chan struct{}), closed: make(chan struct{})}
	beside.Run(func() {
		defer close(s.done)
		if bug := beside.Catch(func() { s.prog, s.err = begin(ctx) }); bug != nil {
			s.err = fmt.Errorf("loading the task iterator: %w", bug)
		}
	})
	return s
}

func begin(ctx context.Context) (*program, error) {
	if err := cmp.Or(Available(), ctx.Err()); err != nil {
		return nil, err
	}
	return load()
}

// Annotate fills Process.Kernel and Task.Awaited of the targets' processes, and
// leaves alone those that ended or whose PID is another process by now. Symbol
// names are not looked up: see Resolve. The error says why the kernel's evidence
// is not to be had; the targets are then unchanged.
func (s *Session) Annotate(ctx context.Context, targets []*evidence.Target) error {
	select {
	case <-s.done:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the task iterator to load: %w", ctx.Err())
	}
	if s.err != nil {
		return s.err
	}
	pids := pidsOf(targets)
	if len(pids) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return errors.New("reading the task iterator: session is closed")
	default:
	}
	groups, err := s.prog.read(ctx, pids)
	if err != nil {
		return fmt.Errorf("reading the task iterator: %w", err)
	}
	for _, t := range targets {
		for i := range t.Processes {
			fill(&t.Processes[i], groups[t.Processes[i].PID])
		}
	}
	return nil
}

// Close gives the program back to the kernel. It does not wait for a load that
// is still going on: that one is given back when it ends.
func (s *Session) Close() {
	s.once.Do(func() {
		close(s.closed)
		beside.Run(func() {
			<-s.done
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.prog != nil {
				s.prog.close()
			}
		})
	})
}

func pidsOf(targets []*evidence.Target) []int {
	seen := map[int]bool{}
	var pids []int
	for _, t := range targets {
		for i := range t.Processes {
			if pid := t.Processes[i].PID; pid > 0 && !seen[pid] {
				seen[pid] = true
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
