package watchtest

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

// TestRenamed watches a container by its name, which is renamed, gets a SIGTERM
// that it handles without ending, and is stopped when that is long past.
func TestRenamed(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	d := l.engine(t, bed.Options{})
	f := l.follow(t, d, "web", "probe") // "probe" tells that it follows
	run(t, d, "web", "--stop-timeout", "1", "lab", "ign")
	ready(t, d, "web")
	docker(t, d, "rename", "web", "old_web")
	docker(t, d, "kill", "-s", "TERM", "old_web")
	f.wait(t, 3*time.Second, "old_web", watch.KindOverrun, watch.StageAssumed)
	time.Sleep(2 * time.Second)

	docker(t, d, "stop", "old_web")
	r := f.wait(t, 3*time.Second, "old_web", watch.KindEnded, "")
	if *r.Command != watch.CommandStop || *r.Outcome != watch.OutcomeKilled || *r.TimeoutSeconds > 1.5 || *r.AfterSeconds > 2.5 {
		t.Errorf("the stop is mixed up with the signal before it: %s: %+v", r.Headline, r.Report)
	}
	f.once(t, "old_web", watch.KindEnded)
}
