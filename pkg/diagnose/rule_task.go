package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// ruleCoreDump: a process that writes its memory before it may go. Where the writer
// itself hangs, that is told before; this says why it writes.
func (c *inspection) ruleCoreDump(o *outlook) []Finding {
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if !dumps(p) || slices.ContainsFunc(o.hangs, func(h hang) bool { return h.p == p && h.code == "WS210" }) {
			continue
		}
		f := newFinding("WS210", p)
		f.Summary = fmt.Sprintf("%s (PID %d) has crashed and its memory is being written: it ends when that is done", name(p), p.PID)
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/status", p.PID), Field: "CoreDumping", Value: "1", Says: "the kernel writes a core dump"})
		if t := leader(p); t != nil && len(t.Stack) > 0 {
			if at := slices.IndexFunc(t.Stack, func(s string) bool { return s == "do_coredump" || s == "coredump_wait" || s == "vfs_coredump" }); at >= 0 {
				f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/stack", p.PID), Field: "frame", Value: t.Stack[at], Says: "the dump, behind what it waits in"})
			}
		}
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "no dumps from this container: docker run --ulimit core=0"})
		return []Finding{f}
	}
	return nil
}

// dumps reports whether the kernel writes a core dump of p.
func dumps(p *evidence.Process) bool {
	return on(p.CoreDumping) || p.Flags&pfDumpCore != 0 && p.State != "Z"
}

// pfDumpCore is PF_DUMPCORE (include/linux/sched.h).
const pfDumpCore = 0x200

// ruleOutput: it waits in a write to its output because nobody reads that. Its
// handler will, too, if it logs.
func (c *inspection) ruleOutput(o *outlook) []Finding {
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		for j := range p.Tasks {
			t := &p.Tasks[j]
			fd, ok := blockedOutput(t)
			if !ok || p.Outside {
				continue
			}
			f := newFinding("WS221", p)
			f.TID = t.TID
			f.Summary = fmt.Sprintf("%s (PID %d) waits in a write to its %s: what takes the log does not read. A handler that logs anything does not finish either", name(p), p.PID, map[int]string{1: "standard output", 2: "standard error"}[fd])
			base := fmt.Sprintf("/proc/%d/task/%d", p.PID, t.TID)
			f.Evidence = append(f.Evidence, Evidence{Source: base + "/syscall", Field: t.Syscall.Name, Value: fmt.Sprintf("fd %d", fd), Says: "in " + wchan(t) + ": the pipe is full"})
			if t.Again.SleptMillis != nil {
				f.Evidence = append(f.Evidence, Evidence{Source: base + "/sched", Field: "se.exec_start", Value: sleptWords(*t.Again.SleptMillis), Says: "since it last ran"})
			}
			if k := c.t.Container; k != nil && k.LogDriver != "" {
				f.Evidence = append(f.Evidence, configFact("HostConfig.LogConfig.Type", k.LogDriver, "the log driver, which reads it by way of the shim and dockerd"))
			}
			f.Fixes = append(f.Fixes, c.outputFixes()...)
			return []Finding{f}
		}
	}
	return nil
}

// outputFixes depend on who takes the log: somebody else, or dockerd by itself.
func (c *inspection) outputFixes() []Fix {
	if k := c.t.Container; k != nil && k.LogDriver != "" && !remoteLog(k.LogDriver) {
		return []Fix{{When: FixHost, Text: "nobody stands behind this log driver: see whether the shim, dockerd or the file system of dockerd's data directory stands still, or a client attached to the container"}}
	}
	return []Fix{{When: FixHost, Text: "make the log's server read again, or end its connection: all that is written goes through at once"},
		{When: FixRun, Text: "lose lines rather than hang while it runs: docker run --log-opt mode=non-blocking --log-opt max-buffer-size=4m. The exit waits for a receiver that does not read all the same"}}
}

// blockedOutput is the descriptor that a task has waited to write to over two looks.
func blockedOutput(t *evidence.Task) (fd int, ok bool) {
	if t.State != "S" || t.Again == nil || t.Again.Moved || t.Again.State != "S" || t.Syscall == nil || len(t.Syscall.Args) == 0 {
		return 0, false
	}
	switch wchan(t) {
	case "pipe_write", "anon_pipe_write", "pipe_wait":
	default:
		return 0, false
	}
	fd = int(int32(uint32(t.Syscall.Args[0])))
	return fd, (t.Syscall.Name == "write" || t.Syscall.Name == "writev") && (fd == 1 || fd == 2)
}

// manyZombies is from when on dead children are a trouble rather than a moment's
// delay.
const manyZombies = 20

// ruleZombies: a parent that does not reap. Each zombie holds a PID, and the day
// comes when there is none left (pids.max).
func (c *inspection) ruleZombies(o *outlook) []Finding {
	var out []Finding
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		n := p.Zombies
		if n < manyZombies {
			continue
		}
		f := newFinding("WS222", p)
		f.Summary = fmt.Sprintf("%d zombies under %s (PID %d), which does not reap them: they keep nothing from ending, but each holds a PID", n, name(p), p.PID)
		f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/task/*/children", p.PID), Field: "state Z", Value: fmt.Sprint(n), Says: "dead children that it has not waited for"})
		if t := leader(p); t != nil && wchan(t) != "" {
			f.Evidence = append(f.Evidence, Evidence{Source: fmt.Sprintf("/proc/%d/wchan", p.PID), Field: "function", Value: wchan(t), Says: "what it does instead"})
		}
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "an init reaps what is orphaned: docker run --init. What are children of the program itself only that can reap"})
		out = append(out, f)
	}
	return out[:min(len(out), maxHangFindings)]
}

// hangSpin is for a task that runs in the kernel with SIGKILL pending: signals are
// looked at on the way out only. Its system time has to rise, for on a starved host
// a dead task waits for a CPU too.
func (c *inspection) hangSpin(p *evidence.Process, t *evidence.Task) *hang {
	if !sigkillPending(p, t) || t.Again == nil || t.Again.State != "R" || t.Again.STicks < t.STicks+spinTicks {
		return nil
	}
	h := &hang{p: p, t: t, code: "WS219", conf: Likely, says: "SIGKILL is pending, and it runs on in the kernel"}
	if dying(p) { // a large memory takes seconds to free
		h.conf, h.says = Assumed, "it is dying and runs in the kernel: it frees its memory, or is caught in a loop"
	}
	return h
}

// spinTicks is how much the system time has to rise between two looks, in ticks of
// 10 ms; they are 30 ms apart or more.
const spinTicks = 2
