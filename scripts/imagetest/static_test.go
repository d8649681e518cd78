package imagetest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// readable are the images whose fault can be read without running them.
var readable = map[string]string{
	"bad-shell": "WS504", "bad-noexec": "WS505", "bad-trap": "WS506", "bad-deaf": "WS517", "bad-sigkill": "WS503", "bad-absent": "WS516", "bad-abrupt": "WS504",
}

// static reads every image: none that stops well is called an error, and those
// whose fault stands in the image are found. The reports hold before programs
// that know nothing of us.
func (l *lab) static(t *testing.T, all []picture) {
	names := []string{"--static", "--json"}
	for _, p := range all {
		names = append(names, p.name)
	}
	dir := t.TempDir()
	xml, sarif := filepath.Join(dir, "out.xml"), filepath.Join(dir, "out.sarif")
	a := l.whystuck(t, append(names, "--report", "junit="+xml, "--report", "sarif="+sarif)...)
	var r diagnose.Report
	if err := json.Unmarshal([]byte(a.stdout), &r); err != nil || len(r.Containers) != len(all) || len(r.Errors) > 0 || a.code != 1 {
		t.Fatalf("%d of %d images, %v, exit code %d\n%s", len(r.Containers), len(all), err, a.code, a.stderr)
	}
	for i, p := range all {
		c := r.Containers[i]
		bad := slices.ContainsFunc(c.Findings, func(f diagnose.Finding) bool { return f.Severity == diagnose.SeverityError })
		switch want := readable[p.name]; {
		case p.good() && bad:
			t.Errorf("%s stops well, and is called an error: %v", p.name, codes(c))
		case want != "" && !slices.Contains(codes(c), want):
			t.Errorf("%s: no %s in %v; %s", p.name, want, codes(c), c.Headline)
		}
	}
	check(t, xml, "xmllint", "--nonet", "--noout", "--schema", "../../pkg/render/testdata/schemas/junit.xsd", xml)
	check(t, sarif, "jq", "-e", `.version == "2.1.0" and (.runs[0].results | length > 5) and (.runs[0] as $run | all($run.results[]; $run.tool.driver.rules[.ruleIndex].id == .ruleId))`, sarif)
}

// policy asks more of real stops than that they end.
func (l *lab) policy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "policy.yaml")
	const text = "allow-exit-codes: [0, 143]\nimages:\n  bad-shell:\n    allow-exit-codes: [137]\n    ignore:\n      WS104: known\n      WS504: known\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		code  int
		unmet bool
		args  []string
	}{
		{"allowed code", 0, false, []string{"--policy", file, "good-exec"}},
		{"another code", 1, true, []string{"--policy", file, "--allow-exit-codes", "0", "good-exec"}},
		{"quick enough", 0, false, []string{"--max-stop-seconds", "5", "good-slow", "--stop-timeout", "8"}},
		{"too slow", 1, true, []string{"--max-stop-seconds", "0.5", "good-slow", "--stop-timeout", "8"}},
		{"ignored", 0, false, []string{"--policy", file, "--stop-timeout", "2", "bad-shell"}},
		{"not ignored", 1, false, []string{"--stop-timeout", "2", "--ignore", "WS101", "bad-shell"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			xml := filepath.Join(dir, tt.name+".xml")
			c, a := l.one(t, append([]string{"--report", "junit=" + xml}, tt.args...)...)
			if unmet := slices.Contains(codes(c), "WS519"); a.code != tt.code || unmet != tt.unmet {
				t.Errorf("exit code %d, WS519 %v; want %d, %v: %s %v", a.code, unmet, tt.code, tt.unmet, c.Headline, codes(c))
			}
			check(t, xml, "xmllint", "--nonet", "--noout", "--schema", "../../pkg/render/testdata/schemas/junit.xsd", xml)
			text, err := os.ReadFile(xml)
			if failed := bytes.Contains(text, []byte("<failure")); err != nil || failed != (tt.code == 1) {
				t.Errorf("the junit report has a failure: %v, want %v\n%s", failed, tt.code == 1, text)
			}
		})
	}
}

// check runs a program over a file, where this machine has it.
func check(t *testing.T, file, program string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Logf("SKIPPED: no %s here", program)
		return
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(file)
		t.Errorf("%s: %v\n%s\n%.2000s", program, err, out.String(), text)
	}
}
