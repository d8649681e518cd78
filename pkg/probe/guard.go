package probe

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
)

// batch runs one step over many processes beside the look. A read of a pseudo
// file cannot be cancelled: /proc/PID/cmdline waits for the target's mmap lock,
// syscall and stack for its exec_update_lock. So workers take the processes one
// after the other, and while one of them waits another goes on with the rest.
type batch[T any] struct {
	slots []slot[T]
	work  func(i int) T
	next  atomic.Int64 // first slot that nobody took
	done  atomic.Int64 // slots that are ready
	all   chan struct{}
}

// slot is the outcome for one process. Who sees ready may read the rest.
type slot[T any] struct {
	started atomic.Int64 // UnixNano, 0: nobody took it
	ready   atomic.Bool
	value   T
	bug     *beside.Bug
}

// How a batch is run.
const (
	// patience is how long nothing may come before one more worker is started.
	patience = 10 * time.Millisecond
	// maxWorkers bounds the threads of ours that a sick container can hold.
	maxWorkers = 8
	// fewSlots is up to where one worker is enough.
	fewSlots = 8
)

// runBatch does work(0) to work(n-1), each for at most d, all before ctx ends.
// What work touches must be its own: one that was given up may still be running
// when runBatch has returned.
func runBatch[T any](ctx context.Context, n int, d time.Duration, work func(i int) T) *batch[T] {
	b := &batch[T]{slots: make([]slot[T], n), work: work, all: make(chan struct{})}
	if n == 0 {
		return b
	}
	workers := 1
	if n > fewSlots {
		workers = 2
	}
	for range workers {
		beside.Run(b.worker)
	}
	tick := time.NewTicker(min(patience, d))
	defer tick.Stop()
	for before := int64(0); ; {
		select {
		case <-b.all:
			return b
		case <-ctx.Done():
			return b
		case now := <-tick.C:
			done := b.done.Load()
			if b.over(now.Add(-d)) {
				return b
			}
			if done == before && workers < maxWorkers && b.next.Load() < int64(n) {
				workers++
				beside.Run(b.worker)
			}
			before = done
		}
	}
}

func (b *batch[T]) worker() {
	for {
		i := b.next.Add(1) - 1
		if i >= int64(len(b.slots)) {
			return
		}
		s := &b.slots[i]
		s.started.Store(time.Now().UnixNano())
		s.bug = beside.Catch(func() { s.value = b.work(int(i)) })
		s.ready.Store(true)
		if b.done.Add(1) == int64(len(b.slots)) {
			close(b.all)
		}
	}
}

// over reports whether nothing more is to be expected: every slot is ready, or
// was started before the limit. With all workers hung, those that nobody took
// are given up too.
func (b *batch[T]) over(limit time.Time) bool {
	hung := 0
	for i := range b.slots {
		s := &b.slots[i]
		switch started := s.started.Load(); {
		case s.ready.Load():
		case started != 0 && started < limit.UnixNano():
			hung++
		case started != 0:
			return false
		default:
			// The slots are taken in order: all that follow wait as well.
			return hung >= maxWorkers
		}
	}
	return true
}

// result is what came of slot i. A panic of work is raised here, where the
// caller's own recovery sees it.
func (b *batch[T]) result(i int) (v T, ok bool) {
	s := &b.slots[i]
	if !s.ready.Load() {
		return v, false
	}
	if s.bug != nil {
		panic(s.bug)
	}
	return s.value, true
}
