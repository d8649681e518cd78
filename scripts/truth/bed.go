package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// group is the gid that may use the engine's socket, in place of "docker", and
// user is who asks as a member of it.
const (
	group = 64321
	user  = 65534 // nobody
)

// truthBed is the engine with the image, the programs and the binary to ask.
type truthBed struct {
	options  options
	engine   *bed.Daemon
	dir      string // of the engine, the programs and the binary
	root     string // the root file system, for what a case needs
	binary   string
	events   *eventLog
	programs string // mounted at cases.Mount
	// hostCgroups mounts the host's cgroup file systems, see hostCgroups.
	hostCgroups []string
}

// prepare builds what is missing and starts the engine. Building the root file
// system, the programs and the binary do not depend on one another.
func prepare(ctx context.Context, o options, all []cases.Case) (*truthBed, error) {
	b := &truthBed{options: o}
	var err error
	if b.dir, err = bed.TempDir(); err != nil {
		return nil, err
	}
	b.programs = filepath.Join(b.dir, "truth")
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { b.root, errs[0] = rootfs(ctx) })
	wg.Go(func() { errs[1] = buildPrograms(ctx, b.programs, all) })
	wg.Go(func() { errs[2] = b.buildBinary(ctx) })
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if b.engine, err = bed.NewDaemon(ctx, filepath.Join(b.dir, "engine")); err != nil {
		return nil, err
	}
	if err = b.openToGroup(); err == nil {
		err = b.importRoot(ctx)
	}
	if err == nil {
		b.hostCgroups, err = hostCgroups(ctx)
	}
	if err == nil {
		b.events, err = watchEvents(ctx, b.engine)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// hostCgroups are the options that mount the host's cgroup file systems, of which
// the topmost alone is read-only. Since Docker 25 a read-only mount takes in those
// below it, and there a systemd ends at once; the earlier ones have no word for it.
func hostCgroups(ctx context.Context) ([]string, error) {
	deep, err := bed.Since(ctx, 25, 0)
	if deep {
		return []string{"--mount", "type=bind,src=/sys/fs/cgroup,dst=/sys/fs/cgroup,readonly,bind-recursive=writable"}, err
	}
	return []string{"-v", "/sys/fs/cgroup:/sys/fs/cgroup:ro"}, err
}

func (b *truthBed) close() {
	if b.events != nil {
		b.events.close()
	}
	b.engine.Stop()
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
	}
}

// buildBinary puts whystuck where every user can run it; the one given may be in
// a directory of root's.
func (b *truthBed) buildBinary(ctx context.Context) error {
	if !b.options.predict {
		return nil
	}
	b.binary = filepath.Join(b.dir, "whystuck")
	step := []string{"go", "build", "-o", b.binary, "./cmd/whystuck"}
	if b.options.binary != "" {
		step = []string{"install", "-m", "755", b.options.binary, b.binary}
	}
	out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building whystuck: %w\n%s", err, out)
	}
	return nil
}

// openToGroup gives the socket to the group, as the docker package does with
// /run/docker.sock.
func (b *truthBed) openToGroup() error {
	for _, dir := range []string{b.dir, filepath.Join(b.dir, "engine")} {
		if err := os.Chmod(dir, 0o711); err != nil {
			return fmt.Errorf("opening the engine to the group: %w", err)
		}
	}
	socket := strings.TrimPrefix(b.engine.Host(), "unix://")
	if err := os.Chown(socket, 0, group); err != nil {
		return fmt.Errorf("opening the engine to the group: %w", err)
	}
	return os.Chmod(socket, 0o660)
}

// image is the root file system's name in the engine.
const image = "truth"

// importRoot makes the image: tar of the root file system into docker import.
func (b *truthBed) importRoot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tar := exec.CommandContext(ctx, "tar", "-C", b.root, "--one-file-system", "--numeric-owner", "-c", ".")
	load := exec.CommandContext(ctx, "docker", "import", "-", image)
	load.Env = b.engine.Env()
	pipe, err := tar.StdoutPipe()
	if err != nil {
		return fmt.Errorf("importing the root file system: %w", err)
	}
	load.Stdin = pipe
	if err := tar.Start(); err != nil {
		return fmt.Errorf("importing the root file system: %w", err)
	}
	out, err := load.CombinedOutput()
	_, _ = io.Copy(io.Discard, pipe) // tar must not block when docker ended early
	if werr := tar.Wait(); err == nil && werr != nil {
		err = fmt.Errorf("tar: %w", werr)
	}
	if err != nil {
		return fmt.Errorf("importing the root file system: %w\n%s", err, out)
	}
	return nil
}

// nobody are the credentials of a user who may use Docker and nothing else.
func nobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user, Groups: []uint32{group}}}
}
