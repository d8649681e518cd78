package look

import (
	"runtime/debug"
	"sync"
)

// Bug is a panic on its way from another goroutine, with the stack it had there.
type Bug struct {
	Value any
	Stack []byte
}

// Group runs functions side by side, at most n at once. A panic in one of them
// would end the program without a word; it is carried to Wait instead.
type Group struct {
	slots chan struct{}
	wg    sync.WaitGroup
	once  sync.Once
	bug   *Bug
}

// NewGroup makes a Group of at most n functions at once.
func NewGroup(n int) *Group { return &Group{slots: make(chan struct{}, max(n, 1))} }

// Go runs f when there is room.
func (g *Group) Go(f func()) {
	g.wg.Go(func() {
		g.slots <- struct{}{}
		defer func() { <-g.slots }()
		defer func() {
			if v := recover(); v != nil {
				stack := debug.Stack()
				g.once.Do(func() { g.bug = &Bug{v, stack} })
			}
		}()
		f()
	})
}

// Wait returns when all have, and panics if one of them did.
func (g *Group) Wait() {
	g.wg.Wait()
	if g.bug != nil {
		panic(g.bug)
	}
}
