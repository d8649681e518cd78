package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func frame(stream byte, text string) string {
	head := []byte{stream, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[4:], uint32(len(text)))
	return string(head) + text
}

func TestLogText(t *testing.T) {
	both := frame(1, "one\ntw") + frame(2, "") + frame(2, "o\n") + frame(1, "three")
	for _, chunk := range []int{1, 3, 4096} {
		got, err := io.ReadAll(logText(io.MultiReader(&slow{both, chunk}), false))
		if err != nil || string(got) != "one\ntwo\nthree" {
			t.Errorf("in pieces of %d: %q, %v", chunk, got, err)
		}
	}
	if got, err := io.ReadAll(logText(strings.NewReader("as it is"), true)); err != nil || string(got) != "as it is" {
		t.Errorf("of a terminal: %q, %v", got, err)
	}
	for _, bad := range []string{"plain text that is no frame", "\x01\x00\x00\x00\xff\xff\xff\xff" + "x"} {
		if _, err := io.ReadAll(logText(strings.NewReader(bad), false)); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got, err := io.ReadAll(logText(strings.NewReader(both[:13]), false)); err != nil || string(got) != "one\nt" {
		t.Errorf("cut off: %q, %v", got, err)
	}
}

// slow gives n bytes at a time.
type slow struct {
	rest string
	n    int
}

func (s *slow) Read(p []byte) (int, error) {
	if s.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.n)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func TestLastLines(t *testing.T) {
	tests := []struct {
		text        string
		lines, room int
		want        []string
	}{
		{"", 3, 100, nil},
		{"a\nb\r\nc\nd", 3, 100, []string{"b", "c", "d"}},
		{"aaaa\nbbbb\ncccc\n", 9, 9, []string{"bbbb", "cccc"}},
		{strings.Repeat("x", 1000), 9, 10, []string{strings.Repeat("x", 10)}},
		{"bad \xff\xfe\n", 9, 100, []string{"bad \ufffd"}},
	}
	for _, tt := range tests {
		if got, err := lastLines(strings.NewReader(tt.text), tt.lines, tt.room); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%.20q: %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func FuzzLogText(f *testing.F) {
	f.Add([]byte(frame(1, "one\n") + frame(2, "two")))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, _ := lastLines(logText(bytes.NewReader(b), false), 5, 100)
		total := 0
		for _, l := range lines {
			total += len(l)
		}
		if len(lines) > 5 || total > 300 { // a byte that is no text becomes three
			t.Errorf("%d lines of %d bytes", len(lines), total)
		}
	})
}
