package e2e

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// An engine from 29.7 on has a stop timeout of its own for all containers.
func TestDefaultTimeout(t *testing.T) {
	bed.Require(t, "root", "docker", "gcc")
	if !bed.AtLeast(t, 29, 7) {
		t.Skip("this engine has no default-stop-timeout")
	}
	l := &lab{binary: bed.Whystuck(t), d: bed.StartDaemonWith(t, bed.Options{Args: []string{"--default-stop-timeout=4"}})}
	if err := l.d.Import(t.Context(), "lab", map[string]string{"/siglab": bed.StaticProgram(t)}, `ENTRYPOINT ["/siglab"]`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []stopCase{
		{name: "engine-timeout", run: cmd("lab", "ign"), timeout: "none", truth: truth{exit: 137, seconds: 4}, verdict: diagnose.Killed, sure: "certain"},
		{name: "own-timeout", run: cmd("--stop-timeout=2", "lab", "ign"), timeout: "none", truth: truth{exit: 137, seconds: 2}, verdict: diagnose.Killed, sure: "certain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l.runStop(t, c)
		})
	}
}
