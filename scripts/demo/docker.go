package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// callTimeout bounds each docker command but the first, which only asks whether
// there is an engine at all.
const (
	pingTimeout = 5 * time.Second
	callTimeout = 60 * time.Second
)

// docker shows it with a container on the engine that the docker CLI finds:
// its context, DOCKER_HOST or the default socket.
func (d *demo) docker(ctx context.Context) error {
	version, err := docker(ctx, pingTimeout, nil, "version", "--format", "{{.Server.Version}}")
	if err != nil {
		return err
	}
	step("Docker %s is there", version)
	name := fmt.Sprintf("whystuck-demo-%d", os.Getpid())
	// Registered before anything is made: an interrupted command may have made it.
	defer removeAll(name)
	step("docker import: an image with one static program of %d bytes", len(d.elf))
	image, err := d.image()
	if err != nil {
		return err
	}
	if _, err := docker(ctx, callTimeout, image, "import", "--change", fmt.Sprintf("ENTRYPOINT [%q]", "/"+programName), "-", name); err != nil {
		return err
	}
	step("docker run -d --name %s", name)
	if _, err := docker(ctx, callTimeout, nil, "run", "-d", "--name", name, "--network", "none", name); err != nil {
		return err
	}
	return d.diagnose(ctx, name)
}

// image is the root file system as docker import takes it.
func (d *demo) image() (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: programName, Mode: 0o755, Size: int64(len(d.elf))})
	if err == nil {
		_, err = w.Write(d.elf)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("writing the image: %w", err)
	}
	return &b, nil
}

// removeAll has its own context: the demo's may be cancelled.
func removeAll(name string) {
	ctx := context.Background()
	step("docker rm -f %s, docker rmi %s", name, name)
	for _, args := range [][]string{{"rm", "-f", name}, {"rmi", "-f", name}} {
		_, err := docker(ctx, callTimeout, nil, args...)
		if err != nil && !strings.Contains(strings.ToLower(err.Error()), "no such") {
			fmt.Fprintln(os.Stderr, "demo: cleaning up:", err)
		}
	}
}

// docker runs one docker command and gives its output without the line's end.
func docker(ctx context.Context, timeout time.Duration, stdin *bytes.Buffer, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.WaitDelay = time.Second
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
