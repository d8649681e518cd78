// Package docs carries the pages that `whystuck explain` prints, so that they
// are at hand on a host without a network: one page for each rule code and the
// guides. It is not for the pages about the program itself (design.md,
// snapshot.md), which are for those who have the source.
package docs

import (
	"embed"
	"path"
	"sort"
	"strings"
)

//go:embed rules/*.md guides/*.md
var files embed.FS

// guides are the pages that have a name and not a code.
var guides = map[string]string{"entrypoint": "guides/entrypoints.md"}

// Page returns the Markdown of a rule ("WS104") or of a guide ("entrypoint");
// false if there is none. Codes are in capitals, guides in small letters.
func Page(code string) (string, bool) {
	name, ok := guides[code]
	if !ok {
		if strings.ContainsAny(code, `/\.`) {
			return "", false // nothing but a plain name is a page
		}
		name = "rules/" + code + ".md"
	}
	text, err := files.ReadFile(name)
	return string(text), err == nil
}

// Codes lists what Page knows: the rule codes in order, then the guides.
func Codes() []string {
	entries, err := files.ReadDir("rules")
	if err != nil {
		return nil // not possible: the folder is part of the program
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(path.Base(e.Name()), ".md"))
	}
	sort.Strings(out)
	var named []string
	for name := range guides {
		named = append(named, name)
	}
	sort.Strings(named)
	return append(out, named...)
}

// Title is the first heading of a page without the code: "shell entrypoint does
// not pass the signal on"; "" if there is no such page.
func Title(code string) string {
	page, _ := Page(code)
	first, _, _ := strings.Cut(page, "\n")
	first = strings.TrimPrefix(first, "# ")
	return strings.TrimPrefix(first, code+" ")
}
