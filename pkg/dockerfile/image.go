package dockerfile

import (
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Image is what a Dockerfile says of one of its stages.
type Image struct {
	// Settings are the image's, as far as the file sets them.
	Settings evidence.Image
	copies   []placed
	inline   map[string]string
}

// placed is one COPY or ADD from the build context.
type placed struct {
	sources []string
	target  string // absolute; with a slash at its end it is surely a directory
}

// reading follows the instructions of a stage.
type reading struct {
	file   *File
	img    *Image
	shell  []string
	args   map[string]string
	cmdSet bool
	depth  int
}

// Image reads the stage with this name or number; "": the last. name is how the
// file is called in findings.
func (f *File) Image(name, target string) (*Image, error) {
	i, err := f.stage(target)
	if err != nil {
		return nil, err
	}
	img := &Image{inline: map[string]string{}}
	img.Settings = evidence.Image{Asked: name, Files: map[string]evidence.ImageFile{}, WorkingDir: "/",
		Dockerfile: &evidence.Dockerfile{Path: name, Lines: map[string]int{}, Alone: true}}
	r := &reading{file: f, img: img, args: map[string]string{}}
	for _, in := range f.Args {
		r.arg(in.Text)
	}
	r.follow(i)
	return img, nil
}

func (f *File) stage(target string) (int, error) {
	if target == "" {
		return len(f.Stages) - 1, nil
	}
	for i := range f.Stages {
		if strings.EqualFold(f.Stages[i].Name, target) {
			return i, nil
		}
	}
	if n, err := strconv.Atoi(target); err == nil && n >= 0 && n < len(f.Stages) {
		return n, nil
	}
	return 0, fmt.Errorf("no stage %q in it", target)
}

// follow reads a stage, after the stage that it is built on.
func (r *reading) follow(i int) {
	s := &r.file.Stages[i]
	global := maps.Clone(r.args)
	from := r.expand(s.From)
	base := -1
	for j := 0; j < i; j++ { // only an earlier stage can be meant
		if r.file.Stages[j].Name != "" && strings.EqualFold(r.file.Stages[j].Name, from) {
			base = j
		}
	}
	d := r.img.Settings.Dockerfile
	if base >= 0 && r.depth < len(r.file.Stages) {
		r.depth++
		r.follow(base)
	} else {
		d.Base, r.shell = from, []string{"/bin/sh", "-c"}
	}
	d.Lines["FROM"] = s.Line
	r.args, r.cmdSet = global, false
	for _, in := range s.Instructions {
		r.instruction(&in)
	}
}

func (r *reading) instruction(in *Instruction) {
	c, lines := &r.img.Settings, r.img.Settings.Dockerfile.Lines
	switch in.Name {
	case "SHELL":
		if len(in.List) > 0 {
			r.shell = in.List
		}
	case "ENTRYPOINT":
		c.Entrypoint = r.command(in)
		if !r.cmdSet { // as the builders do: a base's CMD was meant for its own ENTRYPOINT
			c.Cmd = nil
			delete(lines, "CMD")
		}
	case "CMD":
		c.Cmd, r.cmdSet = r.command(in), true
	case "STOPSIGNAL":
		c.StopSignal = r.expand(strings.TrimSpace(in.Text))
	case "USER":
		c.User = r.expand(strings.TrimSpace(in.Text))
	case "WORKDIR":
		c.WorkingDir = r.absolute(r.expand(strings.TrimSpace(in.Text)))
	case "ENV":
		r.env(in.Text)
		return
	case "ARG":
		r.arg(in.Text)
		return
	case "COPY", "ADD":
		r.copy(in)
		return
	default:
		return
	}
	lines[in.Name] = in.Line
}

// command is what CMD and ENTRYPOINT start: the list, or a shell with the text.
func (r *reading) command(in *Instruction) []string {
	if in.List != nil {
		return in.List
	}
	return append(append([]string{}, r.shell...), in.Text)
}

func (r *reading) absolute(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(r.img.Settings.WorkingDir, p)
}

// env reads `ENV a=b c=d` and the old `ENV a b`.
func (r *reading) env(text string) {
	first, rest, _ := cutSpace(text)
	if !strings.Contains(first, "=") {
		r.set(first, rest)
		return
	}
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		r.set(name, strings.Trim(value, `"'`))
	}
}

func (r *reading) set(name, value string) {
	value = r.expand(value)
	r.args[name] = value
	if name == "PATH" {
		r.img.Settings.Path = &value
	}
}

// arg reads `ARG a=b c`. Without a value it takes one of before the first FROM.
func (r *reading) arg(text string) {
	for _, word := range strings.Fields(text) {
		if name, value, ok := strings.Cut(word, "="); ok {
			r.args[name] = r.expand(strings.Trim(value, `"'`))
		}
	}
}

// copy notes where files of the build context go.
func (r *reading) copy(in *Instruction) {
	if in.Flags["from"] != "" {
		return
	}
	words := in.List
	if words == nil {
		words = strings.Fields(in.Text)
	}
	if len(words) < 2 {
		return
	}
	last := r.expand(words[len(words)-1])
	target := r.absolute(last)
	if strings.HasSuffix(last, "/") || last == "." || len(words) > 2 {
		target = strings.TrimSuffix(target, "/") + "/"
	}
	if len(in.Heredocs) > 0 {
		r.inline(in, target)
		return
	}
	p := placed{target: target}
	for _, source := range words[:len(words)-1] {
		if source = r.expand(source); !strings.Contains(source, "://") {
			p.sources = append(p.sources, source)
		}
	}
	r.img.copies = append(r.img.copies, p)
}

// inline notes files whose text stands in the Dockerfile.
func (r *reading) inline(in *Instruction, target string) {
	for _, h := range in.Heredocs {
		at := target
		if strings.HasSuffix(target, "/") {
			at = path.Join(target, h.Name)
		}
		r.img.inline[at] = h.Text
	}
}
