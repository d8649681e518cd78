package evidence

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable reports whether r shows as itself. unicode.IsPrint refuses all
// controls, formats (zero width, bidi), separators, private use and unassigned;
// four letters of Unicode are blank although they are letters.
func Printable(r rune) bool {
	switch r {
	case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800: // Hangul fillers, the empty Braille cell
		return false
	}
	return unicode.IsPrint(r)
}

// HarmlessJSON replaces every character of a JSON document that must not reach a
// terminal. In JSON such
// characters stand only inside strings, where an escape means the same;
// encoding/json has already dealt with bytes below 0x20 and with bad UTF-8.
func HarmlessJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == '\n' || Printable(r):
			out = append(out, text[i:i+size]...)
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}
