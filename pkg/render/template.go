package render

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// ErrTemplate is wrapped by every error that the template itself is to blame
// for, so that the caller can tell bad usage from a failed write.
var ErrTemplate = errors.New("bad --format template")

// Template gives a writer that applies a Go template to each container, a line
// each, as docker's --format does: fields are those of diagnose.Container
// ({{.Name}} {{.Verdict}} {{.Stop.AfterSeconds}}), functions are docker's json,
// join, split, lower, upper, title and println. The word json alone is JSON.
// Values are escaped as on the screen.
func Template(text string) func(io.Writer, diagnose.Report, Options) error {
	if strings.TrimSpace(text) == "json" {
		return JSON
	}
	t, err := parseTemplate(text)
	return func(w io.Writer, r diagnose.Report, _ Options) error {
		if err != nil {
			return err
		}
		return runTemplate(w, t, cleanReport(r))
	}
}

// CheckTemplate says what is wrong with a template before anything is looked at:
// its grammar, and fields that no container has.
func CheckTemplate(text string) error {
	if strings.TrimSpace(text) == "json" {
		return nil
	}
	t, err := parseTemplate(text)
	if err != nil {
		return err
	}
	err = runTemplate(io.Discard, t, diagnose.Report{Containers: []diagnose.Container{sample()}})
	if err != nil && strings.Contains(err.Error(), "can't evaluate field") {
		return err
	}
	return nil // anything else may be right for the containers to come
}

// sample has everything that a container can have.
func sample() diagnose.Container {
	end := &diagnose.EndForecast{}
	return diagnose.Container{Stop: &diagnose.StopForecast{}, Kill: end, Rm: end, Signal: &diagnose.SignalForecast{},
		Findings: []diagnose.Finding{{Evidence: []diagnose.Evidence{{}}, Fixes: []diagnose.Fix{{}}}},
		History:  []diagnose.Event{{}}, Processes: []diagnose.Process{{Argv: []string{""}, Tasks: []diagnose.Task{{}}}}, Gaps: []diagnose.Gap{{}}}
}

func parseTemplate(text string) (*template.Template, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "table") {
		return nil, fmt.Errorf("%w: there is no table form; write the columns with \\t between them", ErrTemplate)
	}
	// docker's formatter takes \t and \n as typed in single quotes.
	text = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text)
	t, err := template.New("format").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrTemplate, templateTrouble(err))
	}
	return t, nil
}

func runTemplate(w io.Writer, t *template.Template, r diagnose.Report) error {
	for _, c := range r.Containers {
		var b strings.Builder
		if err := t.Execute(&b, c); err != nil {
			return fmt.Errorf("%w: %s", ErrTemplate, templateTrouble(err))
		}
		b.WriteByte('\n')
		if _, err := io.WriteString(w, b.String()); err != nil {
			return fmt.Errorf("writing the report by a template: %w", err)
		}
	}
	return nil
}

// templateTrouble takes text/template's own words and adds the way out of the
// commonest mistake: a container that is not running has no forecast.
func templateTrouble(err error) string {
	text := strings.TrimPrefix(err.Error(), "template: ")
	if strings.Contains(text, "nil pointer evaluating") {
		text += " (it is not known for every container: use {{with .Stop}}...{{end}})"
	}
	return Escape(text)
}

// functions are those of docker's templates (docker/cli templates.go).
var functions = template.FuncMap{
	"json":  jsonFunc,
	"join":  join,
	"split": strings.Split,
	"lower": func(v any) string { return strings.ToLower(fmt.Sprint(v)) },
	"upper": func(v any) string { return strings.ToUpper(fmt.Sprint(v)) },
	"title": title,
}

func jsonFunc(v any) (string, error) {
	text, err := toJSON(v, "")
	return string(text), err
}

// join takes a list of anything: argv is of strings, received_by of numbers.
func join(list any, sep string) (string, error) {
	v := reflect.ValueOf(list)
	if v.Kind() != reflect.Slice {
		return "", fmt.Errorf("join: want a list, not %T", list)
	}
	parts := make([]string, 0, v.Len())
	for i := range v.Len() {
		parts = append(parts, fmt.Sprint(v.Index(i).Interface()))
	}
	return strings.Join(parts, sep), nil
}

func title(v any) string {
	s := fmt.Sprint(v)
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
