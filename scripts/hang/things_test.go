package hang

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/scripts/bed"
)

func sh(t *testing.T, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// unmount is for cleanups: a container that is not quite gone keeps it busy.
func unmount(t *testing.T, dir string) {
	var err error
	for range 60 {
		if err = unix.Unmount(dir, 0); err == nil || err == unix.EINVAL {
			return // EINVAL: the way out has unmounted it
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("unmounting %s: %v", dir, err)
	_ = unix.Unmount(dir, unix.MNT_DETACH)
}

// ext4 makes a small file system of its own on a loop device.
func ext4(t *testing.T, _ *lab, p *played) {
	dir := makeDir(t, p)
	image := filepath.Join(t.TempDir(), "image")
	p.tidy = append(p.tidy, func() { unmount(t, dir) })
	sh(t, fmt.Sprintf("truncate -s 16M %s; mkfs.ext4 -q -F %s; mount -o loop,noatime %s %s", image, image, image, dir))
}

// freeze freezes it, once for all who hang on it; the guard thaws.
func freeze(t *testing.T, _ *lab, p *played) {
	if p.command != "" && p.command != commands[0] {
		return
	}
	thaw := bed.Guard(t, "fsfreeze -u "+p.dir+" 2>/dev/null; true")
	p.heal = append(p.heal, thaw)
	sh(t, "fsfreeze -f "+p.dir)
}

// ---- FUSE

// silent is a directory whose files are never answered for: "hang" and all that
// begins so hangs in LOOKUP, "read" in READ, "exec" in OPEN, "write" in WRITE.
type silent struct {
	fs.Inode
	open chan struct{}
}

type silentFile struct {
	fs.Inode
	open chan struct{}
	name string
}

var (
	_ fs.NodeLookuper  = (*silent)(nil)
	_ fs.NodeOpener    = (*silentFile)(nil)
	_ fs.NodeReader    = (*silentFile)(nil)
	_ fs.NodeWriter    = (*silentFile)(nil)
	_ fs.NodeGetattrer = (*silentFile)(nil)
	_ fs.NodeCreater   = (*silent)(nil)
	_ fs.NodeSetattrer = (*silentFile)(nil)
)

// Create is for core dumps; what is written into them is never answered for.
func (r *silent) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if !strings.HasPrefix(name, "core") {
		return nil, nil, 0, syscall.EROFS
	}
	out.Attr.Mode = syscall.S_IFREG | 0o600
	return r.NewInode(ctx, &silentFile{open: r.open, name: "core"}, fs.StableAttr{Mode: syscall.S_IFREG}), nil, fuse.FOPEN_DIRECT_IO, 0
}

func (f *silentFile) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return f.Getattr(ctx, h, out)
}

func (r *silent) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	switch {
	case strings.HasPrefix(name, "hang"):
		<-r.open
		return nil, syscall.ENOENT
	case name == "read" || name == "exec" || name == "write":
		out.Attr.Mode, out.Attr.Size = syscall.S_IFREG|0o755, 4096
		return r.NewInode(ctx, &silentFile{open: r.open, name: name}, fs.StableAttr{Mode: syscall.S_IFREG}), 0
	}
	return nil, syscall.ENOENT
}

func (f *silentFile) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = syscall.S_IFREG|0o755, 4096
	if f.name == "core" { // it has just been made
		out.Mode, out.Size = syscall.S_IFREG|0o600, 0
	}
	return 0
}

func (f *silentFile) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	switch f.name {
	case "exec":
		<-f.open
		return nil, 0, syscall.EIO
	case "write": // to be mapped
		return nil, 0, 0
	}
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (f *silentFile) Read(_ context.Context, _ fs.FileHandle, dest []byte, _ int64) (fuse.ReadResult, syscall.Errno) {
	if f.name == "write" {
		return fuse.ReadResultData(make([]byte, len(dest))), 0
	}
	<-f.open
	return nil, syscall.EIO
}

func (f *silentFile) Write(context.Context, fs.FileHandle, []byte, int64) (uint32, syscall.Errno) {
	<-f.open
	return 0, syscall.EIO
}

// mountFUSE serves a silent directory from this process. go-fuse opens /dev/fuse
// without close-on-exec, and a child that held it would keep the connection
// alive after the server's end: no fork may come in between.
func mountFUSE(dir string, open chan struct{}) (*fuse.Server, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	opts := &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, AllowOther: true, FsName: "whystuck-hang", Name: "silent"}}
	server, err := fs.Mount(dir, &silent{open: open}, opts)
	if err != nil {
		return nil, err
	}
	fds, err := os.ReadDir("/proc/self/fd")
	for _, e := range fds {
		var fd int
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == "/dev/fuse" {
			fmt.Sscan(e.Name(), &fd)
			syscall.CloseOnExec(fd)
		}
	}
	return server, err
}

// silentFUSE mounts it for a scene.
func silentFUSE(t *testing.T, _ *lab, p *played) {
	dir := makeDir(t, p)
	open := make(chan struct{})
	if _, err := mountFUSE(dir, open); err != nil {
		t.Fatalf("mounting a FUSE file system: %v", err)
	}
	p.heal = append(p.heal, func() { close(open) })
	p.other = os.Getpid()
	p.tidy = append(p.tidy, func() { unmount(t, dir) })
}

// serveEnv makes this program a FUSE server for the directory that it names,
// until its standard input ends.
const serveEnv = "WHYSTUCK_HANG_SERVE"

func serve(dir string) {
	if _, err := mountFUSE(dir, make(chan struct{})); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("READY")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// ownServer serves it from a process of its own.
func ownServer(t *testing.T, l *lab, p *played) {
	dir := makeDir(t, p)
	p.tidy = append(p.tidy, func() { unmount(t, dir) })
	p.other = l.spawn(t, p, append(os.Environ(), serveEnv+"="+dir), os.Args[0])
}

// stopServer stops it before it has read the request of late_stat.
func stopServer(t *testing.T, _ *lab, p *played) {
	if err := syscall.Kill(p.other, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second)
}

// mountFusectl mounts what the abort command needs, if it is not there.
func mountFusectl(t *testing.T) {
	const dir = "/sys/fs/fuse/connections"
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) == nil && st.Type == 0x65735543 {
		return
	}
	if err := unix.Mount("none", dir, "fusectl", 0, ""); err != nil {
		t.Logf("mounting fusectl: %v", err)
		return
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// ---- other processes

// spawn starts a program that says READY, and that the kernel kills with this
// process. It is killed by heal.
func (l *lab) spawn(t *testing.T, p *played, env []string, name string, args ...string) int {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan error), make(chan struct{})
	go func() { // Pdeathsig is of the thread that forks
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			line, _ := bufio.NewReader(out).ReadString('\n')
			if !strings.Contains(line, "READY") {
				t.Errorf("%s %v says %q", name, args, line)
			}
			started <- nil
			_ = cmd.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	p.heal = append(p.heal, func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	<-started
	l.mu.Lock()
	l.pids = append(l.pids, cmd.Process.Pid)
	l.mu.Unlock()
	return cmd.Process.Pid
}

// hold runs a mode of siglab on the container's init: a tracer, an intruder.
func hold(mode string) func(*testing.T, *lab, *played) {
	return func(t *testing.T, l *lab, p *played) {
		p.other = l.spawn(t, p, nil, l.siglab, "-n", fmt.Sprint(p.pid), mode)
	}
}

// joinStopped is nsenter that somebody stopped.
func joinStopped(t *testing.T, l *lab, p *played) {
	hold("join")(t, l, p)
	if err := syscall.Kill(p.other, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// stopShim stops the container's shim: what dockerd asks of it hangs.
func stopShim(t *testing.T, _ *lab, p *played) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	var state string
	if _, err := fmt.Sscanf(string(stat[bytes.LastIndexByte(stat, ')')+2:]), "%s %d", &state, &p.other); err != nil {
		t.Fatal(err)
	}
	if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.other)); !strings.HasPrefix(string(comm), "containerd-shim") {
		t.Fatalf("PID %d is %s, no shim", p.other, comm)
	}
	p.heal = append(p.heal, bed.Guard(t, fmt.Sprintf("kill -CONT %d", p.other)))
	if err := syscall.Kill(p.other, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// stopChild stops the child of the container's init.
func stopChild(t *testing.T, _ *lab, p *played) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.pid, p.pid))
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscan(string(b), &child); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// ---- cgroups

// groupOf is the container's directory in a cgroup hierarchy.
func groupOf(t *testing.T, p *played, hierarchy string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	key := ":" + hierarchy + ":"
	for line := range strings.Lines(string(b)) {
		if _, path, ok := strings.Cut(strings.TrimSpace(line), key); ok {
			return path
		}
	}
	t.Skipf("no cgroup hierarchy %q here", hierarchy)
	return ""
}

// freezeGroup writes into a file of the container's cgroup or of its parent.
func freezeGroup(root, hierarchy, file, on, off string, parent bool) func(*testing.T, *lab, *played) {
	return func(t *testing.T, _ *lab, p *played) {
		dir := root + groupOf(t, p, hierarchy)
		if parent {
			dir = filepath.Dir(dir)
			if !strings.Contains(dir, "wshang") {
				t.Fatalf("%s is not ours to freeze", dir)
			}
		}
		p.dir = filepath.Join(dir, file)
		p.heal = append(p.heal, bed.Guard(t, fmt.Sprintf("echo %s > %s", off, p.dir)))
		if err := os.WriteFile(p.dir, []byte(on), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// ---- autofs

// autofs is an automount point whose daemon, this process, never answers.
// Closing the pipe makes it catatonic, and who waits is let go.
func autofs(t *testing.T, _ *lab, p *played) {
	dir := makeDir(t, p)
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", fds[1], unix.Getpgrp())
	if err := unix.Mount("whystuck-hang", dir, "autofs", 0, options); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		t.Skipf("mounting autofs: %v", err)
	}
	p.tidy = append(p.tidy, func() { unmount(t, dir) })
	p.heal = append(p.heal, func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
}
