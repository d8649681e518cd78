// Package probe looks at a container's processes on this host, from /proc and
// the cgroup file systems, and writes down what was seen.
//
// It is made for sick hosts: a look is a list of small steps, the harmless reads
// first, each under a deadline, and a step that does not come back is left
// behind. A read that fails is a gap in the evidence, never an error. It only
// looks: it sends no signal, attaches to nothing and writes nowhere.
//
// It is not for judging (diagnose), for names and engines (engine), nor for
// what lies in a program's memory (probe/inside) or in the kernel's (kernel).
package probe

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/procfs"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Config says where and how long to look. The zero value is this host with
// the usual deadlines.
type Config struct {
	Proc string // root of procfs, "" for /proc
	Sys  string // root of sysfs, "" for /sys
	// ReadTimeout is how long a step over one process may take that may block, 0
	// for 400 ms. The harmless ones may take Total: on a starved host a status
	// comes late, and without it there is no verdict.
	ReadTimeout time.Duration
	// Total is how long the look at one target may take, 0 for 1.5 s; crowds get
	// 2 ms more for each process.
	Total time.Duration
	// Interval is the time between two looks at a task in D or R, 0 for 30 ms.
	Interval time.Duration
}

const (
	defaultRead     = 400 * time.Millisecond
	defaultTotal    = 1500 * time.Millisecond
	defaultInterval = 30 * time.Millisecond
)

// Prober looks at targets. It keeps no state between looks but for a Survey and a
// moment's search for FUSE servers, and
// may be used by several goroutines at once.
type Prober struct {
	cfg Config
	fs  procfs.FS // the zero FS when there is no procfs: every read is a gap then
	// survey is nil until Survey was called.
	survey *beside.Task[*survey]
	fuse   holders
}

// New prepares a Prober; it reads nothing of any process.
func New(c Config) *Prober {
	if c.Proc == "" {
		c.Proc = procfs.DefaultMountPoint
	}
	if c.Sys == "" {
		c.Sys = "/sys"
	}
	c.ReadTimeout = orDefault(c.ReadTimeout, defaultRead)
	c.Total = orDefault(c.Total, defaultTotal)
	c.Interval = orDefault(c.Interval, defaultInterval)
	p := &Prober{cfg: c}
	if fs, err := procfs.NewFS(c.Proc); err == nil {
		p.fs = fs
	}
	return p
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// pidPath is PROC/PID/elem...
func (p *Prober) pidPath(pid int, elem ...string) string {
	path := make([]byte, 0, 64)
	path = append(path, p.cfg.Proc...)
	path = strconv.AppendInt(append(path, '/'), int64(pid), 10)
	for _, e := range elem {
		path = append(append(path, '/'), e...)
	}
	return string(path)
}

// taskPath is PROC/PID/task/TID/name. The leader's own files stand one level
// higher as well, which is cheaper to walk; stat alone has other contents there.
func (p *Prober) taskPath(pid, tid int, name string) string {
	if pid == tid && name != "stat" && name != "children" {
		return p.pidPath(pid, name)
	}
	return p.pidPath(pid, "task", strconv.Itoa(tid), name)
}

// cgroupRoot is the directory under which the cgroup hierarchies are mounted.
func (p *Prober) cgroupRoot() string { return filepath.Join(p.cfg.Sys, "fs", "cgroup") }

// Container looks at the container whose engine record is in t: t.PID is the
// host PID of its init (0: none known) and t.Container.ID its id. It fills
// Identity, HostPIDNS, Processes, Cgroup and Gaps, and gives up what is left
// when the context or the deadline ends.
func (p *Prober) Container(ctx context.Context, t *evidence.Target) {
	l := p.newLook(ctx, t)
	defer func() { l.cancel() }()
	l.identify()
	if !l.t.Identity.Here {
		return
	}
	l.readCgroup()
	l.see(l.containerMembers(), seeing{})
	l.seeAround()
	l.finish()
}
