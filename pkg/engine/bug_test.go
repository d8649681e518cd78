package engine

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/beside"
)

// What the engine is asked for is asked beside the caller; a panic there comes out
// where the answer is waited for. An api without a client is one.
func TestBugsBesideTheEngine(t *testing.T) {
	broken := &api{agreed: true, turn: make(chan struct{}, 1)}
	e := &Engine{api: broken, opt: Options{ProcRoot: t.TempDir()}}
	for name, ask := range map[string]func(){
		"list":    func() { _, _ = broken.listNamed(t.Context(), "abc") },
		"inspect": func() { e.examine(t.Context(), []chosen{{asked: "web", listed: listed{id: "abc"}}}, true) },
		"mounts":  func() { (*mountProofs)(nil).read(1) },
	} {
		if bug := beside.Catch(ask); bug == nil {
			t.Errorf("%s: the panic was lost", name)
		}
	}
}
