package watch

import (
	"fmt"
	"strings"
)

// headline is what a report says, in one sentence without the container's name.
func headline(r *Report) string {
	switch r.Kind {
	case KindOverrun:
		return overrunWords(r)
	case KindEnded:
		return endedWords(r)
	case KindCameBack:
		return fmt.Sprintf("came back by its restart policy %s after %s (restart %d)", span(r.AfterSeconds), sent(r), *r.RestartCount)
	}
	return r.Headline
}

func overrunWords(r *Report) string {
	switch *r.Stage {
	case StageAssumed:
		if *r.TimeoutSeconds < 0 {
			return fmt.Sprintf("still runs %s after %s, and no SIGKILL will come: its stop timeout is -1", span(r.AfterSeconds), sent(r))
		}
		return fmt.Sprintf("still runs %s after %s, and no SIGKILL has come: a longer timeout was asked for, or the engine hangs",
			span(r.TimeoutSeconds), sent(r))
	case StageTimeout:
		return fmt.Sprintf("did not end within %s of %s: SIGKILL was sent", span(r.TimeoutSeconds), sent(r))
	case StageTimeout10:
		if r.SIGKILLAfter == nil && *r.Command == CommandStop {
			return fmt.Sprintf("still runs %s after %s, no SIGKILL has come", span(r.AfterSeconds), sent(r))
		}
		return "still runs 10 s after SIGKILL: it cannot die"
	}
	if *r.Command == CommandStop && *r.TimeoutSeconds < 0 {
		return fmt.Sprintf("still runs %s after %s, and SIGKILL will never come: its stop timeout is -1", span(r.AfterSeconds), sent(r))
	}
	if *r.Command == CommandStop && r.SIGKILLAfter == nil {
		return fmt.Sprintf("still runs %s after %s, and no SIGKILL has come: docker stop does not return", span(r.AfterSeconds), sent(r))
	}
	return fmt.Sprintf("docker %s has given up after %s, and it still runs", *r.Command, span(r.AfterSeconds))
}

func endedWords(r *Report) string {
	code := ""
	if r.ExitCode != nil {
		code = fmt.Sprintf(", exit code %d", *r.ExitCode)
	}
	switch *r.Outcome {
	case OutcomeUnseen:
		return "ended while nobody listened" + code
	case OutcomeKilled:
		why := "killed by SIGKILL"
		switch {
		case r.OOM:
			why = "killed for want of memory"
		case r.SIGKILLAfter == nil:
			why = "killed by SIGKILL that the engine did not send"
		}
		return fmt.Sprintf("%s %s after %s%s: unsaved data is lost", why, span(r.AfterSeconds), sent(r), code)
	case OutcomeStuck:
		return fmt.Sprintf("ended at last, %s after %s%s: docker %s had not been able to end it", span(r.AfterSeconds), sent(r), code, *r.Command)
	case OutcomeDies:
		return fmt.Sprintf("died %s after docker kill%s", span(r.AfterSeconds), code)
	}
	return fmt.Sprintf("stopped %s after %s%s", span(r.AfterSeconds), sent(r), code)
}

// sent is the signal that a stop began with.
func sent(r *Report) string {
	if r.Signal == nil {
		return "the signal"
	}
	return *r.Signal
}

// span is a number of seconds as text.
func span(s *float64) string {
	if s == nil {
		return "some time"
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.1f", *s), "0"), ".") + " s"
}
