package render

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// The heading is the command that is foretold, with the flags that were given.
func TestStopCommand(t *testing.T) {
	for want, f := range map[string]diagnose.StopForecast{
		"docker stop web":              {Signal: "SIGQUIT", SignalSource: "container", TimeoutSeconds: 10, TimeoutSource: "default"},
		"docker stop -s SIGQUIT web":   {Signal: "SIGQUIT", SignalSource: "flag", TimeoutSeconds: 10, TimeoutSource: "default"},
		"docker stop -t 3 web":         {Signal: "SIGTERM", SignalSource: "container", TimeoutSeconds: 3, TimeoutSource: "flag"},
		"docker stop -s HUP -t -1 web": {Signal: "HUP", SignalSource: "flag", TimeoutSeconds: -1, TimeoutSource: "flag"},
	} {
		c := diagnose.Container{Kind: evidence.KindContainer, Name: "web", Stop: &f}
		if got := stopCommand(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
