package cli

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// failOn says from where on a verdict is exit code 1 (--fail-on).
type failOn struct {
	level   int  // the least bad verdict that fails: see badness
	unknown bool // "cannot tell" fails, instead of being code 3
	assumed bool // so does a verdict that rests on an assumption
	kill    bool // --kill asks about a signal, and only that counts
}

// Levels of badness. Refused and ghost are as bad as stuck: all three leave
// somebody waiting.
const (
	levelFine = iota
	levelAbrupt
	levelKilled
	levelStuck
)

const failOnWords = "abrupt, killed, stuck, unknown, assumed"

// parseFailOn reads the words of --fail-on. Several may be given: the threshold
// and the additions are apart.
func parseFailOn(words []string) (failOn, error) {
	f := failOn{level: levelAbrupt}
	for _, word := range words {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "abrupt":
			f.level = levelAbrupt
		case "killed":
			f.level = levelKilled
		case "stuck", "refused", "ghost":
			f.level = levelStuck
		case "unknown":
			f.unknown = true
		case "assumed":
			f.assumed = true
		default:
			return f, fmt.Errorf("--fail-on %q: want one of %s", word, failOnWords)
		}
	}
	return f, nil
}

// codeOfReport is the exit code of a whole report.
func (f failOn) codeOfReport(r diagnose.Report) int {
	code := exitClean
	for _, e := range r.Errors {
		code = worse(code, e.ExitCode)
	}
	for i := range r.Containers {
		code = worse(code, f.codeOfContainer(&r.Containers[i]))
	}
	return code
}

func (f failOn) codeOfContainer(c *diagnose.Container) int {
	switch level := badness(c); {
	case c.Signal != nil:
		return f.codeOfSignal(c.Signal)
	case f.kill && c.Verdict != diagnose.Unknown:
		return exitTrouble // not running: there is nobody to take it
	case level >= f.level:
		return exitTrouble
	case c.Verdict == diagnose.Unknown && !f.unknown:
		return exitUnknown
	case c.Verdict == diagnose.Unknown:
		return exitTrouble
	case f.assumed && c.Confidence == diagnose.Assumed && (c.Verdict != diagnose.NotRunning || c.Kind == evidence.KindImage):
		return exitTrouble
	}
	return exitClean
}

func badness(c *diagnose.Container) int {
	switch c.Verdict {
	case diagnose.Abrupt:
		return levelAbrupt
	case diagnose.Killed:
		return levelKilled
	case diagnose.Stuck, diagnose.Refused, diagnose.Ghost:
		return levelStuck
	case diagnose.NotRunning:
		// Removing or dead for ever: `docker rm` will not finish either.
		for _, finding := range c.Findings {
			if finding.Severity == diagnose.SeverityError && finding.Ignored == nil {
				return levelStuck
			}
		}
	}
	return levelFine
}

// codeOfSignal answers --kill: did somebody take the signal? SIGKILL and SIGSTOP
// cannot be taken; what they do is what was asked for.
func (f failOn) codeOfSignal(s *diagnose.SignalForecast) int {
	switch {
	case s.Outcome == "unknown" && !f.unknown:
		return exitUnknown
	case f.assumed && s.Confidence == diagnose.Assumed:
		return exitTrouble
	case s.Outcome == "handled":
		return exitClean
	case s.Outcome == "dies" && s.Signal == evidence.SignalName(evidence.SIGKILL):
		return exitClean
	case s.Outcome == "stops" && s.Signal == evidence.SignalName(evidence.SIGSTOP):
		return exitClean
	}
	return exitTrouble
}

// codeOfStop is the exit code of stops that were carried out: by what was seen, and
// 1 also for what lives on and for a deadline that was met.
func (f failOn) codeOfStop(r diagnose.Report) int {
	code := exitClean
	for _, e := range r.Errors {
		code = worse(code, e.ExitCode)
	}
	for i := range r.Containers {
		c := r.Containers[i]
		if o := c.Observed; o != nil {
			c.Verdict = diagnose.Verdict(o.Outcome)
			if o.Cut == "deadline" || o.Then == "restarted" || len(o.Survivors) > 0 && c.Verdict != diagnose.Unknown {
				code = worse(code, exitTrouble)
			}
		}
		code = worse(code, f.codeOfContainer(&c))
	}
	return code
}
