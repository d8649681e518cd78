package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/whystuck/whystuck/pkg/render"
)

// progress is one line on a terminal that says what is going on. It is nothing
// where standard error is no terminal.
type progress struct {
	a     *app
	mu    sync.Mutex
	total int
	ready int
	now   map[string]string // what is being done, by image
	width int               // of what stands on the line
}

func (t *trying) newProgress(total int) *progress {
	p := &progress{total: total, now: map[string]string{}}
	if t.ErrTerminal != nil && t.ErrTerminal() && !t.quietly {
		p.a = t.app
	}
	return p
}

func (p *progress) doing(image, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now[image] = what
	p.draw()
}

func (p *progress) done(image string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.now, image)
	p.ready++
	p.draw()
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put("")
}

// draw puts the line anew; p.mu is held.
func (p *progress) draw() {
	if p.a == nil {
		return
	}
	var parts []string
	for _, image := range slices.Sorted(maps.Keys(p.now)) {
		parts = append(parts, image+": "+p.now[image])
	}
	text := render.Escape(strings.Join(parts, ", "))
	if p.total > 1 {
		text = fmt.Sprintf("%d of %d done  %s", p.ready, p.total, text)
	}
	if room := 79; len(text) > room {
		text = text[:room-3] + "..."
	}
	p.put(text)
}

func (p *progress) put(text string) {
	if p.a == nil {
		return
	}
	fmt.Fprintf(p.a.Err, "\r%s%s", text, strings.Repeat(" ", max(p.width-len(text), 0)))
	if text == "" {
		fmt.Fprint(p.a.Err, "\r")
	}
	p.width = len(text)
}
