package bed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// nobody is the user of a rootless Podman: there is one on every host.
const nobody = "65534"

// podman is a command line of this engine's Podman: everything lies below the
// engine's directory, by flags, or for a rootless one by the user's surroundings.
func (d *Daemon) podman(args ...string) []string {
	line := append([]string{"podman", "--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver", d.driver}, args...)
	if d.opt.Rootless {
		return append(d.AsNobody(), line...)
	}
	roots := []string{"podman", "--root", d.DataRoot(), "--runroot", d.ExecRoot(), "--tmpdir", d.path("tmp")}
	return append(roots, line[1:]...)
}

// AsNobody is what to put before a command so that it runs as the user of a
// rootless Podman, in that user's surroundings.
func (d *Daemon) AsNobody() []string {
	return []string{"setpriv", "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", "env", "-i", "-C", d.path("home"),
		"HOME=" + d.path("home"), "XDG_RUNTIME_DIR=" + d.path("xdg"), "PATH=" + os.Getenv("PATH"), "DOCKER_HOST=" + d.Host()}
}

// giveToNobody makes the directories of a rootless Podman.
func (d *Daemon) giveToNobody() error {
	uid, _ := strconv.Atoi(nobody)
	var errs []error
	for _, sub := range []string{"home", "xdg", "xdg/podman"} {
		errs = append(errs, os.MkdirAll(d.path(sub), 0o700), os.Chown(d.path(sub), uid, uid))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("preparing a rootless Podman's directories: %w", err)
	}
	return nil
}

// pausePID is the process that keeps a rootless Podman's user namespace, 0 for
// none.
func (d *Daemon) pausePID() int {
	b, err := os.ReadFile(d.path("xdg/libpod/tmp/pause.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 2 {
		return 0
	}
	comm, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if name := strings.TrimSpace(string(comm)); name != "catatonit" && name != "podman" {
		return 0 // it has ended, and the number was given away
	}
	return pid
}

// startPodman runs `podman system service` in dockerd's place: it speaks Docker's
// API and keeps no state in memory, so it may end and start again at any time.
func (d *Daemon) startPodman(ctx context.Context) error {
	switch {
	case d.opt.Rootless:
		d.driver = "vfs"
	case d.driver == "":
		d.driver = "overlay"
	}
	if d.opt.Rootless && d.pausePID() == 0 {
		// The first command of a user makes the user namespace, and goes on in a child
		// of itself; the others join it, and the service is the process that we started.
		first := d.podman("unshare", "true")
		if out, err := exec.CommandContext(ctx, first[0], first[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("making a user namespace: %w: %s", err, out)
		}
	}
	line := append(slices.Clone(d.opt.Wrap), d.podman("system", "service", "--time=0", d.Host())...)
	p, err := d.spawn(syscall.SIGTERM, line[0], line[1:]...)
	if err != nil {
		return err
	}
	d.dockerd = p
	return p.waitFor(ctx, func() bool { return d.ping(ctx) == nil })
}

// importPodman makes an image by Podman's own command: by way of its Docker API an
// image gets no name.
func (d *Daemon) importPodman(ctx context.Context, name string, tar io.Reader, changes []string) error {
	args := []string{"import", "-q"}
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	line := d.podman(append(args, "-", "localhost/"+name)...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Stdin = tar
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("podman import %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// podmanRun are the flags that a container of Podman needs here: limits that are
// no higher than ours, and a cgroup of this engine. A user may make no cgroup.
func (d *Daemon) podmanRun() []string {
	limits := []string{"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4000:4000"}
	if d.opt.Rootless {
		return limits
	}
	return append(limits, "--cgroup-parent", "/"+d.cgroup)
}
