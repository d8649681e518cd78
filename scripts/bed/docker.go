package bed

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"
)

// Label is on every container that the bed starts.
const Label = "whystuck.test=1"

// callTimeout bounds a docker command whose context has no deadline.
const callTimeout = 60 * time.Second

// Docker runs the docker CLI against this engine. code is its exit status, -1
// when it did not start or was cut off by the context's deadline (60 s when it
// has none); stderr then says so.
func (d *Daemon) Docker(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	return d.docker(ctx, nil, args...)
}

func (d *Daemon) docker(ctx context.Context, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = d.Env()
	cmd.Stdin = stdin
	cmd.WaitDelay = 2 * time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return out.String(), errOut.String() + ctx.Err().Error(), -1
	case err == nil || errors.As(err, &exit):
		return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
	}
	return out.String(), errOut.String() + err.Error(), -1
}

// Version is the engine's, "" when it does not answer.
func (d *Daemon) Version(ctx context.Context) string {
	out, _, _ := d.Docker(ctx, "version", "-f", "{{.Server.Version}}")
	return strings.TrimSpace(out)
}

// Env is this program's environment with everything that leads to another
// engine replaced by what leads to this one.
func (d *Daemon) Env() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "DOCKER_")
	})
	return append(env, "DOCKER_HOST="+d.Host(), "DOCKER_CONFIG="+d.path("config"))
}

// Run starts a container without a network and returns its full id: docker run
// -d with the label whystuck.test=1 and args.
func (d *Daemon) Run(ctx context.Context, args ...string) (id string, err error) {
	flags := []string{"run", "-d", "--label", Label, "--network", "none"}
	if d.opt.Podman {
		flags = append(flags, d.podmanRun()...)
	}
	out, errOut, code := d.Docker(ctx, append(flags, args...)...)
	if code != 0 {
		return "", fmt.Errorf("docker run %s: %s", strings.Join(args, " "), strings.TrimSpace(errOut))
	}
	return strings.TrimSpace(out), nil
}

// Import makes an image from files of this machine: path in the image to path
// on the host, links followed, modes kept. A path in the image that ends with /
// is an empty directory. changes are Dockerfile instructions (`CMD ["/x"]`).
func (d *Daemon) Import(ctx context.Context, name string, files map[string]string, changes ...string) error {
	args := []string{"import"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeTar(w, files)) }()
	if d.opt.Podman {
		return d.importPodman(ctx, name, r, changes)
	}
	_, errOut, code := d.docker(ctx, r, append(args, "-", name)...)
	_ = r.CloseWithError(io.ErrClosedPipe) // frees the writer when docker ended early
	if code != 0 {
		return fmt.Errorf("docker import %s: %s", name, strings.TrimSpace(errOut))
	}
	return nil
}

// writeTar writes the files in order of their names, each directory before what
// is in it.
func writeTar(w io.Writer, files map[string]string) error {
	tw := tar.NewWriter(w)
	made := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		dir := strings.HasSuffix(name, "/")
		rel := strings.TrimPrefix(path.Clean(name), "/")
		parent := path.Dir(rel)
		if dir {
			parent = rel
		}
		if err := tarDirs(tw, made, parent); err != nil {
			return err
		}
		if dir {
			continue
		}
		if err := tarFile(tw, rel, files[name]); err != nil {
			return fmt.Errorf("putting %s into the image: %w", files[name], err)
		}
	}
	return tw.Close()
}

func tarDirs(tw *tar.Writer, made map[string]bool, dir string) error {
	if made[dir] {
		return nil
	}
	if err := tarDirs(tw, made, path.Dir(dir)); err != nil {
		return err
	}
	made[dir] = true
	return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
}

func tarFile(tw *tar.Writer, name, host string) error {
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: st.Size(), Mode: int64(st.Mode().Perm())}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}
