package look

import (
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// A panic beside the look comes out where somebody waits for it: in its own
// goroutine it would end the program.
func TestBugsBeside(t *testing.T) {
	broken := func() *looker { // without a prober and an API every question panics
		gone := evidence.Target{Kind: evidence.KindContainer, Container: &evidence.Container{ID: "0123", Status: "removing"}}
		return &looker{from: &Looker{}, engine: &engine.Engine{}, snap: &evidence.Snapshot{
			Host: evidence.Host{Engine: &evidence.Engine{}}, Targets: []evidence.Target{gone}}}
	}
	for name, f := range map[string]func(*looker){
		"the engine's parts": func(l *looker) { l.seeEngine(t.Context())() },
		"a second question":  func(l *looker) { l.askAgain(t.Context(), time.Now().Add(-again)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if b, ok := recover().(*Bug); !ok || b.Value == nil || len(b.Stack) == 0 {
					t.Errorf("got %+v", b)
				}
			}()
			f(broken())
		})
	}
}
