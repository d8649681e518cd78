package render

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", `sh -c "a\b"`, `sh -c "a\b"`},
		{"letters of any script", "Größe 网站 シェル עברית", "Größe 网站 シェル עברית"},
		{"emoji", "🚀", "🚀"},
		{"line breaks", "a\nb\r\tc", `a\nb\r\tc`},
		{"clear screen", "\x1b[2J", `\x1b[2J`},
		{"window title", "\x1b]0;x\x07", `\x1b]0;x\x07`},
		{"NUL and DEL", "\x00\x7f", `\x00\x7f`},
		{"C1 as a character", "\u009b31m\u0085", `\u009b31m\u0085`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`},
		{"bidi override", "\u202ecod.exe\u202c", `\u202ecod.exe\u202c`},
		{"bidi isolates and marks", "\u2066\u2069\u200e\u061c", `\u2066\u2069\u200e\u061c`},
		{"zero width", "a\u200bb\u200dc\ufeff\u2060", `a\u200bb\u200dc\ufeff\u2060`},
		{"soft hyphen, no-break space", "a\u00adb\u00a0", `a\u00adb\u00a0`},
		{"separators", "\u2028\u2029\u3000", `\u2028\u2029\u3000`},
		{"blank letters", "\u3164\u115f\u2800\uffa0", `\u3164\u115f\u2800\uffa0`},
		{"tags and private use", "\U000e0041\ue000", `\U000e0041\ue000`},
		{"bad UTF-8", "a\xff\xc3(", `a\xff\xc3(`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"the replacement character itself", "\ufffd", "\ufffd"},
		{"an accent", "e\u0301", "e\u0301"},
		{"an accent on nothing", "\u0301e", `\u0301e`},
		{"a tower of accents", "e\u0301\u0302\u0303\u0304", "e\u0301\u0302" + `\u0303` + "\u0304"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Escape(tt.in)
			if got != tt.want {
				t.Errorf("Escape(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if twice := Escape(got); twice != got {
				t.Errorf("escaped twice it is %q", twice)
			}
		})
	}
}

// unsafeRune finds what must never reach a terminal; it is written apart from
// Escape's own rule, and newlines are the caller's to allow.
func unsafeRune(s string, newlines bool) (rune, bool) {
	if !utf8.ValidString(s) {
		return utf8.RuneError, true
	}
	for _, r := range s {
		switch {
		case r == '\n' && newlines:
		case r < 0x20, r >= 0x7f && r < 0xa0,
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
			r == 0xfeff, r == 0xad, r == 0x61c, r >= 0xe0000 && r <= 0xe007f, unicode.Is(unicode.Cf, r):
			return r, true
		}
	}
	return 0, false
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{evil, "", "a\u0301\u0301\u0301", "\xe2\x80", `\x1b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if r, bad := unsafeRune(got, false); bad {
			t.Fatalf("Escape(%q) lets %U through", s, r)
		}
		if Escape(got) != got {
			t.Fatalf("Escape(%q) is not stable", s)
		}
		if n := textWidth(got); n < 0 || n > 10*len(s) {
			t.Fatalf("width of %q is %d", got, n)
		}
	})
}

func TestWidth(t *testing.T) {
	for in, want := range map[string]int{"": 0, "abc": 3, "シェル": 6, "网": 2, "e\u0301": 1, "🚀": 2, "…": 1, "├─": 2, "é": 1} {
		if got := textWidth(in); got != want {
			t.Errorf("textWidth(%q) = %d, want %d", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		in   string
		n    int
		want string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"abc  def", 6, "abc…"},
		{"シェル", 5, "シェ…"}, {"シェル", 4, "シ…"}, {"abc", 0, "…"}, {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
	}
	for _, tt := range tests {
		if got := cut(tt.in, tt.n); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		in   string
		n    int
		want string
	}{
		{"", 10, ""}, {"one two three", 8, "one two|three"}, {"abcdefghij", 4, "abcd|efgh|ij"},
		{"a abcdefgh b", 4, "a|abcd|efgh|b"}, {"シェルシェル", 5, "シェ|ルシ|ェル"}, {"シェ", 0, "シ|ェ"},
	}
	for _, tt := range tests {
		if got := strings.Join(wrap(tt.in, tt.n), "|"); got != tt.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}
