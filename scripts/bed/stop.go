package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// Stop removes the engine's containers, ends the engine and clears away all
// that it leaves behind. What could not be cleared away is said on standard
// error.
func (d *Daemon) Stop() {
	if err := d.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the private engine:", err)
	}
}

// stop is Stop with the problem as a value. It goes on after each problem.
func (d *Daemon) stop() error {
	d.goOn()
	d.removeContainers()
	if d.dockerd != nil {
		// dockerd gives its containers 15 s by itself.
		d.dockerd.end(25 * time.Second)
	}
	if d.containerd != nil {
		d.containerd.end(5 * time.Second)
	}
	return errors.Join(d.killLeft(), d.unmountAll(), d.removeCgroups(), removeDir(d.dir))
}

// goOn lets everything that a test has stopped go on: nothing else ends well.
func (d *Daemon) goOn() {
	for _, pid := range d.left() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// removeContainers removes all there are: the engine is private. A failure is
// not reported here; what stays alive is found by killLeft.
func (d *Daemon) removeContainers() {
	if !d.dockerd.lives() {
		return
	}
	ctx, cancel := contextFor(30 * time.Second)
	defer cancel()
	out, _, code := d.Docker(ctx, "ps", "-aq", "--no-trunc")
	if ids := strings.Fields(out); code == 0 && len(ids) > 0 {
		d.Docker(ctx, append([]string{"rm", "-f", "-v"}, ids...)...)
	}
}

// killLeft ends shims, containers and containerd that outlived dockerd, by PID.
func (d *Daemon) killLeft() error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		left := d.left()
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of the private engine in %s do not go away", left, d.dir)
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // may be gone by now
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// left lists the processes that belong to the engine: those that name its
// directory in their command line (dockerd, containerd, shims, runc), those in its
// cgroup, and those of a rootless one's user.
func (d *Daemon) left() []int {
	var pids []int
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range procs {
		argv, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(argv, []byte(d.dir+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	for _, dir := range d.cgroups() {
		pids = append(pids, MembersBelow(dir)...)
	}
	pids = append(pids, d.opt.User.processes()...)
	if pid := d.pausePID(); pid != 0 {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// cgroups are the directories of the engine's cgroup parent: one on a unified
// hierarchy, one per controller on cgroup v1. Without a name these would be the roots,
// whose members are everybody's.
func (d *Daemon) cgroups() []string {
	if d.cgroup == "" {
		return nil
	}
	unified, _ := filepath.Glob("/sys/fs/cgroup/" + d.cgroup)
	split, _ := filepath.Glob("/sys/fs/cgroup/*/" + d.cgroup)
	return append(unified, split...)
}

// MembersBelow lists the processes of a cgroup and of those that were made below
// it (systemd in a container makes some), in rising order.
func MembersBelow(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "cgroup.procs" {
			return nil // a cgroup that went away meanwhile has no members
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 1 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	slices.Sort(pids)
	return pids
}

// removeCgroups removes the cgroup parent, children first. cgroupfs needs rmdir:
// its files cannot be unlinked.
func (d *Daemon) removeCgroups() error {
	var errs []error
	for _, root := range d.cgroups() {
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				errs = append(errs, fmt.Errorf("removing cgroup %s: %w", dir, err))
			}
		}
	}
	return errors.Join(errs...)
}

// unmountAll detaches every mount below the engine's directory, the latest first.
func (d *Daemon) unmountAll() error {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("listing mounts: %w", err)
	}
	var errs []error
	for _, line := range slices.Backward(strings.Split(string(b), "\n")) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasPrefix(f[4], d.dir+"/") {
			continue
		}
		if err := unix.Unmount(f[4], unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", f[4], err))
		}
	}
	return errors.Join(errs...)
}

// removeDir removes the engine's directory. A killed shim may still be writing
// into it for a moment.
func removeDir(dir string) error {
	var err error
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("removing the engine's directory: %w", err)
}
