package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
)

// statusLine is the last line of a terminal while a stop goes on: how long it has
// been waited for. In a pipe there is none. The zero value prints nothing.
type statusLine struct {
	mu    sync.Mutex
	out   io.Writer // nil: no terminal
	shown bool
}

const eraseLine = "\r\x1b[K"

// above prints something above the line.
func (l *statusLine) above(print func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	print()
}

func (l *statusLine) erase() {
	if l.shown {
		fmt.Fprint(l.out, eraseLine)
		l.shown = false
	}
}

func (l *statusLine) show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(l.out, eraseLine, text)
	l.shown = true
}

// waiting shows the line of a terminal every second until end is called.
func (s *stopping) waiting(r diagnose.Report) (end func()) {
	if _, terminal := s.Terminal(); !terminal || s.format.json || s.format.quiet || len(r.Containers) == 0 {
		return func() {}
	}
	s.line.out = s.Out
	stop := make(chan struct{})
	showing := beside.Run(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-stop:
				s.line.above(func() {})
				return
			case <-tick.C:
				s.line.show(fmt.Sprintf("  %4d s   waiting%s; Ctrl-C leaves it to the engine", n, upTo(r)))
			}
		}
	})
	return func() {
		close(stop)
		showing.Wait()
	}
}

// upTo is the timeout of a single container.
func upTo(r diagnose.Report) string {
	if len(r.Containers) != 1 || r.Containers[0].Stop == nil || r.Containers[0].Stop.TimeoutSeconds < 0 {
		return ""
	}
	return fmt.Sprintf(", SIGKILL is due at %d s", r.Containers[0].Stop.TimeoutSeconds)
}
