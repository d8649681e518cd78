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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Daemon is one private engine.
type Daemon struct {
	dir     string
	opt     Options
	driver  string // storage driver, "" for the engine's own choice
	cgroup  string // name of its cgroup parent, below the root of each hierarchy
	dockerd *process
	// containerd is ours where the options ask for it or the system runs one, see
	// ownContainerd.
	containerd *process
}

// Options are the ways in which private engines differ.
type Options struct {
	// Containerd starts a containerd beside dockerd, with the directories that a
	// system's has, instead of leaving it to dockerd, which would start a new one
	// whenever it ends.
	Containerd bool
	// Args are further flags of dockerd.
	Args []string
	// Wrap is a program with its arguments that dockerd is started through:
	// {"capsh", "--drop=cap_kill", "--"}.
	Wrap []string
	// WrapContainerd is the same for the containerd of Containerd, and so for the
	// shims and the runtime below it.
	WrapContainerd []string
	// Podman runs Podman's service instead, which speaks Docker's API.
	Podman bool
	// Rootless runs that as the user nobody, who has no subordinate users: a
	// container has this one alone.
	Rootless bool
	// User makes dockerd a rootless one of this user, by rootlesskit with these
	// further flags.
	User        *User
	RootlessKit []string
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

// NewDaemon starts an engine that keeps everything in dir (see TempDir), with the
// storage that it chooses by itself (overlay2; from 29 on containerd's image store,
// which naming a driver would turn off), or with vfs where the file system below
// dir cannot carry that.
// The context bounds the start only. The caller must Stop it.
func NewDaemon(ctx context.Context, dir string) (*Daemon, error) {
	return NewDaemonWith(ctx, dir, Options{})
}

// NewDaemonWith is NewDaemon for an engine that differs.
func NewDaemonWith(ctx context.Context, dir string, opt Options) (*Daemon, error) {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %d", dir, os.Getpid())
	d := &Daemon{dir: dir, opt: opt, cgroup: fmt.Sprintf("whystuck-%08x", h.Sum32())}
	for _, sub := range []string{"config", "data", "exec/containerd", "containerd"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o711); err != nil {
			return nil, fmt.Errorf("preparing the engine's directory: %w", err)
		}
	}
	// Whoever a container runs as, remapped users included, has to get through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("preparing the engine's directory: %w", err)
	}
	// An own configuration: /etc/docker/daemon.json may contradict our flags.
	if err := os.WriteFile(d.path("daemon.json"), []byte("{}"), 0o600); err != nil {
		return nil, fmt.Errorf("preparing the engine's directory: %w", err)
	}
	if opt.Rootless {
		if err := d.giveToNobody(); err != nil {
			return nil, err
		}
	}
	if opt.User != nil {
		if err := d.giveToUser(); err != nil {
			return nil, err
		}
	}
	var err error
	for _, driver := range []string{"", "vfs"} {
		d.driver = driver
		if err = d.Start(ctx); err == nil {
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

// Start runs dockerd, and a containerd of ours that has ended, and waits for the
// first answer. NewDaemon has done it once; it is for after Kill.
func (d *Daemon) Start(ctx context.Context) error {
	if d.opt.Podman {
		return d.startPodman(ctx)
	}
	if d.opt.User != nil {
		return d.startRootless(ctx)
	}
	args := []string{
		"--config-file", d.path("daemon.json"),
		"-H", d.Host(),
		"--data-root", d.DataRoot(),
		"--exec-root", d.ExecRoot(),
		"--pidfile", d.path("pid"),
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--log-level=warn",
		"--cgroup-parent", "/" + d.cgroup,
		"--exec-opt", "native.cgroupdriver=cgroupfs",
	}
	if d.driver != "" {
		args = append(args, "--storage-driver", d.driver)
	}
	if _, err := os.Lstat(systemContainerd); err == nil || d.opt.Containerd {
		if err := d.StartContainerd(ctx); err != nil {
			return err
		}
		args = append(args, "--containerd", d.containerdSocket())
	}
	args = append(append(slices.Clone(d.opt.Wrap), "dockerd"), append(args, d.opt.Args...)...)
	p, err := d.spawn(syscall.SIGTERM, args[0], args[1:]...)
	if err != nil {
		return err
	}
	d.dockerd = p
	return p.waitFor(ctx, func() bool { return d.ping(ctx) == nil })
}

// StartContainerd starts a containerd of our own, laid out as a system's is: its
// socket lies in its state directory. It does nothing while one runs.
func (d *Daemon) StartContainerd(ctx context.Context) error {
	if d.containerd.lives() {
		return nil
	}
	conf := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		d.path("data/containerd"), d.path("containerd"), d.containerdSocket())
	file := d.path("containerd.toml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("configuring containerd: %w", err)
	}
	args := append(slices.Clone(d.opt.WrapContainerd), "containerd", "--config", file, "--log-level", "warn")
	p, err := d.spawn(0, args[0], args[1:]...)
	if err != nil {
		return err
	}
	d.containerd = p
	return p.waitFor(ctx, func() bool {
		conn, err := net.Dial("unix", d.containerdSocket())
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// Kill ends dockerd as a crash does: its containers and their shims live on. It
// returns when dockerd is gone, and the containerd that it has started: the next one
// takes that for running as long as nobody has reaped it.
func (d *Daemon) Kill() {
	managed, _ := os.ReadFile(filepath.Join(d.ExecRoot(), "containerd/containerd.pid"))
	if d.opt.User != nil {
		_ = syscall.Kill(d.PID(), syscall.SIGKILL) // rootlesskit ends with it
		<-d.dockerd.done
	} else {
		d.dockerd.crash()
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(managed))); err == nil && pid > 1 {
		Eventually(10*time.Second, func() bool { return syscall.Kill(pid, 0) != nil })
	}
}

// KillContainerd ends our own containerd as a crash does.
func (d *Daemon) KillContainerd() { d.containerd.crash() }

func (p *process) crash() {
	if p.lives() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
	}
}

// lives reports whether it has not been waited for.
func (p *process) lives() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
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
