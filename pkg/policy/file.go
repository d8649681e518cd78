package policy

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// words of --fail-on.
var failWords = []string{"abrupt", "killed", "stuck", "unknown", "assumed"}

// Parse reads a policy file. It is strict: an unknown or doubled key, a value of
// the wrong kind and an unknown code are errors with the line, since a word that
// is passed over in silence would be a check that does not happen.
func Parse(name, text string) (*File, error) {
	var doc, more yaml.Node
	documents := yaml.NewDecoder(strings.NewReader(text))
	if err := documents.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	f := &File{}
	if len(doc.Content) == 0 {
		return f, nil
	}
	r := &reader{name: name}
	switch err := documents.Decode(&more); {
	case err == nil:
		r.fail(&more, "a second document: want one")
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	r.keys(doc.Content[0], func(key string, value *yaml.Node) bool {
		if key == "images" || key == "containers" {
			r.named(f, value)
			return true
		}
		return r.setting(&f.Policy, key, value)
	})
	return f, errors.Join(r.errs...)
}

// reader gathers errors, so that a file is put right in one go.
type reader struct {
	name string
	errs []error
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	if len(r.errs) < 10 {
		r.errs = append(r.errs, fmt.Errorf("%s:%d: %s", r.name, n.Line, fmt.Sprintf(format, args...)))
	}
}

// keys walks a mapping; take reports whether it knows the key.
func (r *reader) keys(n *yaml.Node, take func(key string, value *yaml.Node) bool) {
	if n.Kind == yaml.AliasNode {
		r.fail(n, "aliases are not taken here")
		return
	}
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			r.fail(n, "want a mapping of keys and values")
		}
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case seen[key.Value]:
			r.fail(key, "%q is set twice", key.Value)
		case !take(key.Value, n.Content[i+1]):
			r.fail(key, "unknown key %q: want fail-on, max-stop-seconds, allow-exit-codes, ignore, images", key.Value)
		}
		seen[key.Value] = true
	}
}

// named reads the settings by pattern.
func (r *reader) named(f *File, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "want a mapping of image names or patterns")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		pattern := n.Content[i].Value
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			r.fail(n.Content[i], "%q is no pattern", pattern)
			continue
		}
		if slices.ContainsFunc(f.Named, func(o Named) bool { return o.Pattern == pattern }) {
			r.fail(n.Content[i], "%q is set twice", pattern)
		}
		one := Named{Pattern: pattern}
		r.keys(n.Content[i+1], func(key string, value *yaml.Node) bool { return r.setting(&one.Policy, key, value) })
		f.Named = append(f.Named, one)
	}
}

// setting reads one key; false for one that is not known.
func (r *reader) setting(p *Policy, key string, n *yaml.Node) bool {
	switch key {
	case "fail-on":
		p.FailOn = []string{}
		for _, item := range r.items(n) {
			if !slices.Contains(failWords, item.Value) {
				r.fail(item, "fail-on %q: want %s", item.Value, strings.Join(failWords, ", "))
			}
			p.FailOn = append(p.FailOn, item.Value)
		}
	case "max-stop-seconds":
		v, err := strconv.ParseFloat(n.Value, 64)
		if n.Kind != yaml.ScalarNode || err != nil || !(v >= 0 && v < 1e9) {
			r.fail(n, "max-stop-seconds %q: want a number of seconds", n.Value)
			break
		}
		p.MaxStopSeconds = &v
	case "allow-exit-codes":
		p.AllowExitCodes = []int{}
		for _, item := range r.items(n) {
			v, err := strconv.Atoi(item.Value)
			if err != nil || v < 0 || v > 255 {
				r.fail(item, "allow-exit-codes %q: want numbers from 0 to 255", item.Value)
				continue
			}
			p.AllowExitCodes = append(p.AllowExitCodes, v)
		}
	case "ignore":
		p.Ignore = map[string]string{}
		r.ignored(p, n)
	default:
		return false
	}
	return true
}

// items are those of a list, or a single value.
func (r *reader) items(n *yaml.Node) []*yaml.Node {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var out []*yaml.Node
	for _, item := range list {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			r.fail(item, "want a list of plain values")
			continue
		}
		out = append(out, item)
	}
	return out
}

// ignored reads a mapping of codes to reasons, or a list of codes.
func (r *reader) ignored(p *Policy, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		for _, item := range r.items(n) {
			r.ignore(p, item, item.Value)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i+1].Kind != yaml.ScalarNode {
			r.fail(n.Content[i+1], "want the reason as a text")
			continue
		}
		r.ignore(p, n.Content[i], n.Content[i].Value+"="+n.Content[i+1].Value)
	}
}

func (r *reader) ignore(p *Policy, n *yaml.Node, word string) {
	name, reason, err := ParseIgnore(word)
	if err != nil {
		r.fail(n, "ignore: %v", err)
		return
	}
	if _, twice := p.Ignore[name]; twice {
		r.fail(n, "ignore: %s is set twice", name)
	}
	p.Ignore[name] = reason
}
