package look

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// A panic beside the look comes out where somebody waits for it: in its own
// goroutine it would end the program.
func TestBugBeside(t *testing.T) {
	// Without a prober and an API the look at the engine's parts panics.
	l := &looker{engine: &engine.Engine{}, snap: &evidence.Snapshot{Host: evidence.Host{Engine: &evidence.Engine{}}}}
	defer func() {
		if b, ok := recover().(*beside.Bug); !ok || b.Value == nil || len(b.Stack) == 0 {
			t.Errorf("got %+v", b)
		}
	}()
	l.seeEngine(t.Context())()
}
