package probe

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Host describes the host and the observer's rights on it. What cannot be read
// stays empty.
func (p *Prober) Host() evidence.Host {
	h := evidence.Host{Arch: runtime.GOARCH, EUID: os.Geteuid(), Cgroup: p.cgroupMode(), Sources: []string{"proc"}}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
		// USER_HZ, the tick of every number in /proc/PID/stat, is 100 on all
		// architectures that Go runs on.
		h.UptimeTicks = uint64(ts.Nano()) / 1e7
	}
	return h
}

// cgroupMode tells v1, v2 and hybrid apart by what is mounted, "" for neither.
func (p *Prober) cgroupMode() string {
	root := p.cgroupRoot()
	switch {
	case exists(root + "/cgroup.controllers"):
		return "v2"
	case exists(root + "/unified/cgroup.controllers"):
		return "hybrid"
	case exists(root + "/freezer"), exists(root + "/pids"), exists(root + "/memory"), exists(root + "/systemd"):
		return "v1"
	}
	return ""
}
