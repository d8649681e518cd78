package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

const capKill = 1 << 5 // CAP_KILL, include/uapi/linux/capability.h

// forwards follows a signal through an init or wrapper; false when the row does
// not pass this signal.
func (s *simulation) forwards(r *reaction, row *catalog.Program) bool {
	f := row.Forward
	if f == nil || !f.Passes.Has(r.sig) {
		return false
	}
	sig, ok := rewritten(r, f)
	if !ok {
		r.stays(effectDiscarded, row.ID+" is told to drop it", "WS110", Likely)
		return true
	}
	switch {
	case row.ID == "runsvdir":
		return s.runsvdir(r)
	case f.Reach == catalog.ReachNobody:
		r.handled(row.ID+" leaves and waits for nobody", f.Status, f.Adds, Likely)
		r.effect, r.tellsNobody = effectForwards, true
		return true
	}
	main, targets := s.audience(r.p, row)
	if main == nil || len(targets) == 0 {
		r.open(effectForwards, row.ID+" has no child to pass it to", "")
		return true
	}
	if f.WithoutCapKill != "" && !maySignal(r.p, main) {
		s.powerless(r, f, main)
		return true
	}
	r.effect, r.conf = effectForwards, worse(r.conf, Likely)
	r.note = fmt.Sprintf("%s passes %s to %s", row.ID, evidence.SignalName(sig), s.who(targets))
	var replies []*reaction
	for _, q := range targets {
		q := s.send(q, sig)
		replies = append(replies, q)
	}
	s.await(r, row, f, main, replies)
	return true
}

// rewritten is the signal that the forwarder sends; false when it drops it.
func rewritten(r *reaction, f *catalog.Forward) (int, bool) {
	if f.Send != 0 {
		return f.Send, true
	}
	from, to, ok := strings.Cut(r.p.Program.Options["rewrite"], ":")
	if !ok {
		return r.sig, true
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if errA != nil || errB != nil || a != r.sig {
		return r.sig, true
	}
	return b, b != 0
}

// audience is the child that the forwarder waits for, and whom it signals.
func (s *simulation) audience(p *evidence.Process, row *catalog.Program) (*evidence.Process, []*evidence.Process) {
	kids := s.c.children[p.PID]
	if len(kids) == 0 {
		return nil, nil
	}
	main := kids[0]
	for _, k := range kids { // tini and dumb-init give their child a group of its own
		if k.PGID == k.PID {
			main = k
			break
		}
	}
	o := p.Program.Options
	reach := row.Forward.Reach
	if o["group"] == "true" || s.c.env("TINI_KILL_PROCESS_GROUP") && row.ID == "tini" {
		reach = catalog.ReachGroup
	}
	if o["single"] == "true" || row.ID == "dumb-init" && s.c.t.Container != nil && s.c.t.Container.Env["DUMB_INIT_SETSID"] == "0" {
		reach = catalog.ReachChild
	}
	switch reach {
	case catalog.ReachGroup:
		return main, s.group(p, main)
	case catalog.ReachChildren:
		return main, kids
	case catalog.ReachTree:
		return main, s.services(p)
	}
	return main, []*evidence.Process{main}
}

// group lists the child's process group, the child first. For `timeout`, which
// stays in the group, it leaves out the forwarder itself.
func (s *simulation) group(p, main *evidence.Process) []*evidence.Process {
	out := []*evidence.Process{main}
	for _, q := range s.c.descendants(p) {
		if q != main && q.PGID == main.PGID {
			out = append(out, q)
		}
	}
	return out
}

// services are the processes that s6-supervise runs below s6-svscan.
func (s *simulation) services(p *evidence.Process) []*evidence.Process {
	var out []*evidence.Process
	for _, k := range s.c.children[p.PID] {
		if k.Program.ID == "s6-supervise" {
			out = append(out, s.c.children[k.PID]...)
		} else {
			out = append(out, k)
		}
	}
	return out
}

// env reports whether a container's environment sets a variable (to anything).
func (c *inspection) env(name string) bool {
	if c.t.Container == nil {
		return false
	}
	_, ok := c.t.Container.Env[name]
	return ok
}

// who names the receivers.
func (s *simulation) who(list []*evidence.Process) string {
	switch len(list) {
	case 0:
		return "nobody"
	case 1:
		return name(list[0])
	}
	return fmt.Sprintf("%s and %d more", name(list[0]), len(list)-1)
}

// maySignal is the kernel's rule (kill_ok_by_cred): the sender's real or
// effective uid is the receiver's real or saved uid, or it has CAP_KILL. What is
// not known is taken as allowed.
func maySignal(from, to *evidence.Process) bool {
	if from.CapEff == nil || *from.CapEff&capKill != 0 || len(from.UID) < 3 || len(to.UID) < 3 {
		return true
	}
	for _, a := range from.UID[:2] {
		if a == to.UID[0] || a == to.UID[2] {
			return true
		}
	}
	return false
}

// powerless: the init may not signal its child.
func (s *simulation) powerless(r *reaction, f *catalog.Forward, main *evidence.Process) {
	if f.WithoutCapKill == "exits" {
		r.handled("may not signal "+name(main)+" (no CAP_KILL) and gives up", 1, 0, Likely)
		r.effect, r.why, r.tellsNobody = effectForwards, "WS113", true
		return
	}
	r.stays(effectForwards, "may not signal "+name(main)+" (no CAP_KILL)", "WS113", Likely)
}

// await says when the forwarder ends, from what those that it signalled do.
func (s *simulation) await(r *reaction, row *catalog.Program, f *catalog.Forward, main *evidence.Process, replies []*reaction) {
	r.tellsNobody = true // nobody but those that it is known to signal
	if f.Fixed > 0 {
		r.ends, r.after = catalog.EndsYes, f.Fixed
		r.setCode(f.Status)
		for _, q := range replies {
			q.awaited = q.after <= f.Fixed
		}
		return
	}
	waitFor := replies
	if row.Forward.Reach == catalog.ReachChild || row.Forward.Reach == catalog.ReachGroup {
		waitFor = replies[:1] // the main child stands first
	}
	grace := f.Grace
	if k, err := strconv.ParseFloat(strings.TrimSuffix(r.p.Program.Options["kill-after"], "s"), 64); err == nil && k > 0 {
		grace = k
	}
	s.combine(r, f, grace, waitFor)
	r.codeFrom(f, waitFor[0])
}

// combine takes the slowest of those that are waited for.
func (s *simulation) combine(r *reaction, f *catalog.Forward, grace float64, waitFor []*reaction) {
	r.ends = catalog.EndsYes
	var bad *reaction
	for _, q := range waitFor {
		q.awaited = true
		r.after = max(r.after, q.after)
		switch {
		case q.ends == catalog.EndsNo && (bad == nil || bad.ends != catalog.EndsNo):
			bad = q
		case q.ends == catalog.EndsUnknown && bad == nil:
			bad = q
		}
		r.conf = worse(r.conf, q.conf)
	}
	r.after += f.Adds
	r.because = bad
	switch {
	case bad == nil:
		r.because = waitFor[0]
		return
	case grace > 0 && bad.ends == catalog.EndsUnknown && grace+f.Adds > s.timeout:
		r.ends, r.why, r.conf = bad.ends, bad.why, Assumed
	case grace > 0:
		r.after, r.conf = grace+f.Adds, Likely
		r.atMost = bad.ends == catalog.EndsUnknown
		r.why = "WS114"
		r.note += fmt.Sprintf(", and kills it after %g s", grace)
	default:
		r.ends, r.why, r.gap = bad.ends, bad.why, bad.gap
		if bad.ends == catalog.EndsNo {
			r.why = "WS107"
		}
		r.better = bad.better
	}
}

// codeFrom sets the forwarder's exit status.
func (r *reaction) codeFrom(f *catalog.Forward, child *reaction) {
	switch f.Code {
	case catalog.CodeFixed:
		r.setCode(f.Status)
	case catalog.CodeUnknown:
		r.code = nil
	default:
		r.code = child.code
		if child.bySignal && f.SignalledStatus != nil {
			r.setCode(*f.SignalledStatus)
		}
	}
	if v, err := strconv.Atoi(r.p.Program.Options["remap"]); err == nil && r.code != nil && *r.code == v {
		r.setCode(0) // tini -e: this status counts as success
	}
}

func (r *reaction) setCode(n int) { r.code = &n }

// runsvdir leaves its services alone on TERM; on HUP it tells each runsv and
// does not wait.
func (s *simulation) runsvdir(r *reaction) bool {
	r.tellsNobody = true
	if r.sig == evidence.SIGHUP {
		r.handled("runsvdir sends SIGTERM to every runsv and exits without waiting", 111, 0.1, Likely)
	} else {
		r.handled("runsvdir exits and stops no service", 0, 0.1, Likely)
	}
	r.effect = effectForwards
	return true
}
