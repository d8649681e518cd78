package render

import (
	"math"
	"strconv"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// phrase is a verdict as the reader wants it: what it is, and when.
//
//	KILLED after 10 s, certain
func phrase(c diagnose.Container) string {
	text := verdictWords(c)
	if c.Verdict == diagnose.Unknown || c.Verdict == diagnose.NotRunning || c.Confidence == "" {
		return text
	}
	return text + ", " + string(c.Confidence)
}

// imageKind is what an image is among the targets; it has no status until it runs.
const imageKind = evidence.KindImage

func verdictWords(c diagnose.Container) string {
	switch c.Verdict {
	case diagnose.Stops:
		return "STOPS" + within(c.Stop)
	case diagnose.Abrupt:
		return "ABRUPT" + within(c.Stop)
	case diagnose.Killed:
		return "KILLED" + killedAfter(c.Stop)
	case diagnose.Stuck:
		if !byEngine(c) {
			return "STUCK"
		}
		return "STUCK" + comesTo(c.Stop)
	case diagnose.Refused:
		return "REFUSED" + comesTo(c.Stop)
	case diagnose.Ghost:
		return "GHOST"
	case diagnose.NotRunning:
		if c.Kind == imageKind && c.Status == "" {
			return "READ, NOT RUN"
		}
		return "NOT RUNNING" + lastRun(c)
	}
	return "UNKNOWN"
}

// byEngine: there are docker commands whose end can be told.
func byEngine(c diagnose.Container) bool { return c.Kind == "" || c.Kind == evidence.KindContainer }

func within(s *diagnose.StopForecast) string {
	switch {
	case s == nil || s.AfterSeconds == nil:
		return ""
	case *s.AfterSeconds < 1:
		return " in under 1 s"
	}
	return " in about " + seconds(*s.AfterSeconds)
}

func killedAfter(s *diagnose.StopForecast) string {
	switch {
	case s == nil:
		return ""
	case s.AfterSeconds != nil && *s.AfterSeconds < 1:
		return " at once"
	case s.AfterSeconds != nil:
		return " after " + seconds(*s.AfterSeconds)
	case s.TimeoutSeconds >= 0:
		return " after " + seconds(float64(s.TimeoutSeconds))
	}
	return ""
}

// comesTo is what the docker command comes to where the container may not end.
func comesTo(s *diagnose.StopForecast) string {
	if s == nil {
		return ""
	}
	if ends := s.ContainerEnds; ends != nil && *ends && s.AfterSeconds != nil {
		return ", ends after " + seconds(*s.AfterSeconds)
	}
	return ", " + commandWords(s.Command)
}

// commandWords says how a docker command ends that did not do its work.
func commandWords(c diagnose.Command) string {
	switch {
	case !c.Returns:
		return "never returns"
	case c.ExitStatus != nil && *c.ExitStatus == 0:
		return "false success" + after(c.AfterSeconds)
	}
	return "error" + after(c.AfterSeconds)
}

func after(s *float64) string {
	if s == nil {
		return ""
	}
	return " after " + seconds(*s)
}

func lastRun(c diagnose.Container) string {
	switch {
	case c.Status == "":
		return ""
	case c.ExitCode != nil:
		return " (" + c.Status + " " + strconv.Itoa(*c.ExitCode) + ")"
	}
	return " (" + c.Status + ")"
}

// seconds is a duration with at most one decimal: "0.3 s", "10 s".
func seconds(s float64) string {
	return strconv.FormatFloat(math.Round(s*10)/10, 'f', -1, 64) + " s"
}

// endWords is what docker kill or docker rm -f comes to; done is the word for a
// good end.
func endWords(f *diagnose.EndForecast, done string) string {
	switch f.Outcome {
	case "dies":
		if s := f.Command.AfterSeconds; s != nil && *s >= 1 {
			return done + " after " + seconds(*s)
		}
		if done == "dies" {
			return "dies at once"
		}
		return done
	case "unknown", "":
		return "cannot tell"
	}
	if f.Command.Returns && f.Command.ExitStatus == nil && f.Command.AfterSeconds == nil {
		return f.Outcome // no command, or not known how it ends
	}
	return f.Outcome + ", " + commandWords(f.Command)
}

// plural is "1 process", "2 processes".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// orElse is s, or other where there is none.
func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
