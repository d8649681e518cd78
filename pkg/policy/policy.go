// Package policy says what a team demands of its images and containers: from which
// outcome on it fails, how long a stop may take, which exit codes are right, and
// which findings do not count, each with its reason. It decides over a report and
// changes nothing in the judgement itself.
//
// It is pure: the text of a policy file comes in as a string. It is not for exit
// codes (cli).
package policy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Policy is what is demanded. What is not set demands nothing beyond the verdict.
type Policy struct {
	// FailOn are words of --fail-on; nil: not set.
	FailOn []string
	// MaxStopSeconds is how long a stop may take; nil: as long as it does.
	MaxStopSeconds *float64
	// AllowExitCodes are those that a container may end with when it is stopped;
	// nil: any.
	AllowExitCodes []int
	// Ignore has the reason by code.
	Ignore map[string]string
}

// Over puts more over p: what is set there counts, and what is ignored in either
// is ignored.
func (p Policy) Over(more Policy) Policy {
	if more.FailOn != nil {
		p.FailOn = more.FailOn
	}
	if more.MaxStopSeconds != nil {
		p.MaxStopSeconds = more.MaxStopSeconds
	}
	if more.AllowExitCodes != nil {
		p.AllowExitCodes = more.AllowExitCodes
	}
	ignore := map[string]string{}
	for _, m := range []map[string]string{p.Ignore, more.Ignore} {
		for code, reason := range m {
			ignore[code] = reason
		}
	}
	p.Ignore = ignore
	return p
}

// Mark writes into each finding of c whether it is ignored, and adds a finding
// WS519 for each demand that is not met. It does not touch the original.
func (p Policy) Mark(c diagnose.Container) diagnose.Container {
	c.Findings = slices.Clone(c.Findings)
	c.Findings = append(c.Findings, p.unmet(&c)...)
	for i := range c.Findings {
		if reason, ok := p.Ignore[c.Findings[i].Code]; ok {
			c.Findings[i].Ignored = &reason
		}
	}
	return c
}

// Excused reports whether all that speaks against c is ignored: it has findings
// that are errors or warnings, and each of them is. What was seen to be stuck is
// never excused.
func Excused(c *diagnose.Container) bool {
	any := false
	for _, f := range c.Findings {
		if f.Severity == diagnose.SeverityInfo {
			continue
		}
		if f.Ignored == nil {
			return false
		}
		any = true
	}
	return any
}

// unmet are the demands that c does not meet, by what was seen, else by what is
// foretold.
func (p Policy) unmet(c *diagnose.Container) []diagnose.Finding {
	var out []diagnose.Finding
	for _, m := range measured(c) {
		if p.MaxStopSeconds != nil && m.after != nil && *m.after > *p.MaxStopSeconds {
			out = append(out, diagnose.Unmet(m.source, "after_seconds", number(*m.after),
				fmt.Sprintf("the stop takes %s s, and %s s are allowed", number(*m.after), number(*p.MaxStopSeconds))))
		}
		if p.AllowExitCodes != nil && m.code != nil && !slices.Contains(p.AllowExitCodes, *m.code) {
			out = append(out, diagnose.Unmet(m.source, "exit_code", strconv.Itoa(*m.code),
				fmt.Sprintf("it ends with exit code %d, and %s is allowed", *m.code, list(p.AllowExitCodes))))
		}
	}
	return out
}

// measure is how one stop went, or how it is foretold to go.
type measure struct {
	source string
	after  *float64
	code   *int
}

// measured has each run of an image: a demand holds for all of them, and the one
// that is shown need not be the slowest.
func measured(c *diagnose.Container) []measure {
	var out []measure
	for i := range c.Runs {
		if r := &c.Runs[i]; r.Observed != "" {
			out = append(out, measure{fmt.Sprintf("run %d as seen", i+1), r.AfterSeconds, r.ExitCode})
		}
	}
	switch {
	case len(out) > 0:
		return out
	case c.Observed != nil:
		return []measure{{"the stop as seen", c.Observed.AfterSeconds, c.Observed.ExitCode}}
	case c.Stop != nil:
		return []measure{{"the stop as foretold", c.Stop.AfterSeconds, c.Stop.ExitCode}}
	}
	return nil
}

func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}

func list(codes []int) string {
	words := make([]string, 0, len(codes))
	for _, c := range codes {
		words = append(words, strconv.Itoa(c))
	}
	return strings.Join(words, " or ")
}

var code = regexp.MustCompile(`^WS\d{3}$`)

// ParseIgnore reads WSnnn or WSnnn=reason.
func ParseIgnore(word string) (name, reason string, err error) {
	name, reason, _ = strings.Cut(word, "=")
	name = strings.ToUpper(strings.TrimSpace(name))
	if !code.MatchString(name) {
		return "", "", fmt.Errorf("%q is no code of a finding: want WSnnn or WSnnn=reason", name)
	}
	return name, strings.TrimSpace(reason), nil
}

// Named is a policy for images or containers whose name matches a pattern.
type Named struct {
	Pattern string
	Policy  Policy
}

// File is a policy file.
type File struct {
	Policy
	Named []Named
}

// For is what holds for a name: the file's own settings, and over them those of
// each pattern that matches, in the order of the file.
func (f *File) For(name string) Policy {
	p := f.Policy
	for _, n := range f.Named {
		if matches(n.Pattern, name) {
			p = p.Over(n.Policy)
		}
	}
	return p
}

// matches: a pattern without a tag is for every tag and digest of the image.
func matches(pattern, name string) bool {
	if ok, _ := path.Match(pattern, name); ok {
		return true
	}
	short, _, _ := strings.Cut(name, "@")
	if i := strings.LastIndexByte(short, ':'); i > strings.LastIndexByte(short, '/') {
		short = short[:i]
	}
	ok, _ := path.Match(pattern, short)
	return ok
}
