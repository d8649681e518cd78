package probe

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// crew walks every task of the host by stat, and by wchan where a sleep that
// looks harmless may be a request to a FUSE server. It takes 15 us a task.
func (r *reader) crew(blockers []int, until time.Time, fuse bool) crew {
	c := crew{whole: true, byWait: map[string]int{}}
	pids, _, _ := numbers(r.p.cfg.Proc, 1<<22)
	for _, pid := range pids {
		if time.Now().After(until) {
			c.whole = false
			return c
		}
		st, err := r.readStat(pid)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if fuse {
			c.addSpace(r, pid, &st)
		}
		tids := []int{pid}
		if st.Threads > 1 {
			tids, _, _ = numbers(r.p.pidPath(pid, "task"), maxTasksProcess)
		}
		for _, tid := range tids {
			if tid != pid {
				if st, err = r.readTaskStat(pid, tid); err != nil {
					continue
				}
			}
			trouble := r.inTrouble(pid, tid, &st, fuse)
			if trouble && st.State == "D" {
				c.count(r.readWchan(pid, tid, st.State))
			}
			if len(c.tasks) < maxOthers && (trouble || slices.Contains(blockers, tid)) {
				c.add(pid, tid, &st)
			}
		}
	}
	return c
}

// count notes one task in D. What it sleeps in is a name of the kernel's.
func (c *crew) count(wchan *string) {
	c.blockedTasks++
	name := ""
	if wchan != nil {
		name = bareSymbol(*wchan)
	}
	if _, known := c.byWait[name]; known || len(c.byWait) < maxWaits {
		c.byWait[name]++
	}
}

// maxWaits bounds the kinds of waits that are told apart.
const maxWaits = 24

func (c crew) blocked() *evidence.Blocked {
	return &evidence.Blocked{Tasks: c.blockedTasks, ByWait: c.byWait, Whole: c.whole}
}

// inTrouble picks D, and where it matters S in a wait for a FUSE server.
func (r *reader) inTrouble(pid, tid int, st *stat, fuse bool) bool {
	switch {
	case st.State == "D":
		return true
	case st.State == "S" && fuse:
		data, err := r.read(r.p.taskPath(pid, tid, "wchan"), 256)
		return err == nil && strings.HasPrefix(string(data), "request_wait_answer")
	}
	return false
}

func (c *crew) add(pid, tid int, st *stat) {
	c.tasks = append(c.tasks, evidence.OtherTask{PID: pid, TID: tid, Comm: st.Comm, State: st.State, Kernel: st.Flags&pfKthread != 0})
	c.full = append(c.full, evidence.Task{TID: tid, State: st.State, Comm: st.Comm})
}

// pfKthread is PF_KTHREAD (include/linux/sched.h).
const pfKthread = 0x200000

// lookClosely reads what each of the crew waits in and for, in the order of a look:
// the calls first, then mounts, and memory last. Whoever does not answer is left
// with what is known.
func (p *Prober) lookClosely(ctx context.Context, c *crew) {
	closer(ctx, p, c, func(r *reader, o *evidence.OtherTask, t *evidence.Task) {
		t.Wchan = r.readWchan(o.PID, o.TID, t.State)
		t.Stack = r.readStack(o.PID, o.TID)
		if data, err := r.read(p.taskPath(o.PID, o.TID, fileSyscall.name), firstRead); err == nil {
			t.Syscall, _ = parseSyscall(data, runtime.GOARCH)
		}
		o.Container, o.SleptMillis = r.containerOf(o.PID), r.slept(o.PID, o.TID)
	})
	for i := range c.tasks {
		o, t := &c.tasks[i], &c.full[i]
		o.Stack = t.Stack
		if t.Wchan != nil {
			o.Wchan = *t.Wchan
		}
	}
	own, _ := runBatch(ctx, 1, p.cfg.ReadTimeout, func(int) []mount {
		r := p.newReader()
		defer r.close()
		table, _ := r.mounts(p.pidPath(os.Getpid(), "mountinfo"))
		return table
	}).result(0)
	closer(ctx, p, c, func(r *reader, o *evidence.OtherTask, t *evidence.Task) {
		if !o.Kernel && t.State != "Z" {
			o.About = r.about(o.PID, []evidence.Task{*t}, own)[o.TID]
		}
	})
	closer(ctx, p, c, func(r *reader, o *evidence.OtherTask, t *evidence.Task) {
		q := evidence.Process{PID: o.PID, Tasks: []evidence.Task{*t}}
		if _, ok := callPath(t.Syscall); ok && !o.Kernel && memoryFree(&q) {
			if a := r.arguments(o.PID, q.Tasks, own)[o.TID]; a != nil {
				o.About = a
			}
		}
	})
}

// closer runs one step over all of a crew. The step works on copies, which are
// taken over where it came back in time.
func closer(ctx context.Context, p *Prober, c *crew, work func(r *reader, o *evidence.OtherTask, t *evidence.Task)) {
	type pair struct {
		o evidence.OtherTask
		t evidence.Task
	}
	in := make([]pair, len(c.tasks))
	for i := range in {
		in[i] = pair{c.tasks[i], c.full[i]}
	}
	b := runBatch(ctx, len(in), p.cfg.ReadTimeout, func(i int) pair {
		r := p.newReader()
		defer r.close()
		v := in[i]
		work(r, &v.o, &v.t)
		return v
	})
	for i := range in {
		if v, ok := b.result(i); ok {
			c.tasks[i], c.full[i] = v.o, v.t
		}
	}
}

// containerOf is the container id in a process's cgroup, "" for none. The unified
// line comes first in worth: a dying process is at "/" in the others.
func (r *reader) containerOf(pid int) string {
	data, err := r.read(r.p.pidPath(pid, fileCgroup.name), maxRead)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			part = strings.TrimSuffix(part, ".scope")
			part = part[strings.LastIndexByte(part, '-')+1:]
			if len(part) == 64 && strings.Trim(part, "0123456789abcdef") == "" {
				return part
			}
		}
	}
	return ""
}

// inGroup reports whether a process is in a cgroup or below it, in any hierarchy.
func (r *reader) inGroup(pid int, path string) bool {
	data, err := r.read(r.p.pidPath(pid, fileCgroup.name), maxRead)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) == 3 && below(f[2], path) {
			return true
		}
	}
	return false
}
