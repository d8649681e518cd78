package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// errNoSuchFile is the engine's 404 for a path in a container.
var errNoSuchFile = errors.New("no such file")

// inspectImage gives the raw answer, for the reasons that inspect has.
func (a *api) inspectImage(ctx context.Context, ref string) ([]byte, error) {
	if err := a.negotiate(ctx); err != nil {
		return nil, err
	}
	var status int
	var raw bytes.Buffer
	_, err := a.sdk.ImageInspect(context.WithValue(ctx, statusKey{}, &status), ref, rawImage(&raw))
	switch {
	case raw.Len() > 0:
		return raw.Bytes(), nil
	case status == http.StatusNotFound:
		return nil, ErrNoSuchImage
	case err == nil:
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("inspecting the image %s: %w", ref, err)
}

// imageHistory gives the instructions that made an image, the oldest first.
func (a *api) imageHistory(ctx context.Context, ref string) ([]string, error) {
	items, err := a.sdk.ImageHistory(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("reading the history of the image %s: %w", ref, err)
	}
	out := make([]string, 0, len(items))
	for i := len(items) - 1; i >= 0; i-- {
		out = append(out, items[i].CreatedBy)
	}
	return out, nil
}

// createUnstarted makes a container of an image that is there to be read from and
// never started. It names its own volumes away: the engine would copy the image's
// files into a fresh volume for each.
func (a *api) createUnstarted(ctx context.Context, image, name string, volumes []string, labels map[string]string) error {
	host := &container.HostConfig{NetworkMode: "none"}
	for _, v := range volumes {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeTmpfs, Target: v})
	}
	_, err := a.sdk.ContainerCreate(ctx, &container.Config{
		Image:      image,
		Entrypoint: []string{"/whystuck-reads-files-and-starts-nothing"},
		Labels:     labels,
	}, host, nil, nil, name)
	if err != nil {
		return fmt.Errorf("creating a container to read the image %s: %w", image, err)
	}
	return nil
}

// statFile says what is at a path of a container, links followed by the engine
// within the container's own root.
func (a *api) statFile(ctx context.Context, name, path string) (container.PathStat, error) {
	var status int
	st, err := a.sdk.ContainerStatPath(context.WithValue(ctx, statusKey{}, &status), name, path)
	if err != nil && status == http.StatusNotFound {
		return st, errNoSuchFile
	}
	return st, err
}

// readFile reads a regular file of a container, of at most max bytes. The engine
// sends a tar archive of it, which is read to its end: where it is cut off the
// engine writes an error into its log.
func (a *api) readFile(ctx context.Context, name, path string, max int64) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // where it is not what its size said, it is cut off all the same
	body, _, err := a.sdk.CopyFromContainer(ctx, name, path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer body.Close()
	archive := tar.NewReader(body)
	header, err := archive.Next()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if header.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("reading %s: not a regular file", path)
	}
	var head bytes.Buffer
	if _, err := io.Copy(&head, io.LimitReader(archive, max)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(body, max))
	return head.Bytes(), nil
}
