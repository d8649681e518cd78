package probe

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// maxOthers bounds the tasks of others that are looked at closely, in one look.
const maxOthers = 64

// Others finds who else is stuck on what tasks of the targets are stuck on, and
// fills Target.Others. It goes over every task of the host, so it does so only
// where some target has a task that hangs, and tells how many tasks are in D. blockers are threads that own locks,
// by the kernel's word, and are named in any case.
func (p *Prober) Others(ctx context.Context, targets []evidence.Target, blockers []int) *evidence.Blocked {
	var hung []*evidence.Target
	for i := range targets {
		if len(devicesOf(&targets[i])) > 0 || hasBlocker(&targets[i], blockers) {
			hung = append(hung, &targets[i])
		}
	}
	if len(hung) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*p.cfg.ReadTimeout)
	defer cancel()
	until := time.Now().Add(p.cfg.ReadTimeout)
	found, ok := runBatch(ctx, 1, 2*p.cfg.ReadTimeout, func(int) noted[crew] {
		return step(p, func(r *reader) crew { return r.crew(blockers, until, true) })
	}).result(0)
	if !ok {
		for _, t := range hung {
			addGaps(t, evidence.Gap{Path: p.cfg.Proc + "/*/stat", Kind: evidence.GapTimeout, Matters: matterOthers})
		}
		return nil
	}
	c := found.value
	p.lookClosely(ctx, &c)
	p.readSpaces(ctx, &c)
	for _, t := range hung {
		t.Others = c.stuckWith(t, blockers)
	}
	return c.blocked()
}

const matterOthers = "cannot tell who else on this host is stuck on the same thing"

// crew is what was seen of the host: the tasks that may hang, and who holds locks.
type crew struct {
	tasks []evidence.OtherTask
	full  []evidence.Task // the same tasks, as the readers of their calls want them
	whole bool
	// blockedTasks and byWait count all tasks in D.
	blockedTasks int
	byWait       map[string]int
	spaces       []space
	seenSpaces   map[string]bool
}

// devicesOf are the devices that hanging tasks of a target are stuck on, and those
// that a process with a ring of asynchronous requests has files on.
func devicesOf(t *evidence.Target) map[string]bool {
	out := map[string]bool{}
	for i := range t.Processes {
		for j := range t.Processes[i].AIO {
			addDevices(out, &t.Processes[i].AIO[j])
		}
		for j := range t.Processes[i].Tasks {
			if a := t.Processes[i].Tasks[j].About; a != nil && mayHang(&t.Processes[i].Tasks[j]) {
				addDevices(out, a)
			}
		}
	}
	return out
}

func addDevices(set map[string]bool, a *evidence.About) {
	for _, d := range []string{a.Device, a.Under} {
		if d != "" {
			set[d] = true
		}
	}
}

// hasBlocker reports whether a task of t waits for a lock of one of the given
// threads.
func hasBlocker(t *evidence.Target, blockers []int) bool {
	if slices.ContainsFunc(t.HungLog, func(l evidence.HungLine) bool { return l.Owner != 0 }) {
		return true
	}
	for i := range t.Processes {
		if k := t.Processes[i].Kernel; k != nil && slices.ContainsFunc(k.Tasks, func(k evidence.KernelTask) bool { return slices.Contains(blockers, k.Blocker) }) {
			return true
		}
	}
	return false
}

// stuckWith picks those that are in trouble with t and do not belong to it: on
// the same device, or the owner of a lock. A task that waits for a lock of such a
// one is found by its own device.
func (c *crew) stuckWith(t *evidence.Target, blockers []int) *evidence.Others {
	out := &evidence.Others{Tasks: []evidence.OtherTask{}, Whole: c.whole}
	devices, own := devicesOf(t), map[int]bool{}
	for i := range t.Processes {
		own[t.Processes[i].PID] = t.Processes[i].State != "" && !t.Processes[i].Outside
	}
	for i := range c.tasks {
		o := &c.tasks[i]
		same := stays(o) && o.About != nil && (devices[o.About.Device] || devices[o.About.Under] && o.About.Under != "")
		same = same || o.Kernel && worksOn(o.Comm, t.Devices)
		if own[o.PID] || !same && !slices.Contains(blockers, o.TID) {
			continue
		}
		out.Count++
		out.Tasks = append(out.Tasks, *o)
	}
	// Who has waited longest is nearest to the cause.
	slices.SortStableFunc(out.Tasks, func(a, b evidence.OtherTask) int { return sleptFor(&b) - sleptFor(&a) })
	out.Tasks = out.Tasks[:min(len(out.Tasks), maxOthersTarget)]
	id := ""
	if t.Container != nil {
		id = t.Container.ID
	}
	out.Mounted = c.mountedIn(devices, id)
	return out
}

// worksOn reports whether a kernel thread does the work of one of the devices, by
// its name: kworker/u8:3+loop1, jbd2/loop1-8, kworker/u8:1+flush-7:1.
func worksOn(comm string, devices []evidence.BlockDevice) bool {
	return slices.ContainsFunc(devices, func(d evidence.BlockDevice) bool {
		return strings.HasPrefix(comm, "jbd2/"+d.Name+"-") || strings.HasSuffix(comm, "+"+d.Name) || strings.HasSuffix(comm, "-"+d.Name) || strings.HasSuffix(comm, "flush-"+d.Number)
	})
}

// stays reports whether a task has slept for longer than a disk takes, where
// SIGKILL may not end it.
func stays(o *evidence.OtherTask) bool {
	wait := catalog.LookupWait(o.Stack, catalog.TrimSuffix(o.Wchan))
	return (o.SleptMillis == nil || *o.SleptMillis >= 1000) && (wait == nil || wait.Killable != catalog.KillableYes)
}

// maxOthersTarget bounds what travels in a snapshot.
const maxOthersTarget = 24

func sleptFor(o *evidence.OtherTask) int {
	if o.SleptMillis == nil {
		return 0
	}
	return *o.SleptMillis
}
