package diagnose

import (
	"slices"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Flags of /proc/PID/stat field 9, include/linux/sched.h.
const (
	pfExiting = 0x4
	pfKthread = 0x200000
)

// inspection is one target's evidence, indexed for the rules.
type inspection struct {
	host *evidence.Host
	t    *evidence.Target
	opt  Options
	// takenAt is when the snapshot was taken.
	takenAt time.Time

	root     *evidence.Process // the process that gets the stop signal, nil if there is none
	byPID    map[int]*evidence.Process
	children map[int][]*evidence.Process // living, by start time
	twins    map[alike]*evidence.Process // nil until asked for
}

func newInspection(host *evidence.Host, t *evidence.Target, opt Options) *inspection {
	c := &inspection{host: host, t: t, opt: opt,
		byPID: map[int]*evidence.Process{}, children: map[int][]*evidence.Process{}}
	for i := range t.Processes {
		p := &t.Processes[i]
		if p.Program == nil {
			prog := catalog.Identify(p)
			p.Program = &prog
		}
		c.byPID[p.PID] = p
	}
	for i := range t.Processes {
		p := &t.Processes[i]
		if !dead(p) {
			c.children[p.PPID] = append(c.children[p.PPID], p)
		}
	}
	for _, list := range c.children {
		sort.Slice(list, func(i, j int) bool {
			if list[i].StartTicks != list[j].StartTicks {
				return list[i].StartTicks < list[j].StartTicks
			}
			return list[i].PID < list[j].PID
		})
	}
	c.root = c.byPID[t.PID]
	return c
}

// dead reports whether a process is gone but for its entry: a zombie without
// living threads.
func dead(p *evidence.Process) bool {
	return (p.State == "Z" || p.State == "X") && livingThreads(p) == 0
}

// livingThreads counts the tasks that are neither zombie nor dead.
func livingThreads(p *evidence.Process) int {
	n := 0
	for i := range p.Tasks {
		if s := p.Tasks[i].State; s != "Z" && s != "X" {
			n++
		}
	}
	return n
}

// dying reports whether a process has begun to exit. Of a leader that is a zombie
// and has living threads its own flag tells nothing (pthread_exit): the end of the
// whole leaves SIGKILL pending in each of them (kernel/signal.c zap_other_threads).
func dying(p *evidence.Process) bool {
	group := p.Kernel != nil && p.Kernel.GroupExit != nil && *p.Kernel.GroupExit
	if p.State == "Z" && livingThreads(p) > 0 {
		return group || slices.ContainsFunc(p.Tasks, func(t evidence.Task) bool {
			return t.State != "Z" && t.State != "X" && (sigkillPending(p, &t) || catalog.Exiting(t.Stack))
		})
	}
	return group || p.Flags&pfExiting != 0
}

// program is the catalog row of p, nil when it is not known or when its masks
// contradict the name it goes by. Of a process that was looked at briefly only the
// comm is known, which anybody can set: it is shown and nothing is built on it.
func (c *inspection) program(p *evidence.Process) *catalog.Program {
	if p.Brief {
		return nil
	}
	row := catalog.ByID(p.Program.ID)
	if row == nil || !plausible(row, p) {
		return nil
	}
	return row
}

// plausible checks a name that came out of a container against masks that came
// from the kernel: a program called tini that has a handler is not tini.
func plausible(row *catalog.Program, p *evidence.Process) bool {
	if p.Signals == nil {
		return true
	}
	s := p.Signals
	switch row.ID {
	case "tini":
		return s.Caught == 0 && s.Ignored.Has(evidence.SIGTTIN) && s.Ignored.Has(evidence.SIGTTOU)
	case "dumb-init":
		return s.Caught.Has(evidence.SIGTERM) && s.Caught.Has(evidence.SIGUSR1) && s.Caught.Has(evidence.SIGWINCH)
	case "node", "npm", "pm2", "nodemon", "pnpm", "yarn":
		return s.Ignored.Has(evidence.SIGPIPE) && s.Caught.Has(evidence.SIGSEGV)
	case "java":
		return s.Caught.Has(evidence.SIGSEGV) && s.Caught.Has(evidence.SIGBUS)
	case "nginx":
		return s.Caught.Has(evidence.SIGUSR2) && s.Caught.Has(evidence.SIGWINCH) && s.Ignored.Has(evidence.SIGPIPE)
	case "su", "runuser", "doas", "sudo": // with -P su reads a signalfd instead
		return s.Caught.Has(evidence.SIGTERM)
	case "s6-svscan":
		return s.Caught.Has(evidence.SIGPIPE)
	case "systemd":
		return s.Caught.Has(evidence.SIGSEGV) && s.Ignored.Has(evidence.SIGPIPE)
	}
	return true
}

// programID is the ID of the row that holds, "" if none.
func (c *inspection) programID(p *evidence.Process) string {
	if row := c.program(p); row != nil {
		return row.ID
	}
	return ""
}

// nsInit reports whether the kernel protects p as the init of a PID namespace
// (SIGNAL_UNKILLABLE). The bit is gone once it is dying: complete_signal() then sets
// the flags to SIGNAL_GROUP_EXIT alone.
func nsInit(p *evidence.Process) bool {
	if p.Kernel != nil && p.Kernel.Unkillable != nil && !dying(p) {
		return *p.Kernel.Unkillable
	}
	return p.NSPID() == 1
}

// hostInit reports whether p is PID 1 of the whole host, which even SIGKILL does
// not end.
func hostInit(p *evidence.Process) bool { return p.PID == 1 }

// descendants lists the living processes below p, nearest first.
func (c *inspection) descendants(p *evidence.Process) []*evidence.Process {
	var out []*evidence.Process
	queue := append([]*evidence.Process(nil), c.children[p.PID]...)
	seen := map[int]bool{p.PID: true}
	for len(queue) > 0 {
		q := queue[0]
		queue = queue[1:]
		if seen[q.PID] {
			continue
		}
		seen[q.PID] = true
		out = append(out, q)
		queue = append(queue, c.children[q.PID]...)
	}
	return out
}

// age is how long p has lived, in seconds; false when the clock is not known.
func (c *inspection) age(p *evidence.Process) (float64, bool) {
	if c.host.UptimeTicks == 0 || p.StartTicks == 0 || p.StartTicks > c.host.UptimeTicks {
		return 0, false
	}
	return float64(c.host.UptimeTicks-p.StartTicks) / 100, true
}

// name is what a process is called on the screen: unescaped, render escapes it.
func name(p *evidence.Process) string {
	if p.Program != nil && p.Program.Display != "" {
		return bounded(p.Program.Display, 40)
	}
	return bounded(p.Comm, 40)
}

// bounded cuts a hostile string.
func bounded(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
