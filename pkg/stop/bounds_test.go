package stop

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
	"github.com/whystuck/whystuck/pkg/probe"
)

// A tracefs that hangs keeps nobody from the stop, nor from its end.
func TestTraceThatHangs(t *testing.T) {
	hangs := make(chan struct{})
	tr := startTrace(true, func() (*kernel.SignalTrace, error) {
		<-hangs
		return nil, errors.New("too late")
	})
	defer close(hangs)
	began := time.Now()
	tr.watch(t.Context(), nil, []int{15}, 50*time.Millisecond)
	if took := time.Since(began); took > 500*time.Millisecond || tr.on() {
		t.Errorf("watched after %v, heard %v", took, tr.on())
	}
	if g := tr.gap(true); g == nil || g.Kind != evidence.GapTimeout {
		t.Errorf("gap %+v", g)
	}
	select {
	case <-tr.flush():
	case <-time.After(time.Second):
		t.Error("flush waits")
	}
	if tr.shut(); time.Since(began) > 3*time.Second {
		t.Errorf("shut after %v", time.Since(began))
	}
}

// A panic beside the stop leaves no one waiting, and is told at the end.
func TestBugsBesideAStop(t *testing.T) {
	tr := startTrace(true, func() (*kernel.SignalTrace, error) { panic("trace") })
	tr.watch(t.Context(), nil, []int{15}, 5*time.Second)
	if bug := beside.Catch(tr.shut); tr.on() || !errors.Is(tr.absent, errBug) || bug == nil || bug.Value != "trace" {
		t.Errorf("heard %v, absent %v, bug %v", tr.on(), tr.absent, bug)
	}
	r := &run{p: &Prepared{s: &Stopper{}, trace: tr}, c: &diagnose.Container{}, replies: make(chan reply, 1)}
	r.acts = []act{{stop: true}}
	r.act(t.Context()) // there is no engine: a nil pointer
	select {
	case a := <-r.replies:
		if !errors.Is(a.err, errBug) {
			t.Errorf("replied %v", a.err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the loop would wait for a reply for ever")
	}
	if bug := beside.Catch(r.p.helpers.Wait); bug == nil {
		t.Error("a panic of a request was lost")
	}
}

// A run that has ended and is full does not keep the others from hearing.
func TestGive(t *testing.T) {
	full, gone := make(chan int, 1), make(chan struct{})
	if !give(t.Context(), full, gone, 1) || len(full) != 1 {
		t.Fatal("there was room")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if give(ctx, full, gone, 2) {
		t.Error("one that listens is waited for until the end")
	}
	close(gone)
	if !give(t.Context(), full, gone, 3) {
		t.Error("one that is gone is passed over")
	}
	if <-full; !give(t.Context(), full, gone, 4) || len(full) != 1 {
		t.Error("one that is gone takes what there is room for")
	}
}

// A trace that hangs while it is read does not keep a run.
func TestDrainEnds(t *testing.T) {
	hangs := startTrace(false, nil)
	never := make(chan struct{})
	hangs.reading = beside.Run(func() { <-never })
	r := &run{p: &Prepared{trace: hangs}, signals: make(chan kernel.SignalEvent)}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		r.drain(0)
	}()
	select {
	case <-drained:
	case <-time.After(5 * time.Second):
		t.Error("it drains for ever")
	}
	close(never)
}

// Signals without end do not fill the memory, and what the engine says is kept.
func TestFlood(t *testing.T) {
	r := &run{t: &evidence.Target{PID: 500}, sent: time.Now()}
	for range maxSignals + 5 {
		r.note(500, "a signal", fromTrace)
	}
	r.note(0, "the exit event has come", fromEvents)
	r.noteUntold()
	n := len(r.survived.Events)
	if n != maxSignals+2 || r.survived.Events[n-1].What != "5 signals more, not listed" {
		t.Errorf("%d events, the last %+v", n, r.survived.Events[n-1])
	}
}

// A PID that was given to another is not waited for.
func TestDeathOfAnother(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	prober := probe.New(probe.Config{})
	self, err := prober.PID(ctx, "self", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	other := evidence.Process{PID: os.Getppid(), StartTicks: 1}
	m := newMourner(ctx)
	m.add(ctx, &run{p: &Prepared{prober: prober}, t: &evidence.Target{Processes: append(self.Processes[:1:1], other)}})
	m.mu.Lock()
	defer m.mu.Unlock()
	defer cancel()
	if len(m.of) != 1 {
		t.Errorf("%d are waited for", len(m.of))
	}
	for _, w := range m.of {
		if w.pid == other.PID {
			t.Error("another process is waited for")
		}
	}
}
