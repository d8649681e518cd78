package engine

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// The calls that change something. They are made by a Runner alone.

// create makes a container and gives its id.
func (a *api) create(ctx context.Context, name string, s *made) (string, error) {
	if err := a.negotiate(ctx); err != nil {
		return "", err
	}
	var status int
	r, err := a.sdk.ContainerCreate(context.WithValue(ctx, statusKey{}, &status), s.config, s.host, nil, s.platform, name)
	switch {
	case err != nil && status == http.StatusNotFound:
		return "", fmt.Errorf("%w: %s", ErrNoSuchImage, oneLine(err.Error()))
	case err != nil:
		return "", fmt.Errorf("creating a container: %w", err)
	}
	return r.ID, nil
}

func (a *api) start(ctx context.Context, id string) error {
	if err := a.sdk.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return fmt.Errorf("starting the container: %w", err)
	}
	return nil
}

// remove is docker rm -f -v. A container that is not there is no error:
// gone tells it.
func (a *api) remove(ctx context.Context, id string) (gone bool, err error) {
	if err := a.negotiate(ctx); err != nil {
		return false, err
	}
	var status int
	err = a.sdk.ContainerRemove(context.WithValue(ctx, statusKey{}, &status), id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case status == http.StatusNotFound:
		return true, nil
	case status == http.StatusConflict: // another removal is under way; whoever asks again sees its end
		return false, errRemoving
	case err != nil:
		return false, fmt.Errorf("removing the container: %w", err)
	}
	return false, nil
}

// errRemoving is the engine's 409.
var errRemoving = errors.New("its removal is already under way")

// logs opens the container's log, both streams. tail: so many last lines, -1 for
// all. With follow it goes on until the container ends.
func (a *api) logs(ctx context.Context, id string, tail int, follow bool) (io.ReadCloser, error) {
	o := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: follow, Tail: "all"}
	if tail >= 0 {
		o.Tail = strconv.Itoa(tail)
	}
	r, err := a.sdk.ContainerLogs(ctx, id, o)
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", shortID(id), err)
	}
	return r, nil
}

// exec starts a command in the container and gives the id to ask for its end.
func (a *api) exec(ctx context.Context, id string, argv, env []string) (string, error) {
	r, err := a.sdk.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: argv, Env: env})
	if err != nil {
		return "", fmt.Errorf("preparing a command in %s: %w", shortID(id), err)
	}
	if err := a.sdk.ContainerExecStart(ctx, r.ID, container.ExecStartOptions{Detach: true}); err != nil {
		return "", fmt.Errorf("starting a command in %s: %w", shortID(id), err)
	}
	return r.ID, nil
}

// execEnded is the exit code of a command, nil while it runs.
func (a *api) execEnded(ctx context.Context, execID string) (*int, error) {
	r, err := a.sdk.ContainerExecInspect(ctx, execID)
	if err != nil {
		return nil, fmt.Errorf("asking for the end of a command: %w", err)
	}
	if r.Running {
		return nil, nil
	}
	return &r.ExitCode, nil
}

// top lists the commands that run in a container, as the engine's own ps says.
func (a *api) top(ctx context.Context, id string) ([]string, error) {
	r, err := a.sdk.ContainerTop(ctx, id, []string{"-eo", "pid,ppid,args"})
	if err != nil {
		return nil, fmt.Errorf("listing the processes of %s: %w", shortID(id), err)
	}
	var out []string
	for _, row := range r.Processes {
		if len(row) > 0 {
			out = append(out, clip(row[len(row)-1], maxText))
		}
	}
	return out, nil
}

// hasImage asks whether an image is there.
func (a *api) hasImage(ctx context.Context, ref string) (bool, error) {
	if err := a.negotiate(ctx); err != nil {
		return false, err
	}
	var status int
	_, err := a.sdk.ImageInspect(context.WithValue(ctx, statusKey{}, &status), ref)
	switch {
	case status == http.StatusNotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking for the image: %w", err)
	}
	return true, nil
}

// pull fetches an image. The engine reports a failure in the stream of progress.
func (a *api) pull(ctx context.Context, ref, platform, auth string) error {
	if err := a.negotiate(ctx); err != nil {
		return err
	}
	body, err := a.sdk.ImagePull(ctx, ref, image.PullOptions{Platform: platform, RegistryAuth: auth})
	if err != nil {
		return fmt.Errorf("pulling %s: %w", ref, err)
	}
	defer body.Close()
	lines := json.NewDecoder(bufio.NewReader(body))
	for {
		var progress struct{ Error string }
		switch err := lines.Decode(&progress); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("pulling %s: %w", ref, err)
		case progress.Error != "":
			return fmt.Errorf("pulling %s: %s", ref, oneLine(progress.Error))
		}
	}
}

// authHeader is X-Registry-Auth as the engine takes it.
func authHeader(user, password, token, server string) string {
	b, err := json.Marshal(map[string]string{"username": user, "password": password, "identitytoken": token, "serveraddress": server})
	if err != nil {
		return ""
	}
	return base64.URLEncoding.EncodeToString(b)
}

// labelled lists the containers with a label, stopped ones too.
func (a *api) labelled(ctx context.Context, label string) ([]listed, error) {
	return a.list(ctx, false, filters.Arg("label", label))
}
