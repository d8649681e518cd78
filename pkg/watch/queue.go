package watch

import (
	"sync"

	"github.com/whystuck/whystuck/pkg/engine"
)

// queue takes events as fast as the engine tells them: an engine drops events
// for a reader that is late.
type queue struct {
	ready chan struct{} // has one entry while something is in the queue

	mu    sync.Mutex
	items []item
	lost  bool
}

// item is one event, or news of the stream itself.
type item struct {
	event  engine.Event
	opened bool
	broken error
}

// maxQueue bounds the events that wait, some 10 MiB.
const maxQueue = 1 << 16

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) put(i item) {
	q.mu.Lock()
	if len(q.items) < maxQueue {
		q.items = append(q.items, i)
	} else {
		q.lost = true
	}
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take gives all there is, and whether some was lost for want of room.
func (q *queue) take() (items []item, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, lost = q.items, q.lost
	q.items, q.lost = nil, false
	return items, lost
}
