package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

func ptr[T any](v T) *T { return &v }

const example = `# what we demand
fail-on: [killed, unknown]
max-stop-seconds: 5
allow-exit-codes: [0, 143]
ignore:
  WS111: handlers are tested elsewhere
images:
  shop/*:
    max-stop-seconds: 30.5
    ignore: [WS509]
  legacy:1.0:
    fail-on: stuck
    ignore: {ws505: "rewritten in March"}
`

func TestParse(t *testing.T) {
	f, err := Parse(".whystuck.yaml", example)
	if err != nil {
		t.Fatal(err)
	}
	all := Policy{FailOn: []string{"killed", "unknown"}, MaxStopSeconds: ptr(5.0), AllowExitCodes: []int{0, 143}, Ignore: map[string]string{"WS111": "handlers are tested elsewhere"}}
	shop, legacy := all, all
	shop.MaxStopSeconds, shop.Ignore = ptr(30.5), map[string]string{"WS111": "handlers are tested elsewhere", "WS509": ""}
	legacy.FailOn, legacy.Ignore = []string{"stuck"}, map[string]string{"WS111": "handlers are tested elsewhere", "WS505": "rewritten in March"}
	for name, want := range map[string]Policy{"other:1": all, "shop/api:1.2": shop, "shop/api@sha256:00": shop, "legacy:1.0": legacy, "legacy:1.1": all, "x/shop/api": all} {
		if diff := cmp.Diff(want, f.For(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if f, err := Parse("x", "# nothing\n"); err != nil || f.For("a").FailOn != nil {
		t.Errorf("an empty file gives %+v, %v", f, err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"fail_on: killed":                        "p:1: unknown key",
		"fail-on: sometimes":                     `p:1: fail-on "sometimes"`,
		"\nmax-stop-seconds: soon":               "p:2: max-stop-seconds",
		"max-stop-seconds: -1":                   "p:1: max-stop-seconds",
		"max-stop-seconds: .nan":                 "p:1: max-stop-seconds",
		"allow-exit-codes: [0, 999]":             `p:1: allow-exit-codes "999"`,
		"allow-exit-codes: {a: b}":               "p:1: want a list",
		"ignore: [WS1]":                          "p:1: ignore",
		"ignore:\n  WS101: x\n  ws101: y":        "p:3: ignore: WS101 is set twice",
		"ignore:\n  WS101: [x]":                  "p:2: want the reason",
		"fail-on: killed\nfail-on: stuck":        "set twice",
		"images: [a]":                            "p:1: want a mapping",
		"images:\n  'a[':\n    ignore: [WS101]":  "p:2: ",
		"images:\n  a:\n    images: {}":          "p:3: unknown key",
		"- a":                                    "p:1: want a mapping",
		"a: [":                                   "p: line",
		"fail-on: killed\n---\nfail-on: stuck\n": "p:2: a second document",
		"fail-on: killed\n---\n]\n":              "p: line",
		"x: &a {}\nimages: *a":                   "p:",
	} {
		if _, err := Parse("p", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestMark(t *testing.T) {
	c := diagnose.Container{Name: "a", Observed: &diagnose.Observed{Outcome: "stops", AfterSeconds: ptr(6.2), ExitCode: ptr(1)},
		Stop:     &diagnose.StopForecast{AfterSeconds: ptr(0.1), ExitCode: ptr(0)},
		Findings: []diagnose.Finding{{Code: "WS111", Severity: "info"}, {Code: "WS505", Severity: "error"}}}
	p := Policy{MaxStopSeconds: ptr(5.0), AllowExitCodes: []int{0, 143}, Ignore: map[string]string{"WS505": "why"}}
	got := p.Mark(c)
	var words []string
	for _, f := range got.Findings {
		s := f.Code
		if f.Ignored != nil {
			s += " ignored: " + *f.Ignored
		}
		words = append(words, s)
	}
	if diff := cmp.Diff([]string{"WS111", "WS505 ignored: why", "WS519", "WS519"}, words); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got.Findings[2].Summary, "6.2 s, and 5 s are allowed") || !strings.Contains(got.Findings[3].Summary, "exit code 1, and 0 or 143 is allowed") {
		t.Errorf("%+v", got.Findings[2:])
	}
	if c.Findings[1].Ignored != nil || len(c.Findings) != 2 {
		t.Error("the original was changed")
	}
	if Excused(&got) {
		t.Error("excused although demands are not met")
	}
	c.Observed = nil // foretold: 0.1 s and 0
	if got := p.Mark(c); len(got.Findings) != 2 || !Excused(&got) {
		t.Errorf("%+v", got.Findings)
	}
	if c := (diagnose.Container{}); Excused(&c) {
		t.Error("one without findings has nothing to be excused")
	}
}

// TestMarkRuns: a demand holds for every run, not for the one that is shown.
func TestMarkRuns(t *testing.T) {
	c := diagnose.Container{Observed: &diagnose.Observed{Outcome: "stops", AfterSeconds: ptr(1.0), ExitCode: ptr(0)}, Runs: []diagnose.Run{
		{Observed: "stops", AfterSeconds: ptr(1.0), ExitCode: ptr(0)}, {Observed: "stops", AfterSeconds: ptr(9.5), ExitCode: ptr(0)},
		{ExitCode: ptr(7)}, {Observed: "stops", AfterSeconds: ptr(1.0), ExitCode: ptr(3)}}}
	var got []string
	for _, f := range (Policy{MaxStopSeconds: ptr(5.0), AllowExitCodes: []int{0}}).Mark(c).Findings {
		got = append(got, f.Evidence[0].Source+": "+f.Summary)
	}
	want := []string{"run 2 as seen: the stop takes 9.5 s, and 5 s are allowed", "run 4 as seen: it ends with exit code 3, and 0 is allowed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseIgnore(t *testing.T) {
	if name, reason, err := ParseIgnore("ws104=because = so"); name != "WS104" || reason != "because = so" || err != nil {
		t.Errorf("%q, %q, %v", name, reason, err)
	}
	for _, bad := range []string{"", "=x", "WS1", "WS1044", "104", "WS104 x"} {
		if _, _, err := ParseIgnore(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("a: &x [*x]")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse("p", text[:min(len(text), 4096)]); err == nil {
			p.For("shop/a:1")
		}
	})
}
