package watch

import (
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// ReportSchema numbers the JSON lines. Fields are added, never renamed.
const ReportSchema = 1

// Kinds of a Report.
const (
	KindOverrun  = "overrun"   // a stop takes longer than it was given
	KindEnded    = "ended"     // a stop has come to its end, told once for each
	KindCameBack = "came-back" // the restart policy started it again after a stop or kill
	KindVerdict  = "verdict"   // a scan found that a stop would not go well, or does again
	KindEngine   = "engine"    // the engine is silent, or answers again
)

// Stages of an overrun.
const (
	// StageAssumed: the configured timeout has passed (-1: a minute has) and no SIGKILL
	// has come. A longer timeout may have been asked for; the engine's events do not
	// tell it.
	StageAssumed = "assumed-timeout"
	// StageTimeout: the engine sent SIGKILL, so the stop signal was not enough.
	StageTimeout = "timeout"
	// StageTimeout10: ten seconds after SIGKILL it still runs; the engine tries
	// once more by itself.
	StageTimeout10 = "timeout+10"
	// StageNever: the engine has given up, docker stop has returned an error; or with
	// the timeout -1 it waits for ever, for what cannot end.
	StageNever = "never"
)

// What ended a container, as far as events tell.
const (
	CommandStop    = "stop"
	CommandKill    = "kill"
	CommandSignal  = "signal"  // docker kill with another signal
	CommandUnknown = "unknown" // nobody listened when it was sent
)

// Outcomes of a stop. Those of docker stop are verdicts, so that they can be
// held against what was forecast.
const (
	OutcomeStops  = string(diagnose.Stops)
	OutcomeKilled = string(diagnose.Killed) // exit code 137: whatever it had not saved is lost
	OutcomeStuck  = string(diagnose.Stuck)  // the engine gave up before it ended
	OutcomeDies   = "dies"                  // of docker kill
	OutcomeUnseen = "unseen"                // it ended while nobody listened
)

// Named says which container a report is about. The words are the container's
// own: they are hostile.
type Named struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Image string `json:"image"`
}

// Report is one thing told, and the contract of `whystuck watch --json`: one of
// these a line. null means "not known" or "has no meaning for this kind".
type Report struct {
	Schema    int       `json:"schema"`
	Version   string    `json:"version"`
	At        time.Time `json:"at"` // this host's clock
	Kind      string    `json:"kind"`
	Trouble   bool      `json:"trouble"` // somebody should look at it
	Headline  string    `json:"headline"`
	Container *Named    `json:"container"`
	// Reconciled: it was not seen as it happened, but concluded from the engine's
	// list afterwards.
	Reconciled bool `json:"reconciled"`

	Command        *string    `json:"command"` // stop, kill, signal, unknown
	Signal         *string    `json:"signal"`
	SignalledAt    *time.Time `json:"signalled_at"` // the engine's clock
	TimeoutSeconds *float64   `json:"timeout_seconds"`
	TimeoutSource  *string    `json:"timeout_source"` // container, daemon, default, observed
	Stage          *string    `json:"stage"`
	AfterSeconds   *float64   `json:"after_seconds"` // since the signal
	SIGKILLAfter   *float64   `json:"sigkill_after_seconds"`
	Outcome        *string    `json:"outcome"`
	ExitCode       *int       `json:"exit_code"`
	OOM            bool       `json:"oom"`
	RestartCount   *int       `json:"restart_count"`
	// SilentSeconds is for how long the engine has not answered; null: it does.
	SilentSeconds *float64 `json:"engine_silent_seconds"`

	// Diagnosis is the judgement of `whystuck CONTAINER`, taken so many seconds
	// after the signal. null: it could not be taken, DiagnosisNote says why.
	Diagnosis      *diagnose.Container `json:"diagnosis"`
	DiagnosedAfter *float64            `json:"diagnosed_after_seconds"`
	DiagnosisNote  string              `json:"diagnosis_note,omitempty"`
	// HostFindings are about the engine and the host as a whole.
	HostFindings []diagnose.Finding `json:"host_findings,omitempty"`
}

// name is what a report's container is called.
func (n *Named) name() string {
	switch {
	case n == nil:
		return ""
	case n.Name != "":
		return n.Name
	}
	return n.ID[:min(12, len(n.ID))]
}

func ptr[T any](v T) *T { return &v }

// seconds are rounded to milliseconds, which is all that events are good for.
func seconds(d time.Duration) *float64 {
	return ptr(float64(d.Round(time.Millisecond)) / float64(time.Second))
}
