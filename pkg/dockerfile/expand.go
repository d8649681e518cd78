package dockerfile

import (
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`\\\$|\$([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^{}]*))?\}`)

// expand puts variables in: $NAME, ${NAME}, ${NAME:-word}, ${NAME:+word}. One that
// has no value becomes nothing, as in the builders.
func (r *reading) expand(text string) string {
	if !strings.Contains(text, "$") {
		return text
	}
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == `\$` {
			return "$"
		}
		m := variable.FindStringSubmatch(found)
		value, set := r.args[m[1]+m[2]]
		set = set && (value != "" || !strings.HasPrefix(m[3], ":"))
		switch {
		case strings.HasSuffix(m[3], "-") && !set, strings.HasSuffix(m[3], "+") && set:
			return m[4]
		case strings.HasSuffix(m[3], "+"):
			return ""
		}
		return value
	})
}
