package watch

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whystuck/whystuck/pkg/beside"
)

// A report that breaks its writer ends the watch as a bug, and not the program.
func TestWriterThatPanics(t *testing.T) {
	failed := make(chan error, 1)
	w := NewWriter(func(*Report) error { panic("odd report") }, func(err error) { failed <- err })
	w.Tell(&Report{})
	var bug *beside.Bug
	select {
	case err := <-failed:
		if !errors.As(err, &bug) || bug.Value != "odd report" {
			t.Errorf("failed with %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody was told")
	}
	w.Close(t.Context())
}

// What is done beside the loop and panics is complained of, and the loop is told
// that it has ended.
func TestBesideThatPanics(t *testing.T) {
	var mu sync.Mutex
	var said []string
	w := &Watcher{posted: make(chan func(), 1), opt: Options{Complain: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}}}
	w.beside(t.Context(), func() { panic("odd container") }, func() {})
	select {
	case <-w.posted:
	case <-time.After(5 * time.Second):
		t.Fatal("the loop would wait for ever")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 1 || !strings.Contains(said[0], "odd container") || !strings.Contains(said[0], "TestBesideThatPanics") {
		t.Errorf("said %q", said)
	}
}

// The registry collects in goroutines of its own: a panic there would end the
// watch with the first scrape.
func TestCollectorThatPanics(t *testing.T) {
	r := prometheus.NewRegistry()
	broken := false
	r.MustRegister(collector{func(context.Context) (Present, bool) {
		if broken {
			panic("odd verdict")
		}
		return Present{Up: true}, true
	}})
	if found, err := r.Gather(); err != nil || len(found) == 0 {
		t.Fatalf("%d families, %v", len(found), err)
	}
	broken = true
	if _, err := r.Gather(); err == nil || !strings.Contains(err.Error(), "odd verdict") {
		t.Errorf("gathered with %v", err)
	}
}
