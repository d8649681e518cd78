package engine

import (
	"context"
	"sync"
)

// turn is a lock that who waits for it can give up on: its holder may hang in the
// kernel, on the file system of a user's home, and a watch asks again and again.
type turn struct {
	once sync.Once
	held chan struct{}
}

func (t *turn) take(ctx context.Context) error {
	t.once.Do(func() { t.held = make(chan struct{}, 1) })
	select {
	case t.held <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) give() { <-t.held }
