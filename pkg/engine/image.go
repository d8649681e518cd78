package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Bounds of what is read of one image. Creating a container prepares a layer,
// which takes a busy engine seconds.
const (
	imageCall  = 30 * time.Second
	maxHistory = 256
	maxVolumes = 64
	maxCommand = 64 << 10
)

// imageDoc is what we read of `GET /images/REF/json`.
type imageDoc struct {
	ID       string `json:"Id"`
	RepoTags []string
	Config   optional[imageConfig]
}

type imageConfig struct {
	Env        []string
	Entrypoint words
	Cmd        words
	StopSignal string
	WorkingDir string
	User       string
	Volumes    map[string]struct{}
}

// Image reads an image's configuration and history. The error wraps
// ErrNoSuchImage when the engine does not have it.
func (e *Engine) Image(ctx context.Context, ref string) (*evidence.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, imageCall)
	defer cancel()
	raw, err := e.api.inspectImage(ctx, ref)
	if err != nil {
		return nil, e.Runner().said(err)
	}
	e.used(sourceAPI)
	var d imageDoc
	if err := decode(raw, &d); err != nil {
		return nil, err
	}
	img := &evidence.Image{Asked: ref, ID: clip(d.ID, 128), Names: clipAll(d.RepoTags), Files: map[string]evidence.ImageFile{}}
	if c := d.Config.value; c != nil {
		img.Entrypoint, img.Cmd = clipCommand(c.Entrypoint), clipCommand(c.Cmd)
		img.Volumes = slices.Sorted(maps.Keys(c.Volumes))
		img.Volumes = clipAll(img.Volumes[:min(len(img.Volumes), maxVolumes)])
		img.StopSignal, img.User, img.WorkingDir = clip(c.StopSignal, 64), clip(c.User, maxText), clip(c.WorkingDir, maxText)
		for _, kv := range c.Env {
			if path, ok := strings.CutPrefix(kv, "PATH="); ok {
				path = clip(path, maxText)
				img.Path = &path
			}
		}
	}
	history, err := e.api.imageHistory(ctx, ref)
	if err != nil {
		img.Gaps = append(img.Gaps, evidence.Gap{Path: "docker history", Kind: evidence.GapAbsent, Matters: "which settings come from the base image"})
	}
	img.History = clipAll(history[max(0, len(history)-maxHistory):])
	return img, nil
}

// clipCommand bounds a command line. A shell form's whole script is one word.
func clipCommand(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list[:min(len(list), maxWords)])
	for i := range out {
		out[i] = clip(out[i], maxCommand)
	}
	return out
}

// ReadingPrefix begins the names of the containers that are made to read an image.
const ReadingPrefix = "whystuck-static-"

// ImageFiles reads files of one image. It makes a container for that, which is
// never started, when the first file is asked for; Close removes it.
type ImageFiles struct {
	e           *Engine
	image, name string
	volumes     []string
	labels      map[string]string

	mu   sync.Mutex
	made bool
	err  error // of the creation: it is not tried again
}

// OpenImage prepares to read files of an image. Nothing is made yet.
//
// labels are put on the container, so that it is found if we are killed.
func (e *Engine) OpenImage(img *evidence.Image, labels map[string]string) *ImageFiles {
	var b [6]byte
	_, _ = rand.Read(b[:]) // crypto/rand does not fail on Linux
	return &ImageFiles{e: e, image: img.ID, volumes: img.Volumes, labels: labels, name: ReadingPrefix + hex.EncodeToString(b[:])}
}

// File is what is at a path of the image, with its text where it is a regular file
// of at most max bytes: a longer one is a program, or too long to be understood.
// A path that is not there is an answer (Absent), not an error.
func (f *ImageFiles) File(ctx context.Context, path string, max int64) (evidence.ImageFile, error) {
	if err := f.create(ctx); err != nil {
		return evidence.ImageFile{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, imageCall)
	defer cancel()
	st, err := f.follow(ctx, &path)
	switch {
	case errors.Is(err, errNoSuchFile):
		return evidence.ImageFile{Path: path, Absent: true}, nil
	case err != nil:
		return evidence.ImageFile{}, fmt.Errorf("looking at %s: %w", path, err)
	}
	out := evidence.ImageFile{Path: clip(path, maxText), Dir: st.Mode.IsDir(), Mode: uint32(st.Mode.Perm()), Size: st.Size}
	if !st.Mode.IsRegular() || st.Size > max {
		return out, nil
	}
	out.Head, err = f.e.api.readFile(ctx, f.name, path, max)
	return out, err
}

// follow stats a path and goes to where its link points: the engine gives the
// target resolved, within the container's root.
func (f *ImageFiles) follow(ctx context.Context, path *string) (container.PathStat, error) {
	st, err := f.e.api.statFile(ctx, f.name, *path)
	for range 4 {
		if err != nil || st.Mode&os.ModeSymlink == 0 || st.LinkTarget == "" {
			return st, err
		}
		*path = st.LinkTarget
		st, err = f.e.api.statFile(ctx, f.name, *path)
	}
	return st, err
}

// create makes the container once.
func (f *ImageFiles) create(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.made || f.err != nil {
		return f.err
	}
	// Cut off in the middle, the engine would finish it after our removal.
	ctx, cancel := detached(ctx, changing)
	defer cancel()
	f.made = true // also when the call fails: the engine may have made it all the same
	f.err = f.e.api.createUnstarted(ctx, f.image, f.name, f.volumes, f.labels)
	return f.err
}

// Close removes the container. It does so even when ctx has ended: nothing may
// stay behind.
func (f *ImageFiles) Close(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.made {
		return nil
	}
	f.made = false
	if err := f.e.Runner().Remove(ctx, f.name); err != nil && !errors.Is(err, ErrNoSuchContainer) {
		return fmt.Errorf("removing the container %s, which was made to read %s: %w", f.name, f.image, err)
	}
	return nil
}
