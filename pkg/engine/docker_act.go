package engine

import (
	"context"

	"github.com/docker/docker/api/types/container"
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
