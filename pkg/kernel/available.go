package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// vmlinuxBTF is the running kernel's own type information (CONFIG_DEBUG_INFO_BTF).
const vmlinuxBTF = "/sys/kernel/btf/vmlinux"

// ErrPrivilege is why Available and Annotate fail without the rights to load. It
// is an fs.ErrPermission.
var ErrPrivilege error = privilegeError{}

type privilegeError struct{}

func (privilegeError) Error() string        { return "needs root (CAP_BPF, CAP_PERFMON)" }
func (privilegeError) Is(target error) bool { return target == fs.ErrPermission }

// ErrNoBTF is why they fail on a kernel without type information of itself.
var ErrNoBTF = errors.New("the kernel has no BTF (" + vmlinuxBTF + ", CONFIG_DEBUG_INFO_BTF)")

// Available says without loading anything whether the iterator can be expected
// to load: privilege and BTF. nil does not promise it, since a lockdown, an old
// kernel or a user namespace may still refuse.
func Available() error {
	if !privileged() {
		return fmt.Errorf("reading tasks by BPF: %w", ErrPrivilege)
	}
	if _, err := os.Stat(vmlinuxBTF); err != nil {
		return fmt.Errorf("reading tasks by BPF: %w", ErrNoBTF)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return errors.New("reading tasks by BPF: the program is built for little-endian machines only")
	}
	return nil
}

// privileged reads the effective capabilities rather than the uid: root in a
// container has lost them, and a service may have them without being root.
func privileged() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return false
	}
	has := func(c int) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	return has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON)
}
