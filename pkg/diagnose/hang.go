package diagnose

import (
	"fmt"
	"slices"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// hang is a task that SIGKILL does not end, or not until somebody else acts.
type hang struct {
	p    *evidence.Process
	t    *evidence.Task
	code string // the rule
	conf Confidence
	wait *catalog.Wait // nil when no frame is known
	says string
	// unread: what it sleeps in could not be read, so that it may end on SIGKILL.
	unread bool
	// timeless: when docker gives up is not known.
	timeless bool
	// leaderZombie: docker kill then fails at once with its zombie message.
	leaderZombie bool
}

const taskWakeKill = 0x100 // TASK_WAKEKILL

// hangs lists every task of the target that SIGKILL will not end.
func (c *inspection) hangs() []hang {
	var out []hang
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		if h := c.processHang(p); h != nil {
			out = append(out, *h)
			continue
		}
		before := len(out)
		for j := range p.Tasks {
			if h := c.taskHang(p, &p.Tasks[j]); h != nil {
				h.leaderZombie = h.leaderZombie || p == c.root && p.Tasks[j].TID != p.PID && p.State != "D"
				out = append(out, *h)
			}
		}
		if h := c.hangAsync(p); h != nil && len(out) == before {
			out = append(out, *h)
		}
	}
	if h := c.strangerHang(); h != nil {
		out = append(out, *h)
	}
	return out
}

// livingOn counts the threads that outlive their leader.
func livingOn(n int) string {
	if n == 1 {
		return "one other thread lives"
	}
	return fmt.Sprintf("%d other threads live", n)
}

// processHang is for hangs of a whole process: emptying its namespace, a zombie
// leader with living threads, a zombie that its tracer holds.
func (c *inspection) processHang(p *evidence.Process) *hang {
	switch {
	case inZap(p):
		return &hang{p: p, t: leader(p), code: "WS205", conf: Certain,
			says: "PID 1 is dying and waits for the other tasks of its PID namespace to go"}
	case c.leaderGone(p):
		return &hang{p: p, t: leader(p), code: "WS206", conf: Likely, leaderZombie: true,
			says: "its leader has exited, " + livingOn(livingThreads(p))}
	case p.State == "Z" && livingThreads(p) == 0 && p.TracerPID != 0 && !c.tracerDies(p):
		h := &hang{p: p, t: leader(p), code: "WS203", conf: Likely, leaderZombie: true,
			says: fmt.Sprintf("it is dead, but its tracer (PID %d) has not let it go", p.TracerPID)}
		if h.t != nil && h.t.Again != nil && h.t.Again.State == "Z" { // a good tracer too needs a moment
			h.conf = Certain
		}
		return h
	}
	return nil
}

// leaderGone reports whether a zombie leader with living threads is in the way. A
// main thread may leave with pthread_exit: the others then live as before, and take
// signals. But an engine's runtime takes such an init for stopped and sends none.
func (c *inspection) leaderGone(p *evidence.Process) bool {
	if p.State != "Z" || livingThreads(p) == 0 {
		return false
	}
	return p == c.root && c.byEngine() || dying(p)
}

// inZap reports whether p is the init of a PID namespace that is being emptied.
func inZap(p *evidence.Process) bool {
	if p.State == "Z" || !nsInit(p) {
		return false
	}
	t := leader(p)
	if t == nil {
		return false
	}
	return slices.ContainsFunc(t.Stack, func(f string) bool { return catalog.TrimSuffix(f) == "zap_pid_ns_processes" }) ||
		wchan(t) == "zap_pid_ns_processes"
}

// taskHang judges one task; nil when SIGKILL ends it.
func (c *inspection) taskHang(p *evidence.Process, t *evidence.Task) *hang {
	switch t.State {
	case "D":
		return c.hangD(p, t)
	case "R":
		return c.hangSpin(p, t)
	case "t":
		if !tracerHangs(p) {
			return nil // SIGKILL breaks the stop, and the tracer lets the dead go
		}
		return c.hangTraced(p, t)
	case "S":
		if h := hangExit(p, t); h != nil {
			return h
		}
		if tracerHangs(p) {
			if h := c.hangTraced(p, t); h != nil {
				return h
			}
		}
		return c.hangFUSE(p, t)
	}
	return nil
}

// hangExit is for a wait in a task's own exit that no signal ends, although it
// shows S (io_uring/cancel.c io_uring_cancel_generic).
func hangExit(p *evidence.Process, t *evidence.Task) *hang {
	if !catalog.Exiting(t.Stack) {
		return nil
	}
	wait := catalog.LookupWait(t.Stack, wchan(t))
	if wait == nil || wait.Topic != "aio" || wait.Killable != catalog.KillableNo || t.Again != nil && (t.Again.State != "S" || t.Again.Moved) {
		return nil
	}
	h := &hang{p: p, t: t, code: "WS220", wait: wait, conf: Likely, says: "it waits in its own exit, where SIGKILL no longer reaches it"}
	if short(t) {
		h.conf = Assumed
	}
	return h
}

// hangAsync is for a process whose exit would wait for requests that it has handed to
// the kernel (fs/aio.c exit_aio): nothing but its ring is to be seen before. How many
// are under way is not, so it counts only where a device below its files is known not
// to answer.
func (c *inspection) hangAsync(p *evidence.Process) *hang {
	lead := leader(p)
	if lead == nil || dying(p) {
		return nil
	}
	for i := range p.AIO {
		t := *lead
		t.About = &p.AIO[i]
		if c.deviceHangs(&t) {
			return &hang{p: p, t: &t, code: "WS220", conf: Assumed,
				says: "it does input and output by io_submit, and has files on a device that does not answer: its exit waits for every request that is under way there, whether any is cannot be seen"}
		}
	}
	return nil
}

// holdsEnd reports whether the end of the container waits for the end of p: of its
// own processes, and of strangers in a PID namespace that its init empties.
func (c *inspection) holdsEnd(p *evidence.Process) bool {
	return !p.Outside || c.root != nil && nsInit(c.root) && p.PIDNS != 0 && p.PIDNS == c.root.PIDNS
}

// hangD is for uninterruptible sleep. /proc shows D for killable sleeps too.
func (c *inspection) hangD(p *evidence.Process, t *evidence.Task) *hang {
	if c.frozenTask(t) || t.Again != nil && (t.Again.State != "D" || t.Again.Moved) {
		return nil
	}
	wait := catalog.LookupWait(t.Stack, wchan(t))
	if wait != nil && wait.Read {
		return c.hangFUSE(p, t) // D by a signal taken before: the same sleep as in S
	}
	h := &hang{p: p, t: t, code: "WS201", wait: wait}
	if wait != nil && wait.Topic == "fuse" || onFUSE(t) {
		h.code = "WS209"
	}
	if wait != nil && wait.Topic == "coredump" {
		h.code = "WS210"
	}
	if wait != nil && wait.Topic == "aio" {
		h.code = "WS220"
	}
	killable := catalog.KillableUnknown
	if wait != nil {
		killable = wait.Killable
	}
	k := kernelTask(p, t.TID)
	exiting := dying(p) || catalog.Exiting(t.Stack)
	switch {
	case sigkillPending(p, t):
		h.conf, h.says = Certain, "SIGKILL is pending and it still sleeps"
		if slow(wait) && !c.noMoment(t) && short(t) {
			h.conf = Assumed // a disk may answer yet, and then it dies
			if t.Again != nil && t.Again.SleptMillis == nil {
				h.conf = Likely
			}
		}
	case exiting && (killable != catalog.KillableUnknown || k != nil):
		h.conf, h.says = Likely, "it waits in its own exit, where SIGKILL no longer reaches it"
		if slow(wait) && !c.noMoment(t) || short(t) {
			h.conf = Assumed
		}
	case k != nil && k.State&taskWakeKill != 0:
		return nil
	case k != nil && k.State&0x2 != 0 && k.State&taskWakeKill == 0:
		h.conf, h.says = Likely, "the kernel's state has no TASK_WAKEKILL: SIGKILL cannot end this sleep"
		if slow(wait) && !c.noMoment(t) || short(t) {
			h.conf = Assumed
		}
	case killable == catalog.KillableYes:
		return nil
	case killable == catalog.KillableNo && (!slow(wait) || c.noMoment(t)):
		h.conf, h.says = Likely, "this sleep does not end on SIGKILL"
		if short(t) {
			h.conf = Assumed
		}
	case len(t.Stack) == 0 && wchan(t) == "" && k == nil:
		h.conf, h.unread, h.says = Assumed, true, "what it sleeps in could not be read"
	default:
		h.conf, h.says = Assumed, "it slept on over two looks; whether it ends by itself is not known"
	}
	if t.Again == nil { // a D seen once is not a hang
		h.conf = Assumed
	}
	return h
}

// longWait is from when on a wait is no longer taken for that of a slow server or
// disk, in milliseconds. It is a convention: nothing tells a slow answer from
// none but time.
const longWait = 5000

// short reports whether a sleep is a young one, for all that is known: two looks are
// some 30 ms apart, so that one of an unknown length is not taken for a long one.
func short(t *evidence.Task) bool {
	return t.Again == nil || t.Again.SleptMillis == nil || *t.Again.SleptMillis < longWait
}

// kernelTells reports whether a task of p slept on in D, for which the kernel's own
// state word says whether SIGKILL ends it, and who owns the lock.
func kernelTells(p *evidence.Process) bool {
	return p.Kernel == nil && slices.ContainsFunc(p.Tasks, func(t evidence.Task) bool {
		if t.State != "D" || t.Again == nil || t.Again.State != "D" || t.Again.Moved {
			return false
		}
		wait := catalog.LookupWait(t.Stack, wchan(&t))
		return wait == nil || wait.Killable != catalog.KillableYes && wait.Topic != "freezer"
	})
}

// slow reports whether a wait is one that a busy disk causes for a moment.
func slow(w *catalog.Wait) bool {
	if w == nil {
		return true
	}
	switch w.Topic {
	case "block", "page", "journal", "memory", "lookup", "scsi", "lock", "zfs":
		return true
	}
	return false
}

// hangFUSE: a request that the server has read cannot be given up; the task shows
// S until SIGKILL makes it D (fs/fuse/dev.c request_wait_answer).
func (c *inspection) hangFUSE(p *evidence.Process, t *evidence.Task) *hang {
	wait := catalog.LookupWait(t.Stack, wchan(t))
	if wait == nil || !wait.Read || t.Again != nil && t.Again.Moved {
		return nil
	}
	h := &hang{p: p, t: t, code: "WS209", wait: wait, conf: Assumed,
		says: "if its FUSE server has read the request, SIGKILL cannot end the wait"}
	servers := c.servers(t)
	switch stopped := serverStopped(servers); {
	case sigkillPending(p, t):
		h.conf, h.says = Certain, "SIGKILL is pending and it still waits: the FUSE server has read the request"
	case serverReads(servers) && short(t):
		h.says = "its FUSE server has read the request, a moment ago: SIGKILL cannot end the wait, an answer may"
	case serverReads(servers):
		h.conf, h.says = Likely, "its FUSE server has read the request and sleeps in the next read: SIGKILL cannot end the wait"
	case stopped != nil:
		h.says = fmt.Sprintf("its FUSE server, PID %d, is stopped; if that has not read the request yet, SIGKILL ends the wait, else not", stopped.ServerPID)
	}
	if t.Again == nil {
		h.conf = Assumed
	}
	return h
}

// behindFUSE reports whether a task is on a FUSE mount whose server sleeps with
// an empty queue: what it waits for is no slow disk.
func (c *inspection) behindFUSE(t *evidence.Task) bool { return serverReads(c.servers(t)) }

// noMoment reports whether a wait that looks like one for a busy disk is known to be
// another: for a FUSE server that is silent, or for a device that is throttled or
// dead.
func (c *inspection) noMoment(t *evidence.Task) bool { return c.behindFUSE(t) || c.deviceHangs(t) }

// sigkillPending reports whether SIGKILL was sent and has not ended the task.
func sigkillPending(p *evidence.Process, t *evidence.Task) bool {
	return p.Signals != nil && p.Signals.Pending.Has(evidence.SIGKILL) || t.Pending != nil && t.Pending.Has(evidence.SIGKILL)
}

func wchan(t *evidence.Task) string {
	if t == nil || t.Wchan == nil {
		return ""
	}
	return catalog.TrimSuffix(*t.Wchan)
}
