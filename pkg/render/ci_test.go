package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// ciFormats are the formats for CI systems.
var ciFormats = map[string]printer{"junit": JUnit, "sarif": SARIF, "github": GitHub, "markdown": Markdown}

// wicked is what a container may call itself, for formats that have a syntax.
const wicked = "]]>\x00\x1b[2J<script>alert(1)</script>&amp;\r\n::error::pwned%0A::set-output name=x::y|`” ``` | @everyone #1 [a](javascript:x) \u202e --> {{7*7}} https://evil.example"

// located is an image that was read with its Dockerfile beside it.
func located() diagnose.Container {
	return diagnose.Container{
		Target: "shop:1.2", Kind: "image", Name: "shop:1.2", Image: "shop:1.2", Verdict: diagnose.NotRunning, Confidence: diagnose.Likely, Layer: diagnose.LayerImage,
		Headline: "entry.sh is PID 1, drops SIGTERM and does not pass it on to server",
		Findings: []diagnose.Finding{
			{Code: "WS505", Title: "the entrypoint script starts the program without exec", Severity: "error", Confidence: diagnose.Likely,
				Summary: "entry.sh is PID 1, drops SIGTERM and does not pass it on to server", Location: &diagnose.Location{File: "./build dir/Dockerfile", Line: 12},
				Evidence: []diagnose.Evidence{{Source: "image:/entry.sh", Field: "line 3", Value: "server", Says: "no exec: the shell waits for it"}},
				Fixes:    []diagnose.Fix{{When: "image", Text: "let the script become the program", Patch: "exec server"}}},
			{Code: "WS509", Title: "a stop signal that the program does not know", Severity: "warning", Confidence: diagnose.Assumed, Summary: "server is not known to take SIGQUIT",
				Location: &diagnose.Location{File: "Dockerfile", Line: 1}, Ignored: ptr("the program takes it, see its manual")},
			{Code: "WS510", Title: "an init is part of the image", Severity: "info", Summary: "tini takes SIGTERM and passes it on"},
		},
	}
}

func observedStop() diagnose.Container {
	c := killedShell()
	c.Name, c.Kind = "shop:1.3", "image"
	c.Observed = &diagnose.Observed{Outcome: "killed", ExitCode: ptr(137), AfterSeconds: ptr(10.04)}
	c.Agreed = ptr(true)
	return c
}

// ciReports are what is printed in all formats.
func ciReports() map[string]diagnose.Report {
	withErrors := report(stops(), unknown(), notRunning())
	withErrors.Errors = []diagnose.TargetError{{Target: "wbe", Message: "no such container: wbe", ExitCode: 2}}
	return map[string]diagnose.Report{
		"killed": report(killedShell()), "image": report(located(), observedStop()), "several": several(), "errors": withErrors,
		"empty": {Schema: 1}, "hostile": report(hostile()), "wicked": filled(wicked), "null": filled("\x00"), "nothing": filled(""),
	}
}

func TestCIGolden(t *testing.T) {
	for format, print := range ciFormats {
		for _, name := range []string{"image", "errors", "hostile"} {
			t.Run(name+"."+format, func(t *testing.T) {
				golden(t, "ci-"+name+"."+format, printed(t, print, ciReports()[name], Options{}))
			})
		}
	}
}

func TestStaticGolden(t *testing.T) {
	fine := located()
	fine.Name, fine.Findings, fine.Headline = "api:2.0", nil, "server is PID 1 and gets SIGTERM; nothing found that stands in its way"
	doubtful := located()
	doubtful.Name, doubtful.Findings = "jobs:7", doubtful.Findings[1:2]
	doubtful.Findings[0].Ignored, doubtful.Headline = nil, doubtful.Findings[0].Summary
	golden(t, "static-several.txt", printed(t, Static, report(fine, doubtful, located()), Options{Width: 90}))
	golden(t, "static-one.txt", printed(t, Static, report(located()), Options{Width: 90}))
}

// needXMLLint skips loudly where there is no xmllint, and fails where it is
// required.
func needXMLLint(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("WHYSTUCK_REQUIRE"), ","), "xmllint") {
		t.Fatal("WHYSTUCK_REQUIRE names xmllint (libxml2-utils), and it is not here")
	}
	t.Skip("SKIPPED: needs xmllint (libxml2-utils)")
}

// TestJUnitSchema asks xmllint, which knows nothing of us.
func TestJUnitSchema(t *testing.T) {
	needXMLLint(t)
	schemas := []string{"testdata/schemas/junit.xsd"}
	if other := os.Getenv("WHYSTUCK_JUNIT_SCHEMA"); other != "" {
		schemas = append(schemas, other)
	}
	for name, r := range ciReports() {
		if len(r.Containers) == 0 && len(r.Errors) == 0 {
			continue // no suite at all
		}
		for _, schema := range schemas {
			cmd := exec.CommandContext(t.Context(), "xmllint", "--nonet", "--noout", "--schema", schema, "-")
			cmd.Stdin = bytes.NewReader(printed(t, JUnit, r, Options{}))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s against %s: %v\n%s", name, schema, err, out)
			}
		}
	}
}

// TestJUnitSchemaRefuses: the schema that says yes to everything proves nothing.
func TestJUnitSchemaRefuses(t *testing.T) {
	needXMLLint(t)
	good := string(printed(t, JUnit, report(killedShell()), Options{}))
	for _, edit := range [][2]string{{`classname="web"`, ``}, {`time="0.000"`, `time="soon"`}, {`tests="`, `tests="many`}, {`<failure`, `<fail`}} {
		bad := strings.ReplaceAll(strings.ReplaceAll(good, edit[0], edit[1]), "</failure>", "</"+strings.TrimPrefix(edit[1]+">", "<"))
		if edit[0] != "<failure" {
			bad = strings.ReplaceAll(good, edit[0], edit[1])
		}
		cmd := exec.CommandContext(t.Context(), "xmllint", "--nonet", "--noout", "--schema", "testdata/schemas/junit.xsd", "-")
		cmd.Stdin = strings.NewReader(bad)
		if cmd.Run() == nil {
			t.Errorf("the schema takes %s in the place of %s", edit[1], edit[0])
		}
	}
}

// TestJUnitCounts: the totals are those of the cases, and a target that passes
// has no failure.
func TestJUnitCounts(t *testing.T) {
	for name, r := range ciReports() {
		var doc struct {
			Suites []struct {
				Name     string `xml:"name,attr"`
				Tests    int    `xml:"tests,attr"`
				Failures int    `xml:"failures,attr"`
				Cases    []struct {
					Failure *struct{} `xml:"failure"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		if err := xml.Unmarshal(printed(t, JUnit, r, Options{}), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, s := range doc.Suites {
			failures := 0
			for _, c := range s.Cases {
				if c.Failure != nil {
					failures++
				}
			}
			if len(s.Cases) != s.Tests || failures != s.Failures {
				t.Errorf("%s: suite %s says %d tests, %d failures; it has %d, %d", name, s.Name, s.Tests, s.Failures, len(s.Cases), failures)
			}
			if i < len(r.Containers) && stopsCleanly(r.Containers[i]) && failures > 0 {
				t.Errorf("%s: %s passes and has failures", name, s.Name)
			}
		}
	}
}

func TestSARIFSchema(t *testing.T) {
	schemas := []string{"testdata/schemas/sarif.json"}
	if other := os.Getenv("WHYSTUCK_SARIF_SCHEMA"); other != "" {
		schemas = append(schemas, other)
	}
	for _, file := range schemas {
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		schema, err := compiler.Compile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range ciReports() {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed(t, SARIF, r, Options{})))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Errorf("%s against %s: %v", name, file, err)
			}
		}
	}
}

// TestSARIF: results point at their rules, and files are relative references.
func TestSARIF(t *testing.T) {
	var doc struct {
		Runs []struct {
			Tool struct {
				Driver struct {
					Rules []struct {
						ID, HelpURI string
						Help        struct{ Markdown string }
					}
				}
			}
			Results []struct {
				RuleID       string
				RuleIndex    int
				Suppressions []struct{ Justification string }
				Locations    []struct {
					PhysicalLocation *struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
					LogicalLocations []struct{ FullyQualifiedName string }
				}
			}
		}
	}
	if err := json.Unmarshal(printed(t, SARIF, ciReports()["image"], Options{}), &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Runs[0]
	if len(run.Results) != 4 {
		t.Fatalf("%d results, want 4", len(run.Results))
	}
	for _, r := range run.Results {
		rule := run.Tool.Driver.Rules[r.RuleIndex]
		if rule.ID != r.RuleID || !strings.HasSuffix(rule.HelpURI, "/docs/rules/"+r.RuleID+".md") || !strings.HasPrefix(rule.Help.Markdown, "# "+r.RuleID) {
			t.Errorf("result %s has the rule %+v", r.RuleID, rule)
		}
	}
	first := run.Results[0].Locations[0]
	if first.PhysicalLocation.ArtifactLocation.URI != "build%20dir/Dockerfile" || first.PhysicalLocation.Region.StartLine != 12 {
		t.Errorf("location %+v", first.PhysicalLocation)
	}
	if got := run.Results[1].Suppressions; len(got) != 1 || !strings.Contains(got[0].Justification, "manual") {
		t.Errorf("what is ignored is not suppressed: %+v", got)
	}
	if last := run.Results[3].Locations[0]; last.PhysicalLocation != nil || last.LogicalLocations[0].FullyQualifiedName != "image/shop:1.3" {
		t.Errorf("a finding without a file: %+v", last)
	}
}

// TestGitHub: every line is one command, and what is in it cannot begin another.
func TestGitHub(t *testing.T) {
	command := regexp.MustCompile(`^::(error|warning|notice) ((file=[^:,\r\n]*,line=\d+,)?title=[^:,\r\n]*)::([^\r\n]*)$`)
	stray := regexp.MustCompile(`%(25|0D|0A|3A|2C)?`)
	for name, r := range ciReports() {
		for _, line := range strings.Split(strings.TrimSuffix(string(printed(t, GitHub, r, Options{})), "\n"), "\n") {
			if line == "" {
				continue
			}
			if !command.MatchString(line) {
				t.Errorf("%s: not a command: %q", name, line)
			}
			for _, m := range stray.FindAllString(line, -1) {
				if m == "%" {
					t.Errorf("%s: a bare %% in %q", name, line)
				}
			}
		}
	}
	out := string(printed(t, GitHub, ciReports()["image"], Options{}))
	if !strings.HasPrefix(out, "::error file=./build dir/Dockerfile,line=12,title=shop%3A1.2%3A WS505 ") || strings.Contains(out, "WS509") {
		t.Errorf("annotations:\n%s", out)
	}
}

// TestMarkdown: outside of code there is no markup but ours.
func TestMarkdown(t *testing.T) {
	out := string(printed(t, Markdown, ciReports()["wicked"], Options{}))
	outside := regexp.MustCompile("(?s)(`{3,})text\n.*?\n`+\n").ReplaceAllString(out, "")
	for _, bad := range []string{"<script", "@everyone", "](javascript", "{{7*7}}", "https://evil", "-->"} {
		if strings.Contains(outside, bad) {
			t.Errorf("%q stands outside of code:\n%s", bad, outside)
		}
	}
	for _, line := range strings.Split(outside, "\n") {
		if strings.HasPrefix(line, "| ") && strings.Count(line, "|") != 5 {
			t.Errorf("a row of another number of cells: %q", line)
		}
	}
}
