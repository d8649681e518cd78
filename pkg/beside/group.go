package beside

import "sync"

// Group runs functions side by side, and carries the first panic of one of them to
// who waits. Its zero value runs all at once.
type Group struct {
	slots chan struct{} // nil: no bound
	wg    sync.WaitGroup
	mu    sync.Mutex
	bug   *Bug
}

// NewGroup makes a Group of at most n functions at once.
func NewGroup(n int) *Group { return &Group{slots: make(chan struct{}, max(n, 1))} }

// Go runs f when there is room.
func (g *Group) Go(f func()) {
	g.wg.Go(func() {
		if g.slots != nil {
			g.slots <- struct{}{}
			defer func() { <-g.slots }()
		}
		if bug := Catch(f); bug != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.bug == nil {
				g.bug = bug
			}
		}
	})
}

// Wait returns when all have ended, and panics if one of them did.
func (g *Group) Wait() {
	g.wg.Wait()
	g.Raise()
}

// Raise panics if one of them did by now. It is for helpers that nobody waits for.
func (g *Group) Raise() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bug != nil {
		panic(g.bug)
	}
}
