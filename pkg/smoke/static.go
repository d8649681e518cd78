package smoke

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/script"
)

// ImageReader reads images; *engine.Engine is one.
type ImageReader interface {
	Image(ctx context.Context, ref string) (*evidence.Image, error)
	OpenImage(img *evidence.Image, labels map[string]string) *engine.ImageFiles
}

// Bounds of what is read of one image: the way from PID 1 to the program has few
// links, and each is looked for along PATH.
const (
	maxFiles  = 48
	maxRounds = 64
	// maxReading is for all of them: an engine that hangs at one hangs at the next.
	maxReading = time.Minute
)

// Static reads an image, without running it, and judges what was read. run is
// what `docker run` would be given on top; dockerfile may be nil. What could not
// be read is a gap in the answer; the error is that of the image as a whole
// (engine.ErrNoSuchImage, an *engine.Error).
func Static(ctx context.Context, r ImageReader, ref string, run evidence.ImageRun, dockerfile *evidence.Dockerfile) (diagnose.Container, error) {
	img, err := ReadImage(ctx, r, ref, run, dockerfile)
	if err != nil {
		return diagnose.Container{}, err
	}
	return diagnose.JudgeImage(img), nil
}

// ReadImage reads an image's configuration, and of its files those that decide
// who becomes PID 1: a container is made for that and never started, and removed
// whatever happens.
func ReadImage(ctx context.Context, r ImageReader, ref string, run evidence.ImageRun, dockerfile *evidence.Dockerfile) (_ *evidence.Image, err error) {
	img, err := r.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	img.Run, img.Dockerfile = run, dockerfile
	by := self("")
	by.Until = time.Now().Add(margin)
	files := r.OpenImage(img, map[string]string{Label: by.String()})
	defer func() { err = errors.Join(err, files.Close(ctx)) }()
	reading, cancel := context.WithTimeout(ctx, maxReading)
	defer cancel()
	for range maxRounds {
		wants := diagnose.ImageWants(img)
		if len(wants) == 0 || len(img.Files) >= maxFiles {
			break
		}
		for _, path := range wants {
			file, err := files.File(reading, path, script.MaxText)
			if err != nil {
				img.Gaps = append(img.Gaps, evidence.Gap{Path: fmt.Sprintf("image:%s (%v)", path, err), Kind: kindOf(err), Matters: "what the container starts"})
				file = evidence.ImageFile{Path: path, Unread: true}
			}
			img.Files[path] = file
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if reading.Err() != nil {
			break // what is known by now is judged
		}
	}
	return img, nil
}

func kindOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return evidence.GapTimeout
	}
	return evidence.GapAbsent
}
