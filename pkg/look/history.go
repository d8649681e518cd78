package look

import (
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// past is what the engine remembers of one container, kept apart until the
// probe is through with the target: both run at once.
type past struct {
	events []evidence.Event
	err    error
}

// remembers: there may be a history worth asking for. An engine whose files
// answered will not answer this either, and would cost the whole deadline.
func (l *looker) remembers(t *evidence.Target) bool {
	return t.Container != nil && t.Container.ID != "" && t.Container.Status != "created" &&
		slices.Contains(l.engine.Sources(), "docker-api")
}

func (p past) addTo(t *evidence.Target) {
	if p.err == nil {
		t.History = p.events
		return
	}
	t.Gaps = append(t.Gaps, evidence.Gap{
		Path: "docker events", Kind: kindOf(p.err),
		Matters: "whether a signal has been sent already",
	})
}
