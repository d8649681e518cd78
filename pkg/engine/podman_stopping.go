package engine

import (
	"context"
	"time"
)

// ActionStopping is no event of an engine's: a container was seen in Podman's state
// "stopping".
const ActionStopping = "stopping"

// stoppingEvery is how often Podman is asked which containers are being stopped.
const stoppingEvery = time.Second

// Stopping tells of each stop that has begun, until ctx ends. It is for Podman,
// whose events have a kill only for docker kill; other engines say so in their
// stream, and it returns at once.
func (e *Engine) Stopping(ctx context.Context, each func(Event)) {
	if name, _ := e.conn.server(); name != "podman" {
		return
	}
	tick := time.NewTicker(stoppingEvery)
	defer tick.Stop()
	known := map[string]bool{}
	for {
		call, cancel := context.WithTimeout(ctx, e.opt.CallTimeout)
		list, err := e.api.list(call, false)
		cancel()
		if err == nil {
			known = newStops(list, known, time.Now().UTC(), each)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// newStops tells of those in a list that are being stopped and were not known to be,
// and gives all that are.
func newStops(list []listed, known map[string]bool, now time.Time, each func(Event)) map[string]bool {
	stopping := map[string]bool{}
	for _, l := range list {
		if l.status != "stopping" {
			continue
		}
		stopping[l.id] = true
		if !known[l.id] {
			each(Event{At: now, Action: ActionStopping, ID: clip(l.id, 64), Name: clip(primaryName(l.names), maxLabel), Image: clip(l.image, maxLabel)})
		}
	}
	return stopping
}
