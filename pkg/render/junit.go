package render

import (
	"fmt"
	"io"
	"strconv"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// JUnit writes the report as JUnit XML: a suite for each target, in it one case
// for the answer as a whole and one for each rule that matched. A target that
// passes has no failure in it, whatever was found. What could not be judged is an
// error, what is ignored or not running is skipped.
func JUnit(w io.Writer, r diagnose.Report, o Options) error {
	r = cleanReport(r)
	all := junit.Testsuites{Name: "whystuck"}
	for i := range r.Containers {
		all.AddSuite(suiteOf(&r.Containers[i], len(all.Suites), &r, o))
	}
	if len(r.Errors) > 0 || len(r.Host.Findings) > 0 {
		all.AddSuite(suiteOfRest(&r, len(all.Suites)))
	}
	all.Skipped = 0 // known to some schemas for a suite alone; 0 leaves it out
	if _, err := io.WriteString(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"); err != nil {
		return fmt.Errorf("writing the report as junit: %w", err)
	}
	if err := all.WriteXML(w); err != nil {
		return fmt.Errorf("writing the report as junit: %w", err)
	}
	return nil
}

func suiteOf(c *diagnose.Container, id int, r *diagnose.Report, o Options) junit.Testsuite {
	s := junit.Testsuite{Name: targetName(c), ID: id, Time: "0.000", Timestamp: r.ObservedAt.UTC().Format("2006-01-02T15:04:05")}
	if c.Observed != nil && c.Observed.AfterSeconds != nil {
		s.Time = strconv.FormatFloat(*c.Observed.AfterSeconds, 'f', 3, 64)
	}
	s.AddProperty("verdict", string(c.Verdict))
	s.AddProperty("confidence", string(c.Confidence))
	if c.Image != "" {
		s.AddProperty("image", c.Image)
	}
	failed := o.failed(c)
	s.AddTestcase(answerCase(c, failed, s.Time))
	for i := range c.Findings {
		s.AddTestcase(findingCase(c, &c.Findings[i], failed))
	}
	return s
}

// answerCase is the target as a whole.
func answerCase(c *diagnose.Container, failed bool, time string) junit.Testcase {
	t := junit.Testcase{Name: "docker stop", Classname: targetName(c), Time: time}
	if c.Kind == imageKind && c.Stop == nil {
		t.Name = "image as read"
	}
	line := verdictLine(c)
	switch {
	case failed && c.Verdict == diagnose.Unknown && c.Observed == nil, c.Verdict == diagnose.Unknown && c.Observed == nil:
		t.Error = &junit.Result{Message: line, Type: string(c.Verdict), Data: line}
	case failed:
		t.Failure = &junit.Result{Message: line, Type: string(c.Verdict), Data: line}
	case c.Verdict == diagnose.NotRunning && c.Kind != imageKind:
		t.Skipped = &junit.Result{Message: line}
	default:
		t.SystemOut = &junit.Output{Data: line}
	}
	return t
}

// findingCase is one rule that matched.
func findingCase(c *diagnose.Container, f *diagnose.Finding, failed bool) junit.Testcase {
	t := junit.Testcase{Name: f.Code + " " + f.Title, Classname: targetName(c), Time: "0.000"}
	switch {
	case f.Ignored != nil:
		t.Skipped = &junit.Result{Message: "ignored: " + orElse(*f.Ignored, "no reason given")}
	case failed && f.Severity == diagnose.SeverityError:
		t.Failure = &junit.Result{Message: orElse(f.Summary, f.Title), Type: f.Code, Data: plainFinding(f)}
	default:
		t.SystemOut = &junit.Output{Data: f.Severity + ": " + plainFinding(f)}
	}
	return t
}

// suiteOfRest has what was named and could not be judged, and what is wrong with
// the engine as a whole.
func suiteOfRest(r *diagnose.Report, id int) junit.Testsuite {
	s := junit.Testsuite{Name: "whystuck", ID: id, Time: "0.000", Timestamp: r.ObservedAt.UTC().Format("2006-01-02T15:04:05")}
	for _, e := range r.Errors {
		s.AddTestcase(junit.Testcase{Name: orElse(e.Target, "whystuck"), Classname: "whystuck", Time: "0.000",
			Error: &junit.Result{Message: e.Message, Type: "exit code " + strconv.Itoa(e.ExitCode), Data: e.Message}})
	}
	for i := range r.Host.Findings {
		f := &r.Host.Findings[i]
		s.AddTestcase(junit.Testcase{Name: f.Code + " " + f.Title, Classname: "engine", Time: "0.000", SystemOut: &junit.Output{Data: f.Severity + ": " + plainFinding(f)}})
	}
	return s
}
