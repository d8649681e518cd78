package catalog

import "strings"

// Wording is how dockerd's error for a command that failed begins, in a range of
// versions. NAME and ID stand for the container's.
type Wording struct {
	Command  string // kill or rm
	Versions Range
	Begins   string
}

// Wordings are by source, tag by tag: moby daemon/kill.go and daemon/delete.go.
// Measured: 20.10.24, 28.5.2 and 29.7.2.
var Wordings = []Wording{
	{"kill", Range{"", "26.0.0"}, "Cannot kill container: NAME: "},
	{"kill", Range{"26.0.0", ""}, "cannot kill container: NAME: "},
	{"rm", Range{"", "25.0.0"}, "Could not kill running container ID, cannot remove - "},
	{"rm", Range{"25.0.0", "28.2.0"}, `cannot remove container "/NAME": could not kill: `},
	{"rm", Range{"28.2.0", ""}, `cannot remove container "NAME": could not kill container: `},
}

// ErrorBegins is the wording of a version; "" where the version is not known.
func ErrorBegins(command, version, name, id string) string {
	v, ok := parseVersion(version)
	if !ok {
		return ""
	}
	for _, w := range Wordings {
		if w.Command == command && w.Versions.has(v) {
			return strings.NewReplacer("NAME", name, "ID", id).Replace(w.Begins)
		}
	}
	return ""
}

// Since reports whether a version of the engine is that one or a later one; known
// is false where it cannot be read.
func Since(version, from string) (since, known bool) {
	v, known := parseVersion(version)
	return known && Range{From: from}.has(v), known
}
