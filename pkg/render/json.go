package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// JSON writes the report as one JSON document with a final newline. Lists are
// never null, whatever the report left out; only argv, where null means that it
// could not be read. Width, colour and truncation do not apply.
func JSON(w io.Writer, r diagnose.Report, _ Options) error {
	text, err := toJSON(r, "  ")
	if err != nil {
		return fmt.Errorf("writing the report as json: %w", err)
	}
	if _, err := w.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing the report as json: %w", err)
	}
	return nil
}

// toJSON encodes any part of a report. < > & stay as they are for the reader;
// what could drive a terminal (bidi overrides, C1 controls) is written \uXXXX,
// which is the same string to a program.
func toJSON(v any, indent string) ([]byte, error) {
	filled := rebuild{text: func(s string) string { return s }, fill: true, keep: map[string]bool{"Argv": true}}
	if src := reflect.ValueOf(v); src.IsValid() {
		v = filled.copy(src).Interface()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return evidence.HarmlessJSON(bytes.TrimRight(b.Bytes(), "\n")), nil
}
