package smoke

import (
	"regexp"
	"testing"

	"github.com/whystuck/whystuck/pkg/beside"
)

// A log that breaks its reader is not waited for until the time is up.
func TestLogThatPanics(t *testing.T) {
	c := newLogLine(t.Context(), &run{}, regexp.MustCompile("ready")) // there is nobody to follow it
	defer c.stop()
	<-c.follow.Done()
	if bug := beside.Catch(func() { _, _ = c.met(t.Context(), nil) }); bug == nil {
		t.Error("the panic was lost")
	}
}
