package beside_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
)

func breaks() int { panic("index out of range") }

// bugOf is what comes out of f.
func bugOf(f func()) (b *beside.Bug) {
	defer func() { b, _ = recover().(*beside.Bug) }()
	f()
	return nil
}

// Every way of waiting brings the panic to who waits, with the stack of where it
// happened; a second goroutine on the way does not cover it.
func TestPanicComesOut(t *testing.T) {
	nested := func() { beside.Start(breaks).Wait() }
	done := func() *beside.Task[struct{}] {
		task := beside.Run(nested)
		<-task.Done()
		return task
	}
	for name, wait := range map[string]func(){
		"task":       nested,
		"done task":  func() { done().Raise() },
		"in time":    func() { _, _ = beside.Within(context.Background(), breaks) },
		"group":      func() { g := beside.NewGroup(2); g.Go(nested); g.Wait() },
		"zero group": func() { var g beside.Group; g.Go(nested); g.Wait() },
	} {
		b := bugOf(wait)
		if b == nil || b.Value != "index out of range" || !strings.Contains(string(b.Stack), "breaks") {
			t.Errorf("%s: %+v", name, b)
		}
	}
	if b := beside.Catch(nested); b == nil || !strings.Contains(b.Error(), "index out of range") {
		t.Errorf("caught %v", b)
	}
}

func TestWithin(t *testing.T) {
	if v, err := beside.Within(t.Context(), func() int { return 7 }); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	never := make(chan int)
	defer close(never)
	if _, err := beside.Within(ctx, func() int { return <-never }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("gave up with %v", err)
	}
	task := beside.Start(func() int { return <-never })
	if b := bugOf(task.Raise); b != nil {
		t.Errorf("a task that runs raises %v", b)
	}
}

// A group goes on with the others and keeps the first bug.
func TestGroupGoesOn(t *testing.T) {
	g, ran := beside.NewGroup(1), 0
	g.Go(func() { panic("one") })
	g.Go(func() { ran++ })
	if b := bugOf(g.Wait); b == nil || b.Value != "one" || ran != 1 {
		t.Errorf("%+v, %d ran", b, ran)
	}
	if b := bugOf(g.Raise); b == nil {
		t.Error("raised once only")
	}
}
