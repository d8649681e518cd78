package engine

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// stop is POST /containers/ID/stop. The SDK leaves out a signal below API 1.42
// without a word: the caller has to have asked.
func (a *api) stop(ctx context.Context, id, signal string, timeout *int) error {
	return a.sdk.ContainerStop(ctx, id, container.StopOptions{Signal: signal, Timeout: timeout})
}

func (a *api) kill(ctx context.Context, id, signal string) error {
	return a.sdk.ContainerKill(ctx, id, signal)
}

func (a *api) ping(ctx context.Context) error {
	_, err := a.sdk.Ping(ctx)
	return err
}

// follow gives the events of a kind that tell of signals and ends, of all
// containers or of one, from a moment on, until ctx ends or the stream breaks.
func (a *api) follow(ctx context.Context, id string, since time.Time, to func(events.Message)) error {
	if err := a.negotiate(ctx); err != nil {
		return err
	}
	args := filters.NewArgs(filters.Arg("type", "container"))
	for _, action := range []string{"kill", "die", "stop", "oom", "destroy", "start", "unpause"} {
		args.Add("event", action)
	}
	if id != "" {
		args.Add("container", id)
	}
	messages, errs := a.sdk.Events(ctx, events.ListOptions{Since: unixTime(since), Filters: args})
	for {
		select {
		case m := <-messages:
			to(m)
		case err := <-errs:
			return err
		}
	}
}
