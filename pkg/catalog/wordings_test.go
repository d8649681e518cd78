package catalog

import "testing"

func TestErrorBegins(t *testing.T) {
	for _, c := range []struct{ command, version, want string }{
		{"kill", "20.10.24+dfsg1", "Cannot kill container: web: "},
		{"kill", "25.0.14", "Cannot kill container: web: "},
		{"kill", "26.0.0", "cannot kill container: web: "},
		{"rm", "24.0.9", "Could not kill running container 0123, cannot remove - "},
		{"rm", "28.1.1", `cannot remove container "/web": could not kill: `},
		{"rm", "28.2.0-rc.1", `cannot remove container "web": could not kill container: `},
		{"rm", "29.7.2", `cannot remove container "web": could not kill container: `},
		{"rm", "", ""},
		{"kill", "dev", ""},
		{"stop", "29.7.2", ""},
	} {
		if got := ErrorBegins(c.command, c.version, "web", "0123"); got != c.want {
			t.Errorf("%s, %q: %q, want %q", c.command, c.version, got, c.want)
		}
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct {
		version      string
		since, known bool
	}{{"23.0.9", false, true}, {"24.0.0", true, true}, {"29.7.2", true, true}, {"", false, false}, {"library-import", false, false}} {
		if since, known := Since(c.version, "24.0.0"); since != c.since || known != c.known {
			t.Errorf("%q: %v, %v", c.version, since, known)
		}
	}
}
