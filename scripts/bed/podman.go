package bed

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
)

// podmanArgs are Podman's own flags: everything lies below the engine's directory.
func (d *Daemon) podmanArgs() []string {
	return []string{"--root", d.DataRoot(), "--runroot", d.ExecRoot(), "--tmpdir", d.path("tmp"),
		"--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver", d.driver}
}

// startPodman runs `podman system service` in dockerd's place: it speaks Docker's
// API and keeps no state in memory, so it may end and start again at any time.
func (d *Daemon) startPodman(ctx context.Context) error {
	if d.driver == "" {
		d.driver = "overlay"
	}
	p, err := d.spawn(syscall.SIGTERM, "podman", append(d.podmanArgs(), "system", "service", "--time=0", d.Host())...)
	if err != nil {
		return err
	}
	d.dockerd = p
	return p.waitFor(ctx, func() bool { return d.ping(ctx) == nil })
}

// importPodman makes an image by Podman's own command: by way of its Docker API an
// image gets no name.
func (d *Daemon) importPodman(ctx context.Context, name string, tar io.Reader, changes []string) error {
	args := append(d.podmanArgs(), "import", "-q")
	for _, c := range changes {
		args = append(args, "--change", c)
	}
	cmd := exec.CommandContext(ctx, "podman", append(args, "-", "localhost/"+name)...)
	cmd.Stdin = tar
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("podman import %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// podmanRun are the flags that a container of Podman needs here: limits that are
// no higher than ours, and a cgroup of this engine.
func (d *Daemon) podmanRun() []string {
	return []string{"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4000:4000", "--cgroup-parent", "/" + d.cgroup}
}
