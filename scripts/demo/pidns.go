package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// pidns shows it with no engine: the program as PID 1 of a new PID namespace.
// Without root that needs a user namespace as well.
func (d *demo) pidns(ctx context.Context) error {
	path := filepath.Join(d.dir, programName)
	if err := os.WriteFile(path, d.elf, 0o700); err != nil {
		return fmt.Errorf("writing the program: %w", err)
	}
	cmd := exec.Command(path)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL, // the namespace does not outlive a killed demo
		Setpgid:    true,            // Ctrl-C is for the demo
	}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
	step("a new PID namespace, with a static program of %d bytes as PID 1", len(d.elf))
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a program in a new PID namespace (as non-root this needs user namespaces): %w", err)
	}
	defer func() {
		step("kill -9 %d", cmd.Process.Pid)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed"
	}()
	return d.diagnose(ctx, "--pid", strconv.Itoa(cmd.Process.Pid))
}
