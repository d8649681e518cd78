package watch

import (
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
)

// dedupe knows the latest events. After a reconnection the engine tells again
// what happened since the moment asked for, that moment included.
type dedupe struct {
	ring [512]eventKey // twice what an engine keeps
	at   int
	have map[eventKey]bool
	// latest is the newest time seen: from there on the next stream is asked for.
	latest time.Time
}

type eventKey struct {
	at         int64
	id, action string
	signal     int
}

// again reports whether an event has been taken before, and remembers it.
func (d *dedupe) again(e engine.Event) bool {
	key := eventKey{e.At.UnixNano(), e.ID, e.Action, e.Signal}
	if d.have[key] {
		return true
	}
	if d.have == nil {
		d.have = map[eventKey]bool{}
	}
	delete(d.have, d.ring[d.at])
	d.ring[d.at], d.have[key] = key, true
	d.at = (d.at + 1) % len(d.ring)
	if e.At.After(d.latest) {
		d.latest = e.At
	}
	return false
}
