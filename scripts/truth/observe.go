package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// Observed is what really happened.
type Observed struct {
	// Verdict is the fact in whystuck's words. For a case of docker kill it is
	// "dies", "handled", "stops" (stopped by job control) or "nothing".
	Verdict string `json:"verdict"`
	// ExitCode is the container's; nil when it did not end.
	ExitCode *int `json:"exit_code"`
	// Seconds lie between the engine's events of the first signal and of the end,
	// KillSeconds between it and the engine's SIGKILL, 0 when there was none. The
	// end comes later on a loaded machine, which is not what is being measured.
	Seconds     float64 `json:"seconds"`
	KillSeconds float64 `json:"kill_seconds,omitempty"`
	// Command is how long docker stop itself took, and Status what it returned.
	CommandSeconds float64 `json:"command_seconds"`
	CommandStatus  int     `json:"command_status"`
	CommandError   string  `json:"command_error,omitempty"`
	// Killed: the engine sent SIGKILL.
	Killed bool `json:"killed"`
	// Heard says whether the log can tell stops from abrupt at all, Finished how
	// many handlers logged that they were done.
	Heard    bool    `json:"heard"`
	Finished int     `json:"finished"`
	Handlers int     `json:"handlers"`
	Cut      string  `json:"cut,omitempty"`
	Events   []Event `json:"events"`
	Log      string  `json:"log,omitempty"`
}

// observe does it: docker stop, or docker kill -s, and what came of it.
func (b *truthBed) observe(ctx context.Context, c cases.Case, id string) Observed {
	before := ""
	if c.Finish != "" || c.Takes != "" { // a program may have logged the words before
		before = b.logs(ctx, id)
	}
	command := append([]string{"stop"}, c.StopArgs()...)
	if c.Kill != "" {
		command = []string{"kill", "-s", c.Kill}
	}
	from := time.Now()
	_, errOut, status := b.engine.Docker(ctx, append(command, id)...)
	o := Observed{CommandSeconds: seconds(time.Since(from)), CommandStatus: status, Cut: c.Cut, Handlers: c.Handlers}
	if status != 0 {
		o.CommandError = strings.TrimSpace(errOut)
	}
	if c.Kill != "" {
		time.Sleep(killLook)
	}
	out, _, _ := b.engine.Docker(ctx, "inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", id)
	running, code, _ := strings.Cut(strings.TrimSpace(out), " ")
	if n, err := strconv.Atoi(code); err == nil && running == "false" {
		o.ExitCode = &n
	}
	o.Events = b.events.since(id, from)
	o.fromEvents()
	log := strings.TrimPrefix(b.logs(ctx, id), before)
	o.Log = string(tail([]byte(log), 1000))
	if c.Kill != "" {
		o.Verdict = o.killVerdict(c, id, log)
		return o
	}
	if c.Finish != "" {
		o.Finished = strings.Count(log, c.Finish)
	}
	o.Heard = c.Handlers > 0 || c.Cut != ""
	o.Verdict = string(o.stopVerdict(c, len(members(id)) > 0))
	return o
}

// killLook is how long after docker kill the effect is looked at.
const killLook = 1200 * time.Millisecond

// fromEvents takes seconds and the forced kill from the engine's events.
func (o *Observed) fromEvents() {
	var first time.Time
	for _, e := range o.Events {
		switch {
		case e.Action == "kill" && first.IsZero():
			first = e.At
		case e.Action == "kill" && e.Signal == "9":
			o.Killed, o.KillSeconds = true, seconds(e.At.Sub(first))
		case e.Action == "die" && !first.IsZero() && o.Seconds == 0:
			o.Seconds = seconds(e.At.Sub(first))
		}
	}
}

// stopVerdict is the fact in the words of the report. A container that lives on
// in its cgroup after docker stop has reported success is a ghost.
func (o *Observed) stopVerdict(c cases.Case, alive bool) diagnose.Verdict {
	denied := strings.Contains(o.CommandError, "permission denied") || strings.Contains(o.CommandError, "operation not permitted")
	switch {
	case o.CommandStatus != 0 && denied:
		return diagnose.Refused
	case o.CommandStatus != 0:
		return diagnose.Stuck
	case alive:
		return diagnose.Ghost
	case o.Killed && (c.Handlers == 0 || c.Timeout() == nil || *c.Timeout() > 0):
		return diagnose.Killed // but a timeout of 0 with a handler counts as abrupt
	case c.Cut != "" || o.Finished < c.Handlers:
		return diagnose.Abrupt
	}
	return diagnose.Stops
}

func (o *Observed) killVerdict(c cases.Case, id, log string) string {
	stopped := slices.ContainsFunc(members(id), func(pid int) bool {
		f := stat(fmt.Sprintf("/proc/%d/stat", pid))
		return len(f) > 0 && f[0] == "T"
	})
	switch {
	case o.ExitCode != nil && (c.Takes == "" || !strings.Contains(log, c.Takes)):
		return "dies"
	case c.Takes != "" && strings.Contains(log, c.Takes):
		return "handled"
	case stopped:
		return "stops"
	}
	return "nothing"
}

// line is a result for the progress.
func (r Result) line() string {
	switch {
	case r.LeftOut != "":
		return fmt.Sprintf("left out  %-34s %s", r.Name, r.LeftOut)
	case r.Observed == nil:
		return fmt.Sprintf("PROBLEM   %-34s %s", r.Name, r.Problem)
	}
	s := fmt.Sprintf("%-9s %-34s %s %5.2f s", r.Observed.Verdict, r.Name, code(r.Observed.ExitCode), r.Observed.Seconds)
	for _, who := range askers {
		if a, ok := r.Answers[who]; ok {
			s += fmt.Sprintf("  %s: %s", who, a.line())
		}
	}
	return s
}

func code(c *int) string {
	if c == nil {
		return "  -"
	}
	return fmt.Sprintf("%3d", *c)
}
