package engine

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/signal"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const (
	historyCall  = 300 * time.Millisecond
	historySince = time.Hour
)

// History gives the last events of one container (its full id), oldest first. An
// empty history proves nothing: the engine keeps its last 256 events only, of all
// containers. Where the answer was cut off, what had come is returned with the
// error.
func (e *Engine) History(ctx context.Context, id string) ([]evidence.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, historyCall)
	defer cancel()
	now := time.Now()
	name, _ := e.conn.server()
	return e.api.history(ctx, id, name == "podman", now.Add(-historySince), now)
}

// remembered are the events of a container's life. Those of exec and of top are not
// asked for: a health check makes three each time, and they fill the engine's memory.
var remembered = []string{
	"create", "start", "attach", "detach", "health_status", "update", "rename", "copy", "export", "commit", "checkpoint",
	"pause", "unpause", "kill", "oom", "stop", "die", "restart", "destroy",
}

// appendEvent adds an event in our form. Events of `docker exec` are left out:
// every health check makes three, and they carry command lines.
func appendEvent(to []evidence.Event, at time.Time, action, sig string) []evidence.Event {
	// "health_status: healthy", "exec_start: sh -c ..."
	name, _, _ := strings.Cut(action, ":")
	if strings.HasPrefix(name, "exec_") {
		return to
	}
	return append(to, evidence.Event{At: at.UTC(), Action: clip(name, 64), Signal: eventSignal(sig)})
}

// eventSignal reads the attribute "signal" of a kill event: the number in
// decimal with dockerd, also a name with others. 0: not said.
func eventSignal(text string) int {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 0 || n > 64 {
			return 0
		}
		return n
	}
	n, err := signal.ParseSignal(text)
	if err != nil {
		return 0
	}
	return int(n)
}
