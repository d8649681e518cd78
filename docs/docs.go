// Package docs carries the pages that `whystuck explain` prints, so that they
// are at hand on a host without a network: one page for each rule code and the
// guides. It is not for the pages about the program itself (design.md,
// snapshot.md), which are for those who have the source.
package docs

import (
	"embed"
	"maps"
	"slices"
	"strings"
)

//go:embed rules/*.md runbooks/*.md guides/*.md
var files embed.FS

// guides are the pages that have a name and not a code.
var guides = map[string]string{"entrypoint": "guides/entrypoints.md", "podman": "guides/podman.md", "rootless": "guides/rootless.md"}

// Page returns the Markdown of a rule ("WS104"), a runbook ("slow-stop") or a
// guide ("entrypoint", "podman", "rootless"); false if there is none. Codes are in capitals, the others
// in small letters.
func Page(code string) (string, bool) {
	if strings.ContainsAny(code, `/\.`) {
		return "", false // nothing but a plain name is a page
	}
	for _, name := range []string{guides[code], "rules/" + code + ".md", "runbooks/" + code + ".md"} {
		if text, err := files.ReadFile(name); err == nil {
			return string(text), true
		}
	}
	return "", false
}

// Codes lists what Page knows: the rule codes in order, then the runbooks, then the
// guides.
func Codes() []string {
	out := append(folder("rules"), folder("runbooks")...)
	return append(out, slices.Sorted(maps.Keys(guides))...)
}

// folder lists the pages of one folder, in order.
func folder(name string) []string {
	entries, _ := files.ReadDir(name) // the folder is part of the program
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".md"))
	}
	return out
}

// Title is the first heading of a page without the code: "shell entrypoint does
// not pass the signal on"; "" if there is no such page.
func Title(code string) string {
	page, _ := Page(code)
	first, _, _ := strings.Cut(page, "\n")
	first = strings.TrimPrefix(first, "# ")
	return strings.TrimPrefix(first, code+" ")
}
