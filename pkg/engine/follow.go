package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/events"
)

// Happening is one event of a container that is being stopped.
type Happening struct {
	ID       string // of the container
	At       time.Time
	Action   string // kill, die, stop, oom, destroy, start, unpause
	Signal   int    // of a kill, 0: not said
	ExitCode *int   // of a die
}

// Follow calls to for what happens to one container (id, "" for all) from a moment
// on. It returns when ctx ends or the engine ends the stream; the error says which.
func (e *Engine) Follow(ctx context.Context, id string, since time.Time, to func(Happening)) error {
	return e.api.follow(ctx, id, since, func(m events.Message) {
		if id != "" && m.Actor.ID != id {
			return // the engine's filter is a regular expression, see history
		}
		h := Happening{ID: m.Actor.ID, At: time.Unix(0, m.TimeNano), Action: string(m.Action), Signal: eventSignal(m.Actor.Attributes["signal"])}
		if n, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
			h.ExitCode = &n
		}
		to(h)
	})
}
