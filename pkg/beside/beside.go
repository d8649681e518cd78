// Package beside runs functions in goroutines of their own. A panic in a bare
// goroutine ends the program with a trace and nothing else: no report, no exit code
// of ours, no capture to send. Here it is kept, and comes out where somebody waits,
// with the stack that it had; there the one recovery of the program finds it.
//
// It is not for timers: what time.AfterFunc runs must be too small to fail.
package beside

import (
	"context"
	"fmt"
	"runtime/debug"
)

// Bug is a panic on its way from another goroutine, with the stack it had there.
type Bug struct {
	Value any
	Stack []byte
}

// Error makes a Bug fit to be told as an error, where the caller lives on.
func (b *Bug) Error() string { return fmt.Sprintf("a bug of ours: %v", b.Value) }

// Catch runs f and gives its panic, nil for none. One that comes from elsewhere
// already keeps the stack that it had.
func Catch(f func()) (bug *Bug) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *Bug:
			bug = v
		default:
			bug = &Bug{v, debug.Stack()}
		}
	}()
	f()
	return nil
}

// Task is a function that runs beside its caller.
type Task[T any] struct {
	done  chan struct{}
	value T
	bug   *Bug
}

// Start runs f beside the caller.
func Start[T any](f func() T) *Task[T] {
	t := &Task[T]{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		t.bug = Catch(func() { t.value = f() })
	}()
	return t
}

// Run is Start for a function that gives nothing.
func Run(f func()) *Task[struct{}] {
	return Start(func() struct{} { f(); return struct{}{} })
}

// Done is closed when the function has ended, either way.
func (t *Task[T]) Done() <-chan struct{} { return t.done }

// Wait gives what the function gave, and panics if it did.
func (t *Task[T]) Wait() T {
	<-t.done
	if t.bug != nil {
		panic(t.bug)
	}
	return t.value
}

// Raise panics if the function did by now. It is for a task that nobody waits for.
func (t *Task[T]) Raise() {
	select {
	case <-t.done:
		t.Wait()
	default:
	}
}

// Within runs f and gives up on it when ctx ends: a read that hangs in the kernel
// cannot be cancelled, only left behind. What f writes to beside its result must be
// its own.
func Within[T any](ctx context.Context, f func() T) (T, error) {
	t := Start(f)
	select {
	case <-t.done:
		return t.Wait(), nil
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
