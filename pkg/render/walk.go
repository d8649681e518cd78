package render

import (
	"reflect"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// rebuild copies a value to any depth, with every string passed through text
// and, where fill is set, with empty slices for nil ones. Values with hidden
// fields (time.Time) are copied whole.
type rebuild struct {
	text func(string) string
	fill bool
	// keep are field names whose nil means "not known" and stays.
	keep map[string]bool
}

// clean is a copy of v in which every string has been escaped, exactly once.
func clean[T any](v T) T {
	return rebuild{text: Escape}.copy(reflect.ValueOf(v)).Interface().(T)
}

func (rb rebuild) copy(src reflect.Value) reflect.Value {
	dst := reflect.New(src.Type()).Elem()
	rb.into(dst, src)
	return dst
}

func (rb rebuild) into(dst, src reflect.Value) {
	switch src.Kind() {
	case reflect.String:
		dst.SetString(rb.text(src.String()))
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			rb.into(dst.Elem(), src.Elem())
		}
	case reflect.Slice:
		rb.slice(dst, src)
	case reflect.Map:
		rb.mapping(dst, src)
	case reflect.Struct:
		rb.fields(dst, src)
	default:
		dst.Set(src)
	}
}

func (rb rebuild) slice(dst, src reflect.Value) {
	if src.IsNil() && !rb.fill {
		return
	}
	dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
	for i := range src.Len() {
		rb.into(dst.Index(i), src.Index(i))
	}
}

func (rb rebuild) mapping(dst, src reflect.Value) {
	if src.IsNil() {
		return
	}
	dst.Set(reflect.MakeMapWithSize(src.Type(), src.Len()))
	for _, key := range src.MapKeys() {
		dst.SetMapIndex(rb.copy(key), rb.copy(src.MapIndex(key)))
	}
}

func (rb rebuild) fields(dst, src reflect.Value) {
	dst.Set(src) // hidden fields too
	for i := range src.NumField() {
		f := src.Type().Field(i)
		if !f.IsExported() || src.Field(i).Kind() == reflect.Slice && src.Field(i).IsNil() && rb.keep[f.Name] {
			continue
		}
		dst.Field(i).SetZero()
		rb.into(dst.Field(i), src.Field(i))
	}
}

// cleanReport is clean for a report, and takes out what must not be pasted: a
// command or patch in which something had to be escaped is not the one that was
// meant. The lines of a patch stay lines.
func cleanReport(r diagnose.Report) diagnose.Report {
	out := clean(r)
	cleanFixes(out.Host.Findings, r.Host.Findings)
	for i := range r.Containers {
		cleanFixes(out.Containers[i].Findings, r.Containers[i].Findings)
	}
	return out
}

// notShown stands for a command that cannot be printed safely.
const notShown = "command not shown: it would hold control characters"

func cleanFixes(out, in []diagnose.Finding) {
	for i := range in {
		for j, fix := range in[i].Fixes {
			o := &out[i].Fixes[j]
			patch := strings.Join(escapeLines(fix.Patch), "\n")
			if o.Command == fix.Command && patch == fix.Patch {
				o.Patch = patch
				continue
			}
			o.Command, o.Patch = "", ""
			o.Text = strings.TrimPrefix(o.Text+"; "+notShown, "; ")
		}
	}
}

func escapeLines(text string) []string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = Escape(lines[i])
	}
	return lines
}
