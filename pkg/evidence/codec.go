package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxSnapshotBytes bounds what Read takes in: a capture comes from a stranger's
// host, and an endless one must not take this host's memory.
const MaxSnapshotBytes = 256 << 20

// Errors that Read wraps, for callers that tell them apart.
var (
	// ErrForeign: the input is no whystuck capture.
	ErrForeign = errors.New("not a whystuck capture")
	// ErrNewer: the capture has a schema that this program does not know.
	ErrNewer = errors.New("written by a newer whystuck")
	// ErrDamaged: a capture that is cut short or edited by hand.
	ErrDamaged = errors.New("the capture is damaged")
	// ErrTooLarge: more than MaxSnapshotBytes.
	ErrTooLarge = errors.New("the capture is too large")
)

// Write writes s as one JSON document with a final newline. Argument lists keep
// their < > & as they are, so that a person can read them.
func Write(w io.Writer, s *Snapshot) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("writing the capture: %w", err)
	}
	if _, err := w.Write(HarmlessJSON(b.Bytes())); err != nil {
		return fmt.Errorf("writing the capture: %w", err)
	}
	return nil
}

// Read reads one snapshot and nothing after it. It is strict about what the
// input is (format, schema, size) and tolerant of fields it does not know: the
// schema number rises only when an old reader would misread.
func Read(r io.Reader) (*Snapshot, error) {
	return readBounded(r, MaxSnapshotBytes)
}

func readBounded(r io.Reader, limit int64) (*Snapshot, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the capture: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: over %d MiB", ErrTooLarge, limit>>20)
	}
	if err := checkHeader(data); err != nil {
		return nil, err
	}
	var s Snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, damaged(err)
	}
	return &s, nil
}

// header is looked at before the rest: in a newer schema the other fields may
// have other types, and the reader should hear "newer", not "field x".
type header struct {
	Format     string          `json:"format"`
	Schema     int             `json:"schema"`
	Containers json.RawMessage `json:"containers"` // of a report, given by mistake
}

func checkHeader(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%w: it is empty", ErrForeign)
	}
	var h header
	if err := json.Unmarshal(data, &h); err != nil {
		if !bytes.Contains(data[:min(len(data), 4096)], []byte(SnapshotFormat)) {
			return fmt.Errorf("%w: %s", ErrForeign, jsonTrouble(err))
		}
		return damaged(err)
	}
	switch {
	case h.Format == "" && h.Containers != nil:
		return fmt.Errorf("%w but a report (--json); give the output of `whystuck capture`", ErrForeign)
	case h.Format != SnapshotFormat:
		return fmt.Errorf("%w: no \"format\": %q in it", ErrForeign, SnapshotFormat)
	case h.Schema > SnapshotSchema:
		return fmt.Errorf("%w: snapshot schema %d, this program reads %d", ErrNewer, h.Schema, SnapshotSchema)
	case h.Schema < 1:
		return fmt.Errorf("%w: snapshot schema %d", ErrDamaged, h.Schema)
	}
	return nil
}

func damaged(err error) error { return fmt.Errorf("%w: %s", ErrDamaged, jsonTrouble(err)) }

// jsonTrouble says what encoding/json found, without its own wording for Go
// types and without quoting the (hostile) input.
func jsonTrouble(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
		return fmt.Sprintf("cut short after %d bytes", syntax.Offset)
	case errors.As(err, &syntax):
		return fmt.Sprintf("no JSON from byte %d on", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("field %.80q holds a %s", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return "holds a " + kind.Value
	}
	return "a value has the wrong form"
}
