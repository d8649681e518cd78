package beside

import (
	"sync/atomic"
	"testing"
	"time"
)

func TestGroupIsBounded(t *testing.T) {
	var now, most, ran atomic.Int32
	g := NewGroup(3)
	for range 20 {
		g.Go(func() {
			n := now.Add(1)
			for {
				old := most.Load()
				if n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			time.Sleep(time.Millisecond)
			now.Add(-1)
			ran.Add(1)
		})
	}
	g.Wait()
	if ran.Load() != 20 || most.Load() > 3 {
		t.Errorf("%d ran, %d at once; want 20, at most 3", ran.Load(), most.Load())
	}
}

func TestGroupOfNone(t *testing.T) {
	g := NewGroup(0)
	done := false
	g.Go(func() { done = true })
	g.Wait()
	if !done {
		t.Error("a group of size 0 ran nothing")
	}
}
