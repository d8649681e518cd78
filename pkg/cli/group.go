package cli

import (
	"runtime/debug"
	"sync"
)

// group runs functions side by side, at most n at once. A panic in one of them
// would end the program without a word; it is carried to Wait instead.
type group struct {
	slots chan struct{}
	wg    sync.WaitGroup
	once  sync.Once
	bug   *bug
}

func newGroup(n int) *group { return &group{slots: make(chan struct{}, max(n, 1))} }

// Go runs f when there is room.
func (g *group) Go(f func()) {
	g.wg.Go(func() {
		g.slots <- struct{}{}
		defer func() { <-g.slots }()
		defer func() {
			if v := recover(); v != nil {
				stack := debug.Stack()
				g.once.Do(func() { g.bug = &bug{v, stack} })
			}
		}()
		f()
	})
}

// Wait returns when all have, and panics if one of them did.
func (g *group) Wait() {
	g.wg.Wait()
	if g.bug != nil {
		panic(g.bug)
	}
}
