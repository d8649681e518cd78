package bed

import (
	"os"
	"path/filepath"
)

func (d *Daemon) path(name string) string { return filepath.Join(d.dir, name) }

// ContainerdState is the state directory of our own containerd.
func (d *Daemon) ContainerdState() string { return d.path("containerd") }

func (d *Daemon) containerdSocket() string { return d.path("containerd/containerd.sock") }

// Host is the engine's address as DOCKER_HOST takes it.
func (d *Daemon) Host() string {
	if d.opt.Rootless {
		return "unix://" + d.path("xdg/podman/podman.sock")
	}
	if d.opt.User != nil {
		return "unix://" + d.path("xdg/docker.sock")
	}
	return "unix://" + d.path("docker.sock")
}

// DataRoot is the engine's --data-root.
func (d *Daemon) DataRoot() string {
	if d.opt.User != nil {
		return d.path("home/.local/share/docker")
	}
	if d.opt.Rootless {
		return d.path("home/.local/share/containers/storage")
	}
	return d.path("data")
}

// ExecRoot is the engine's --exec-root.
func (d *Daemon) ExecRoot() string {
	if d.opt.User != nil {
		return d.path("xdg/docker")
	}
	if d.opt.Rootless {
		return d.path("xdg/containers")
	}
	return d.path("exec")
}

// PID is dockerd's.
func (d *Daemon) PID() int {
	if d.opt.User != nil {
		return d.rootlessPID()
	}
	return d.dockerd.pid
}

// ContainerdPID is that of our own containerd, 0 where dockerd runs it.
func (d *Daemon) ContainerdPID() int {
	if d.containerd == nil {
		return 0
	}
	return d.containerd.pid
}

// LogTail is the end of what dockerd and containerd logged, at most n bytes.
func (d *Daemon) LogTail(n int) string {
	b, err := os.ReadFile(d.path("log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-n):])
}
