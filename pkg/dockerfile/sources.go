package dockerfile

import (
	"path"
	"slices"
	"strings"
)

// Inline is the text of a file of the image that stands in the Dockerfile.
func (i *Image) Inline(p string) (string, bool) {
	text, ok := i.inline[path.Clean(p)]
	return text, ok
}

// Sources are the paths in the build context that a file of the image may have
// been copied from, the likeliest first: whether a source is a directory is not in
// the Dockerfile. All are relative and stay inside of the context.
func (i *Image) Sources(p string) []string {
	p = path.Clean(p)
	var out []string
	add := func(source string) {
		source = path.Clean("/" + source)[1:] // nothing above the context
		if source != "" && !slices.Contains(out, source) {
			out = append(out, source)
		}
	}
	for k := len(i.copies) - 1; k >= 0; k-- {
		c := &i.copies[k]
		dir := path.Clean(c.target)
		for _, source := range c.sources {
			if p == dir && !strings.HasSuffix(c.target, "/") && !strings.ContainsAny(source, "*?[") {
				add(source)
			}
			if ok, _ := path.Match(path.Base(source), path.Base(p)); ok && path.Dir(p) == dir {
				add(path.Join(path.Dir(source), path.Base(p)))
			}
			if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(dir, "/")+"/"); ok && !strings.ContainsAny(source, "*?[") {
				add(path.Join(source, rest))
			}
		}
	}
	return out
}
