package smoke

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/dockerfile"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/script"
)

// Dockerfile is a Dockerfile of the user's, with its build context.
type Dockerfile struct {
	path  string
	image *dockerfile.Image
}

// maxDockerfile bounds what is read of one.
const maxDockerfile = 1 << 20

// ReadDockerfile reads the stage target ("": the last) of a Dockerfile.
func ReadDockerfile(path, target string) (*Dockerfile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the Dockerfile: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDockerfile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the Dockerfile: %w", err)
	}
	parsed, err := dockerfile.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	image, err := parsed.Image(path, target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Dockerfile{path, image}, nil
}

// Lines says where the settings of an image are written, for Static.
func (d *Dockerfile) Lines() *evidence.Dockerfile {
	lines := *d.image.Settings.Dockerfile
	lines.Alone = false
	return &lines
}

// Judge judges the Dockerfile alone, with the scripts beside it. No engine is
// asked, and what the base image brings is a gap.
func (d *Dockerfile) Judge(run evidence.ImageRun) diagnose.Container {
	img := d.image.Settings
	img.Run = run
	img.Files = map[string]evidence.ImageFile{}
	for range maxRounds {
		wants := diagnose.ImageWants(&img)
		if len(wants) == 0 || len(img.Files) >= maxFiles {
			break
		}
		for _, p := range wants {
			img.Files[p] = d.file(p)
		}
	}
	return diagnose.JudgeImage(&img)
}

// file is a file of the image as far as it can be found without one.
func (d *Dockerfile) file(p string) evidence.ImageFile {
	if text, ok := d.image.Inline(p); ok {
		return evidence.ImageFile{Path: p, Mode: 0o755, Size: int64(len(text)), Head: []byte(text), Source: d.path}
	}
	for _, source := range d.image.Sources(p) {
		if f, ok := d.local(source); ok {
			f.Path = p
			return f
		}
	}
	return evidence.ImageFile{Path: p, Unread: true}
}

// local reads a file of the build context, which is the Dockerfile's directory or
// the one we are in; where both have the file and differ, which of them is meant
// cannot be told.
func (d *Dockerfile) local(source string) (evidence.ImageFile, bool) {
	var found []evidence.ImageFile
	for _, dir := range []string{filepath.Dir(d.path), "."} {
		text, size, err := readWithin(dir, source)
		if err != nil {
			continue
		}
		f := evidence.ImageFile{Mode: 0o755, Size: size, Head: text, Source: filepath.ToSlash(filepath.Join(dir, source))}
		if len(found) == 0 || string(found[0].Head) != string(text) {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return evidence.ImageFile{}, false
	}
	return found[0], true
}

// readWithin reads a regular file below a directory; no link leads out of it.
func readWithin(dir, source string) ([]byte, int64, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	st, err := root.Stat(source)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fs.ErrInvalid
	}
	if st.Size() > script.MaxText {
		return nil, st.Size(), nil // a program, or too long to be understood
	}
	f, err := root.Open(source)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, script.MaxText+1))
	if err == nil && len(text) > script.MaxText {
		err = errors.New("it grew")
	}
	return text, st.Size(), err
}
