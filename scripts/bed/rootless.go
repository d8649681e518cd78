package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// User is a user of this host that a test has made, with a range of subordinate
// user IDs.
type User struct {
	Name string
	UID  int
	// FirstSub and Subs are the subordinate range.
	FirstSub, Subs int
}

// users counts the users of this program.
var users atomic.Int32

// NewUser makes a user who goes with the test.
func NewUser(t testing.TB) *User {
	t.Helper()
	Require(t, "root", "useradd", "userdel", "newuidmap")
	u := &User{Name: fmt.Sprintf("whystuck%d-%d", os.Getpid(), users.Add(1))}
	if out, err := exec.Command("useradd", "--no-create-home", "--home-dir", "/nonexistent", u.Name).CombinedOutput(); err != nil {
		t.Fatalf("making a user: %v: %s", err, out)
	}
	t.Cleanup(func() {
		// Only a message when its mail spool is not there.
		_, _ = exec.Command("userdel", u.Name).CombinedOutput()
	})
	out, err := exec.Command("id", "-u", u.Name).Output()
	if err != nil {
		t.Fatal(err)
	}
	u.UID, _ = strconv.Atoi(strings.TrimSpace(string(out)))
	b, err := os.ReadFile("/etc/subuid")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 3 && f[0] == u.Name {
			u.FirstSub, _ = strconv.Atoi(f[1])
			u.Subs, _ = strconv.Atoi(f[2])
		}
	}
	if u.UID == 0 || u.Subs == 0 {
		t.Fatalf("useradd gave %s no subordinate users: %+v", u.Name, u)
	}
	return u
}

// owns reports whether a user ID is the user's, or subordinate.
func (u *User) owns(uid int) bool {
	return u != nil && (uid == u.UID || uid >= u.FirstSub && uid < u.FirstSub+u.Subs)
}

// processes are all that run as the user, or as one subordinate to it.
func (u *User) processes() []int {
	if u == nil {
		return nil
	}
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		st, err := os.Stat(dir)
		if err != nil {
			continue
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok && u.owns(int(sys.Uid)) {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// AsUser is what to put before a command so that it runs as the user of a rootless
// engine, in that user's surroundings.
func (d *Daemon) AsUser() []string {
	id := strconv.Itoa(d.opt.User.UID)
	return []string{"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "env", "-i", "-C", d.path("home"),
		"HOME=" + d.path("home"), "XDG_RUNTIME_DIR=" + d.path("xdg"), "PATH=" + os.Getenv("PATH"), "DOCKER_HOST=" + d.Host()}
}

// giveToUser makes the directories of a rootless dockerd.
func (d *Daemon) giveToUser() error {
	id := d.opt.User.UID
	var errs []error
	for _, sub := range []string{"home", "xdg"} {
		errs = append(errs, os.MkdirAll(d.path(sub), 0o700), os.Chown(d.path(sub), id, id))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("preparing a rootless engine's directories: %w", err)
	}
	return nil
}

// startRootless starts dockerd as dockerd-rootless.sh does, but without a network,
// which that script cannot leave out: in user and mount namespaces of its own, with
// the user's directories.
func (d *Daemon) startRootless(ctx context.Context) error {
	d.driver = "vfs"
	line := append(d.AsUser(), "rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run", "--propagation=rslave", "--state-dir="+d.path("xdg/rootlesskit"))
	line = append(line, d.opt.RootlessKit...)
	line = append(line, "sh", "-c", `rm -f /run/docker /run/containerd; exec dockerd "$@"`, "sh", "-H", d.Host(),
		"--storage-driver", d.driver, "--bridge=none", "--iptables=false", "--ip-forward=false", "--log-level=warn")
	line = append(line, d.opt.Args...)
	p, err := d.spawn(syscall.SIGTERM, line[0], line[1:]...)
	if err != nil {
		return err
	}
	d.dockerd = p
	return p.waitFor(ctx, func() bool { return d.ping(ctx) == nil })
}

// rootlessPID is the dockerd below rootlesskit, 0 when it is gone.
func (d *Daemon) rootlessPID() int {
	for _, pid := range d.opt.User.processes() {
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(comm) == "dockerd\n" {
			return pid
		}
	}
	return 0
}
