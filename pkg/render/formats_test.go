package render

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// filled has text in every string and one element in every list of a report.
func filled(text string) diagnose.Report {
	var r diagnose.Report
	fill(reflect.ValueOf(&r).Elem(), text)
	return r
}

func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), text)
		fill(v.Index(1), text)
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(text), e)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text)
			}
		}
	}
}

// FuzzHostileText: whatever a container says of itself, no format sends it to
// the terminal raw.
func FuzzHostileText(f *testing.F) {
	f.Add(evil, 80)
	f.Add("", 0)
	f.Add(strings.Repeat("\u202e", 300), 1)
	f.Add("a b\tc\x1b[31m", -5)
	f.Fuzz(func(t *testing.T, text string, width int) {
		text = text[:min(len(text), 400)] // it stands in some hundred places
		width = min(max(width, -10), 300)
		r := filled(text)
		r.Containers[1].Findings[0].Code = stopRunning
		one := r
		one.Containers = r.Containers[:1]
		for name, print := range map[string]printer{"text": Text, "static": Static, "junit": unindented(JUnit), "sarif": SARIF, "github": GitHub, "markdown": Markdown, "image": Image, "json": JSON, "template": Template("{{.Name}} {{json .}} {{.}}")} {
			for _, o := range []Options{{Width: width}, {Width: width, NoTrunc: true}} {
				for _, r := range []diagnose.Report{one, r} {
					out := string(printed(t, print, r, o))
					if c, bad := unsafeRune(out, true); bad {
						t.Fatalf("%s lets %U through:\n%q", name, c, out)
					}
				}
			}
		}
		var s evidence.Snapshot
		fill(reflect.ValueOf(&s).Elem(), text)
		var b strings.Builder
		if err := Signals(&b, &s, Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		if c, bad := unsafeRune(b.String(), true); bad {
			t.Fatalf("signals lets %U through:\n%q", c, b.String())
		}
	})
}

// unindented takes off the tabs that JUnit's lines begin with.
func unindented(f printer) printer {
	return func(w io.Writer, r diagnose.Report, o Options) error {
		var b strings.Builder
		if err := f(&b, r, o); err != nil {
			return err
		}
		for _, line := range strings.SplitAfter(b.String(), "\n") {
			if _, err := io.WriteString(w, strings.TrimLeft(line, "\t")); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestEscapeOnlyFromColour: with colour on, the only escapes are ours, and
// without them the text is the same.
func TestEscapeOnlyFromColour(t *testing.T) {
	for _, r := range []diagnose.Report{report(hostile()), several()} {
		plain := string(printed(t, Text, r, Options{Width: 80}))
		coloured := string(printed(t, Text, r, Options{Width: 80, Color: true}))
		if !strings.Contains(coloured, "\x1b[") {
			t.Fatal("no colour although it was asked for")
		}
		if got := stripColour(coloured); got != plain {
			t.Errorf("coloured and plain text differ:\n%s\n%s", got, plain)
		}
	}
}

func stripColour(s string) string {
	var b strings.Builder
	for _, part := range strings.SplitAfter(s, "\n") {
		for i, piece := range strings.Split(part, "\x1b[") {
			if i > 0 {
				_, piece, _ = strings.Cut(piece, "m")
			}
			b.WriteString(piece)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ") // padding before a colour ends
	}
	return strings.Join(lines, "\n")
}

// TestJSONHasNoNullLists reads the contract back: every list of an empty report
// and of one that left everything out is [], but argv.
func TestJSONHasNoNullLists(t *testing.T) {
	bare := diagnose.Report{Containers: []diagnose.Container{{
		Stop: &diagnose.StopForecast{}, Kill: &diagnose.EndForecast{}, Rm: &diagnose.EndForecast{}, Signal: &diagnose.SignalForecast{},
		Findings: []diagnose.Finding{{}}, Processes: []diagnose.Process{{}},
	}}}
	for _, r := range []diagnose.Report{{}, bare} {
		out := printed(t, JSON, r, Options{})
		if !utf8.Valid(out) || !strings.HasSuffix(string(out), "}\n") {
			t.Errorf("not a JSON document with a final newline: %q", out)
		}
		var tree any
		if err := json.Unmarshal(out, &tree); err != nil {
			t.Fatal(err)
		}
		nulls(t, tree, "")
	}
}

// nullable may be null: it means "not known".
var nullable = map[string]bool{"status": true, "freed": true,
	"argv": true, "exit_code": true, "after_seconds": true, "exit_status": true, "error": true,
	"container_ends": true, "wchan": true, "risk": true, "stop": true, "kill": true, "rm": true, "signal": true,
}

func nulls(t *testing.T, v any, name string) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		if !nullable[name] {
			t.Errorf("%s is null", name)
		}
	case []any:
		for _, e := range v {
			nulls(t, e, name)
		}
	case map[string]any:
		for k, e := range v {
			nulls(t, e, k)
		}
	}
}

// TestJSONKeepsTheText: what the escapes of JSON stand for is the text itself.
func TestJSONKeepsTheText(t *testing.T) {
	const text = "\u202e<&>\x1b\U000e0041シ\u0085"
	var back diagnose.Report
	if err := json.Unmarshal(printed(t, JSON, filled(text), Options{}), &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Containers[0].Headline; got != text {
		t.Errorf("headline came back as %q, want %q", got, text)
	}
}

// TestReportIsNotTouched: printing sorts, folds and escapes copies.
func TestReportIsNotTouched(t *testing.T) {
	r, want := several(), several()
	for _, print := range []printer{Text, JSON, Template("{{.Name}}")} {
		printed(t, print, r, Options{})
	}
	if !reflect.DeepEqual(r, want) {
		t.Error("the report was changed by printing it")
	}
}

func TestTemplate(t *testing.T) {
	c := withSignal(stops())
	tests := []struct{ template, want string }{
		{"{{.Name}} {{.Verdict}} {{.Stop.AfterSeconds}}", "proxy stops 0.1\n"},
		{"{{.Stop.ExitCode}} {{upper .Name}} {{lower .Image}} {{title .Verdict}}", "0 PROXY nginx:1.22 Stops\n"},
		{`{{join .Signal.ReceivedBy ","}} {{index (split .Image ":") 1}}`, "900,77 1.22\n"},
		{"{{json .Signal.ReceivedBy}}{{json .Kill.Steps}}{{json .Stop.Signal}}", `[900,77][]"SIGTERM"` + "\n"},
		{`{{range .Processes}}{{.NSPID}} {{end}}`, "1 20 21 22 23 24 25 26 27 28 29 30 31 \n"},
		{`{{println .Name}}`, "proxy\n\n"},
		{`a\tb\n{{.PID}}`, "a\tb\n900\n"},
		{`{{with .Missing}}x{{end}}`, "error: can't evaluate field Missing"},
		{`{{.Name`, "error: unclosed action"},
		{`{{frobnicate .Name}}`, `error: function "frobnicate" not defined`},
		{`table {{.Name}}`, "error: there is no table form"},
		{`{{join .Name ","}}`, "error: want a list"},
	}
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			var b strings.Builder
			err := Template(tt.template)(&b, report(c), Options{})
			want, isError := strings.CutPrefix(tt.want, "error: ")
			switch {
			case isError && (!errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), want)):
				t.Errorf("error %v, want ErrTemplate with %q", err, want)
			case !isError && (err != nil || b.String() != want):
				t.Errorf("%q, %v, want %q", b.String(), err, want)
			}
		})
	}
	if got := printed(t, Template(" json "), report(c), Options{}); string(got) != string(printed(t, JSON, report(c), Options{})) {
		t.Error("the template json is not JSON")
	}
}

func TestTemplateOnWhatIsNotKnown(t *testing.T) {
	err := Template("{{.Stop.Outcome}}")(io.Discard, report(notRunning()), Options{})
	if !errors.Is(err, ErrTemplate) || !strings.Contains(err.Error(), "{{with .Stop}}") {
		t.Errorf("error %v does not say the way out", err)
	}
}

func TestCheckTemplate(t *testing.T) {
	for text, good := range map[string]bool{
		"json": true, "{{.Name}}": true, "{{.Stop.Outcome}}": true, "{{(index .Processes 3).PID}}": true, "{{range .Findings}}{{.Code}}{{end}}": true,
		"{{.Nme}}": false, "{{.Name": false, "{{range .Findings}}{{.Nope}}{{end}}": false, "table {{.Name}}": false,
	} {
		if err := CheckTemplate(text); (err == nil) != good || err != nil && !errors.Is(err, ErrTemplate) {
			t.Errorf("CheckTemplate(%q) = %v", text, err)
		}
	}
}

type broken struct{ error }

func (b broken) Write([]byte) (int, error) { return 0, b.error }

func TestWriteErrorsAreReported(t *testing.T) {
	cause := errors.New("no space left")
	for name, print := range map[string]printer{"text": Text, "json": JSON, "template": Template("{{.Name}}")} {
		if err := print(broken{cause}, report(stops()), Options{}); !errors.Is(err, cause) || errors.Is(err, ErrTemplate) {
			t.Errorf("%s: error %v, want %v", name, err, cause)
		}
	}
	if err := Signals(broken{cause}, signalsSnapshot(), Options{}); !errors.Is(err, cause) {
		t.Errorf("signals: error %v", err)
	}
}

// TestPureImports: a renderer that reads files, the environment or a clock does
// not give the same bytes for the same report.
func TestPureImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source files", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			switch path := strings.Trim(imp.Path.Value, `"`); {
			case path == "os", path == "time", path == "net", path == "syscall", strings.HasPrefix(path, "os/"), strings.HasPrefix(path, "net/"):
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

// A note about the host takes one line; what needs a person has its evidence.
func TestHostNote(t *testing.T) {
	for severity, lines := range map[string]int{diagnose.SeverityInfo: 1, diagnose.SeverityWarning: 6} {
		r := diagnose.Report{Containers: []diagnose.Container{}, Host: diagnose.Host{Findings: []diagnose.Finding{{
			Code: "WS218", Title: "the host is slow, everything is late", Severity: severity, Summary: "for lack of processors",
			Evidence: []diagnose.Evidence{{Source: "/proc/loadavg", Field: "load", Value: "18 on 2 CPUs", Says: "tasks"}}}}}}
		var b strings.Builder
		if err := Text(&b, r, Options{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "\n"); n > lines || severity == diagnose.SeverityWarning && !strings.Contains(b.String(), "/proc/loadavg") {
			t.Errorf("%s: %d lines\n%s", severity, n, b.String())
		}
	}
}
