package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxMarks is how many combining marks may stand on one character. More of them
// are drawn over the lines above and below.
const maxMarks = 2

// Escape makes text that came out of a container safe to print: control bytes,
// escape sequences, C1 controls, line and paragraph separators, bidirectional
// overrides, everything invisible or unassigned, and bytes that are no UTF-8
// become visible (\n, \x1b, \u202e). Letters of any script stay.
//
// Escaping escaped text changes nothing: a backslash stays one backslash.
func Escape(s string) string {
	if plainASCII(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // a mark with no character before it would sit on ours
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
			marks = 0
		case isMark(r) && marks < maxMarks:
			b.WriteRune(r)
			marks++
		case isMark(r) || !evidence.Printable(r):
			b.WriteString(visible(r))
			marks = 0
		default:
			b.WriteRune(r)
			marks = 0
		}
		i += size
	}
	return b.String()
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func isMark(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Me) }

// visible is the Go spelling of one character that must not be printed.
func visible(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\t':
		return `\t`
	case '\r':
		return `\r`
	}
	switch {
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
