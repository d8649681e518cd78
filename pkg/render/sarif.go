package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/docs"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

const (
	homepage = "https://github.com/whystuck/whystuck"
	// verdictRule is the rule id of results that no rule explains.
	verdictRule = "verdict"
)

// helpURI is a rule's page.
func helpURI(code string) string {
	if _, ok := docs.Page(code); !ok || code == verdictRule {
		return homepage + "/blob/main/docs/design.md"
	}
	return homepage + "/blob/main/docs/rules/" + code + ".md"
}

// SARIF writes the report as SARIF 2.1.0: a result for each finding, at the line
// of the user's file where that is known, else at the container as a logical
// location.
func SARIF(w io.Writer, r diagnose.Report, o Options) error {
	r = cleanReport(r)
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "whystuck", Version: r.Version, InformationURI: homepage, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{Successful: true, EndTime: r.ObservedAt.UTC().Format("2006-01-02T15:04:05Z")}},
		Results:     []sarifResult{},
	}
	for _, e := range r.Errors {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications,
			sarifNotification{sarifText{Text: orElse(strings.TrimPrefix(e.Target+": "+e.Message, ": "), "?")}, "error"})
	}
	run.addFindings(&r)
	run.addVerdicts(&r, o)
	text, err := json.MarshalIndent(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report as sarif: %w", err)
	}
	if _, err := w.Write(append(evidence.HarmlessJSON(text), '\n')); err != nil {
		return fmt.Errorf("writing the report as sarif: %w", err)
	}
	return nil
}

func (run *sarifRun) addFindings(r *diagnose.Report) {
	findingsOf(r, func(c *diagnose.Container, f *diagnose.Finding) {
		result := sarifResult{RuleID: orElse(f.Code, verdictRule), Level: sarifLevel(f.Severity), Message: sarifText{Text: plainFinding(f)}}
		result.RuleIndex = run.rule(result.RuleID, func() sarifRule { return ruleOf(f) })
		result.locate(c, f.Location)
		if f.Ignored != nil {
			result.Suppressions = []sarifSuppression{{"external", orElse(*f.Ignored, "no reason given")}}
		}
		run.Results = append(run.Results, result)
	})
}

// addVerdicts adds a result for each target that fails and has no finding to say
// why.
func (run *sarifRun) addVerdicts(r *diagnose.Report, o Options) {
	for i := range r.Containers {
		c := &r.Containers[i]
		if !o.failed(c) || explained(c) {
			continue
		}
		result := sarifResult{RuleID: verdictRule, Level: "error", Message: sarifText{Text: verdictLine(c)}}
		result.RuleIndex = run.rule(verdictRule, func() sarifRule {
			const text = "docker stop does not end the container as wanted"
			return sarifRule{ID: verdictRule, Name: "Verdict", Short: sarifText{Text: text}, Full: sarifText{Text: text}, HelpURI: helpURI(verdictRule), Default: sarifDefault{"error"}}
		})
		result.locate(c, nil)
		run.Results = append(run.Results, result)
	}
}

// rule is the index of a rule, which is described when it is first needed.
func (run *sarifRun) rule(id string, describe func() sarifRule) int {
	rules := &run.Tool.Driver.Rules
	if i := slices.IndexFunc(*rules, func(r sarifRule) bool { return r.ID == id }); i >= 0 {
		return i
	}
	*rules = append(*rules, describe())
	return len(*rules) - 1
}

// ruleOf describes a finding's rule, with its page as help.
func ruleOf(f *diagnose.Finding) sarifRule {
	title := orElse(f.Title, orElse(f.Code, "?"))
	rule := sarifRule{
		ID: orElse(f.Code, verdictRule), Name: pascal(title), Short: sarifText{Text: title}, Full: sarifText{Text: title}, HelpURI: helpURI(f.Code),
		Default:    sarifDefault{sarifLevel(diagnose.Severity(f.Code, f.Severity))},
		Properties: map[string]any{"tags": []string{"docker", "signals"}, "precision": precision(f.Confidence)},
	}
	if page, ok := docs.Page(f.Code); ok {
		rule.Help = &sarifText{Text: page, Markdown: page}
	}
	return rule
}

// pascal is a title as SARIF wants names: "ShellStaysInFront".
func pascal(title string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(title, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return orElse(b.String(), "Rule")
}

func precision(c diagnose.Confidence) string {
	switch c {
	case diagnose.Certain:
		return "very-high"
	case diagnose.Assumed:
		return "medium"
	}
	return "high"
}

func sarifLevel(severity string) string {
	switch severity {
	case diagnose.SeverityError, diagnose.SeverityWarning:
		return severity
	}
	return "note"
}

// locate says what a result is about. The fingerprint leaves the line out, so
// that a result stays the same when lines move.
func (r *sarifResult) locate(c *diagnose.Container, at *diagnose.Location) {
	r.Kind = "fail"
	name, kind := "engine", "engine"
	if c != nil {
		name, kind = targetName(c), orElse(c.Kind, "container")
	}
	place := sarifLocation{Logical: []sarifLogical{{name, kind + "/" + name, kind}}}
	file := ""
	if at != nil {
		file = fileURI(at.File)
		place.Physical = &sarifPhysical{}
		place.Physical.Artifact.URI, place.Physical.Region.StartLine = file, max(at.Line, 1)
	}
	r.Locations = []sarifLocation{place}
	sum := sha256.Sum256([]byte(r.RuleID + "\x00" + name + "\x00" + file))
	r.Fingerprints = map[string]string{"whystuck/v1": hex.EncodeToString(sum[:8])}
}

// fileURI is a relative path as a URI reference: what a viewer resolves against
// the repository.
func fileURI(path string) string {
	var b strings.Builder
	for _, c := range []byte(strings.TrimPrefix(path, "./")) {
		if strings.IndexByte("/-._~", c) >= 0 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
