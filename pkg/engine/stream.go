package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Event is one thing that the engine says happened to a container. The kernel's
// part is not in it: a kill event says that a signal was sent, not that it had
// an effect.
type Event struct {
	At     time.Time // by the engine's clock, which may jump
	Action string    // kill, die, stop, start, restart, destroy, oom, ...
	ID     string
	Name   string
	Image  string
	Signal int  // of a kill; 0: not said
	Code   *int // of a die
}

// followed are the events that a stop consists of. Those of exec and of health
// checks come by the thousand and say nothing about it. Podman calls two of them
// otherwise when it is asked for them.
var followed = []string{"kill", "die", "stop", "start", "restart", "oom", "destroy", "rename", "update", "died", removedByPodman}

// removedByPodman is Podman's word for destroy, also in what it tells.
const removedByPodman = "remove"

// Stream gives the events of all containers, in the engine's order, from a moment
// on (zero: from now) until the stream breaks. It calls opened when the engine has
// accepted, and each from its own goroutine's loop; an engine drops events for
// who does not read for 100 ms (moby pkg/pubsub), so each must not wait. It
// always returns an error: io.EOF is an engine that closed the stream.
func (e *Engine) Stream(ctx context.Context, since time.Time, opened func(), each func(Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Only the opening has a deadline: silence afterwards is normal.
	opening := time.AfterFunc(2*e.opt.CallTimeout, cancel)
	if err := e.api.negotiate(ctx); err != nil {
		return err
	}
	messages, errs := e.api.stream(ctx, since)
	if !opening.Stop() {
		return fmt.Errorf("opening the stream of events: %w", context.DeadlineExceeded)
	}
	return follow(messages, errs, opened, each)
}

// follow reads a stream. The client gives it out before it hands over an error
// that it met in opening it.
func follow(messages <-chan events.Message, errs <-chan error, opened func(), each func(Event)) error {
	select {
	case err := <-errs:
		return fmt.Errorf("opening the stream of events: %w", err)
	case m := <-messages:
		opened()
		each(eventFrom(m))
	case <-time.After(errorComes):
		opened()
	}
	for {
		select {
		case m := <-messages:
			each(eventFrom(m))
		case err := <-errs:
			return fmt.Errorf("following the events: %w", err)
		}
	}
}

// errorComes is within what an error of the opening has surely come: the client's
// goroutine has nothing left to do but to send it.
const errorComes = 50 * time.Millisecond

// stream opens it.
func (a *api) stream(ctx context.Context, since time.Time) (<-chan events.Message, <-chan error) {
	wanted := filters.NewArgs(filters.Arg("type", "container"))
	for _, action := range followed {
		wanted.Add("event", action)
	}
	o := events.ListOptions{Filters: wanted}
	if !since.IsZero() {
		o.Since = unixTime(since)
	}
	return a.sdk.Events(ctx, o)
}

// maxLabel bounds what a container's own words may take.
const maxLabel = 256

func eventFrom(m events.Message) Event {
	e := Event{
		At: time.Unix(m.Time, m.TimeNano%int64(time.Second)).UTC(), Action: clip(string(m.Action), 64), ID: clip(m.Actor.ID, 64),
		Name: clip(m.Actor.Attributes["name"], maxLabel), Image: clip(m.Actor.Attributes["image"], maxLabel),
		Signal: eventSignal(m.Actor.Attributes["signal"]),
	}
	if e.Action == removedByPodman {
		e.Action = "destroy"
	}
	if code, err := strconv.Atoi(m.Actor.Attributes["exitCode"]); err == nil {
		e.Code = &code
	}
	return e
}

// Brief is one container of the engine's list, which answers without any
// container's lock.
type Brief struct {
	ID, Name, Image string
	Status          string // running, paused, exited, ...
}

// Overview lists all containers, stopped ones too.
func (e *Engine) Overview(ctx context.Context) ([]Brief, error) {
	list, err := e.asked(ctx, func(ctx context.Context) ([]listed, error) { return e.api.list(ctx, false) })
	if err != nil {
		return nil, err
	}
	out := make([]Brief, 0, len(list))
	for _, l := range list {
		out = append(out, Brief{ID: l.id, Name: clip(primaryName(l.names), maxLabel), Image: clip(l.image, maxLabel), Status: clip(l.status, 64)})
	}
	e.learnStopTimeout(ctx)
	return out, nil
}

// ErrGone is a container that the engine does not know (any more).
var ErrGone = errors.New("no such container")

// Inspect asks for one container, by its full id, under the call's deadline.
func (e *Engine) Inspect(ctx context.Context, id string) (*evidence.Container, error) {
	c, err := e.inspect(ctx, chosen{listed: listed{id: id}})
	if errors.Is(err, errNoSuchContainer) {
		return nil, ErrGone
	}
	return c, err
}

// Ping asks for a sign of life, under the call's deadline.
func (e *Engine) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.opt.CallTimeout)
	defer cancel()
	return e.api.ping(ctx)
}
