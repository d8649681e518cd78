package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// images are what running four of them may come to: one that does well, one that
// does as foretold, one that died, and one of which we were wrong.
func images() diagnose.Report {
	image := func(c diagnose.Container, name string) diagnose.Container {
		c.Name, c.Target, c.Image = name, name, name
		s := 1.2
		c.Startup = &diagnose.Startup{Ready: true, By: "settled", AfterSeconds: &s, Log: []string{}}
		return c
	}
	seen := func(c diagnose.Container, outcome diagnose.Verdict, code int, after float64, agreed bool) diagnose.Container {
		c.Observed = &diagnose.Observed{Outcome: string(outcome), ExitCode: &code, AfterSeconds: &after, Survivors: []int{}, Proof: []diagnose.Check{},
			Events: []diagnose.ObservedEvent{{AtSeconds: 0, What: "asks the engine to stop it", Source: "api"}, {AtSeconds: after, PID: 4121, What: "1 sh dies of SIGKILL", Source: "pidfd"}}}
		c.Agreed = &agreed
		return c
	}
	wrong := seen(image(killedShell(), "shop:odd"), diagnose.Stops, 0, 0.4, false)
	diagnose.Disagree(&wrong, "./whystuck-shop_odd-1.json", "https://example.org/issues")
	again := seen(image(killedShell(), "shop:1.2"), diagnose.Killed, 137, 10.1, true)
	diagnose.AddRuns(&again, []diagnose.Container{again, again, again})
	dead := diagnose.Container{Target: "jobs:7", Name: "jobs:7", Image: "jobs:7", Kind: "container", Status: "exited", Verdict: diagnose.NotRunning, Confidence: diagnose.Certain, Layer: diagnose.LayerImage}
	code, lived := 3, 0.2
	(&diagnose.StartFailure{How: diagnose.DiedEarly, ExitCode: &code, AfterSeconds: &lived, Log: []string{"no DB_HOST given", "odd \x1b[31mcolours"}}).AddTo(&dead)
	dead.ExitCode = &code
	return report(seen(image(stops(), "api:2.0"), diagnose.Stops, 0, 0.1, true), again, dead, wrong)
}

// TestImageLog: the end of the log is shown once, and with no escape in it.
func TestImageLog(t *testing.T) {
	var b bytes.Buffer
	if err := Image(&b, images(), Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if n := strings.Count(text, "no DB_HOST given"); n != 1 {
		t.Errorf("the log is shown %d times:\n%s", n, text)
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("an escape sequence of the container's:\n%q", text)
	}
	if !strings.Contains(text, "4 images: 1 not ready, 1 killed, 2 stop cleanly; 1 not as predicted") {
		t.Errorf("the counts:\n%s", text[max(0, len(text)-200):])
	}
}
