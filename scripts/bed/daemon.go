package bed

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Daemon is one private engine.
type Daemon struct {
	dir     string
	cgroup  string // name of its cgroup parent, below the root of each hierarchy
	dockerd *process
	// containerd is ours only where the system runs one, see ownContainerd.
	containerd *process
}

// process is a child that ends when this program does, even if that is killed.
type process struct {
	pid  int
	done chan struct{} // closed when it has been waited for
}

// systemContainerd is where dockerd finds a containerd of the system, and then
// uses it instead of starting one: the containers of a private engine would
// appear in the same namespace as the user's.
const systemContainerd = "/run/containerd/containerd.sock"

// NewDaemon starts an engine that keeps everything in dir (see TempDir), with
// overlay2, or with vfs where the file system below dir cannot carry overlay2.
// The context bounds the start only. The caller must Stop it.
func NewDaemon(ctx context.Context, dir string) (*Daemon, error) {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %d", dir, os.Getpid())
	d := &Daemon{dir: dir, cgroup: fmt.Sprintf("whystuck-%08x", h.Sum32())}
	for _, sub := range []string{"config", "data", "exec/containerd"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o711); err != nil {
			return nil, fmt.Errorf("preparing the engine's directory: %w", err)
		}
	}
	// An own configuration: /etc/docker/daemon.json may contradict our flags.
	if err := os.WriteFile(d.path("daemon.json"), []byte("{}"), 0o600); err != nil {
		return nil, fmt.Errorf("preparing the engine's directory: %w", err)
	}
	var err error
	for _, driver := range []string{"overlay2", "vfs"} {
		if err = d.start(ctx, driver); err == nil {
			return d, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	err = fmt.Errorf("%w; its log ends:\n%s", err, d.LogTail(3000))
	return nil, errors.Join(err, d.stop())
}

// errEnded is the engine's own end during the start.
var errEnded = errors.New("dockerd ended during its start")

// start runs dockerd with a storage driver and waits for its first answer.
func (d *Daemon) start(ctx context.Context, driver string) error {
	args := []string{
		"--config-file", d.path("daemon.json"),
		"-H", d.Host(),
		"--data-root", d.DataRoot(),
		"--exec-root", d.ExecRoot(),
		"--pidfile", d.path("pid"),
		"--storage-driver", driver,
		"--bridge=none", "--iptables=false", "--ip-forward=false", "--log-level=warn",
		"--cgroup-parent", "/" + d.cgroup,
		"--exec-opt", "native.cgroupdriver=cgroupfs",
	}
	if _, err := os.Lstat(systemContainerd); err == nil && d.containerd == nil {
		if err := d.ownContainerd(ctx); err != nil {
			return err
		}
	}
	if d.containerd != nil {
		args = append(args, "--containerd", d.containerdSocket())
	}
	p, err := d.spawn(syscall.SIGTERM, "dockerd", args...)
	if err != nil {
		return err
	}
	d.dockerd = p
	return p.waitFor(ctx, func() bool { return d.ping(ctx) == nil })
}

// ownContainerd starts a containerd with the layout that dockerd gives its own,
// for machines where the system runs one.
func (d *Daemon) ownContainerd(ctx context.Context) error {
	conf := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		filepath.Join(d.DataRoot(), "containerd/daemon"),
		filepath.Join(d.ExecRoot(), "containerd/daemon"),
		d.containerdSocket())
	file := filepath.Join(d.ExecRoot(), "containerd/containerd.toml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("configuring containerd: %w", err)
	}
	p, err := d.spawn(0, "containerd", "--config", file, "--log-level", "warn")
	if err != nil {
		return err
	}
	d.containerd = p
	return p.waitFor(ctx, func() bool {
		_, err := os.Lstat(d.containerdSocket())
		return err == nil
	})
}

// spawn starts a program whose output goes to the log. onOurDeath is the signal
// that it gets when this program dies without stopping it, 0 for none. The
// kernel sends it when the *thread* that forked ends, so that thread is kept.
func (d *Daemon) spawn(onOurDeath syscall.Signal, name string, args ...string) (*process, error) {
	log, err := os.OpenFile(d.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the engine's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onOurDeath}
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended stands in its log
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// waitFor returns nil once ready says so, errEnded when the process ended first.
func (p *process) waitFor(ctx context.Context, ready func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("waiting for the private engine's answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// end sends SIGTERM, and SIGKILL when the process is still there after grace.
func (p *process) end(grace time.Duration) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.done:
			return
		default:
		}
		_ = syscall.Kill(p.pid, s) // ours and not waited for: the PID is not reused
		select {
		case <-p.done:
			return
		case <-time.After(grace):
		}
	}
}

// ping asks the engine for a sign of life.
func (d *Daemon) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(d.Host(), "unix://"))
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func (d *Daemon) path(name string) string { return filepath.Join(d.dir, name) }

func (d *Daemon) containerdSocket() string {
	return filepath.Join(d.ExecRoot(), "containerd/containerd.sock")
}

// Host is the engine's address as DOCKER_HOST takes it.
func (d *Daemon) Host() string { return "unix://" + d.path("docker.sock") }

// DataRoot is the engine's --data-root.
func (d *Daemon) DataRoot() string { return d.path("data") }

// ExecRoot is the engine's --exec-root.
func (d *Daemon) ExecRoot() string { return d.path("exec") }

// PID is dockerd's.
func (d *Daemon) PID() int { return d.dockerd.pid }

// LogTail is the end of what dockerd and containerd logged, at most n bytes.
func (d *Daemon) LogTail(n int) string {
	b, err := os.ReadFile(d.path("log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-n):])
}
