package watch

import (
	"strings"
	"testing"
)

func TestSurvivesABug(t *testing.T) {
	var c complaints
	w := &Watcher{opt: Options{Complain: c.add}, posted: make(chan func(), 1)}
	done := false
	w.beside(t.Context(), func() { panic("odd container") }, func() { done = true })
	(<-w.posted)()
	if !done || len(c.all) != 1 || !strings.Contains(c.all[0], "odd container") {
		t.Errorf("done %v, complaints %q", done, c.all)
	}
}
