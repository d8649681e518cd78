package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// handle is for a signal that reaches user code: a handler, a sigwait or a
// signalfd. The catalog says what that code does, if it is known.
func (s *simulation) handle(r *reaction) {
	row := s.c.program(r.p)
	switch {
	case row != nil && row.ID == "python" && heldInSystem(r):
		r.stays(effectPending, "its handler runs only when the command that it started with system() is done", "WS112", Likely)
		return
	case s.goRuntime(r):
		return
	case row == nil:
		s.unknownHandler(r)
		return
	}
	if s.forwards(r, row) {
		return
	}
	if resp, ok := row.Responses[r.sig]; ok {
		s.respond(r, row, resp)
		return
	}
	switch {
	case row.Kind == catalog.KindShell:
		s.shell(r, row)
	case row.ID == "node":
		s.node(r)
	case row.ID == "php":
		s.php(r)
	case row.ID == "ruby":
		s.ruby(r)
	case row.ID == "uwsgi":
		s.uwsgi(r)
	default:
		s.unknownHandler(r)
	}
}

// unknownHandler: user code that nobody has described runs.
func (s *simulation) unknownHandler(r *reaction) {
	note := "has a handler: it runs, and what it does cannot be seen before"
	switch r.disp.kind {
	case waited:
		note = "waits for it in sigwait: what it then does cannot be seen before"
	case signalFD:
		note = "reads it from a signalfd: what it then does cannot be seen before"
	}
	r.open(effectHandler, note, "")
	r.why = "WS111"
}

// heldInSystem: system(3) blocks CHLD and ignores INT and QUIT while its command
// runs; Python runs its handlers only afterwards (Perl and Ruby at once, C code in
// the midst of it).
func heldInSystem(r *reaction) bool {
	t := leader(r.p)
	return r.disp.kind == caught && t != nil && t.Blocked != nil && t.Syscall != nil && !t.Syscall.Running &&
		(t.Syscall.Name == "wait4" || t.Syscall.Name == "waitid") && t.Blocked.Has(evidence.SIGCHLD) &&
		r.p.Signals.Ignored.Has(evidence.SIGINT) && r.p.Signals.Ignored.Has(evidence.SIGQUIT)
}

// respond applies a catalog row's response to a signal.
func (s *simulation) respond(r *reaction, row *catalog.Program, resp catalog.Response) {
	r.better = resp.Instead
	switch resp.Ends {
	case catalog.EndsNo:
		r.stays(effectHandler, fmt.Sprintf("%s: %s", row.ID, resp.Means), "WS110", worse(r.conf, Likely))
	case catalog.EndsUnknown:
		note := fmt.Sprintf("%s: %s", row.ID, resp.Means)
		r.open(effectHandler, note, "")
		r.why, r.after = "WS111", resp.After
		if resp.Code >= 0 {
			code := resp.Code
			r.code = &code
		}
	default:
		s.drain(r, row, resp)
	}
}

// drain is for an end that may wait for others first.
func (s *simulation) drain(r *reaction, row *catalog.Program, resp catalog.Response) {
	note := fmt.Sprintf("%s: %s", row.ID, resp.Means)
	r.handled(note, resp.Code, resp.After, Likely)
	busy := no
	switch resp.Drain {
	case catalog.DrainNone:
		if resp.AtLeast > s.timeout {
			r.why = "WS114"
		}
		return
	case catalog.DrainClients:
		busy = s.c.postgresClients(r.p)
	case catalog.DrainWorkers:
		busy = s.c.busyWorkers(r.p)
	case catalog.DrainTCP:
		busy = s.c.connections()
	case catalog.DrainSave:
		busy = perhaps
		if r.p.Program.Options["save"] == "off" {
			busy = no
		}
	}
	switch {
	case busy == yes && resp.Drain == catalog.DrainClients:
		r.stays(effectHandler, note+"; a client is connected", "WS110", Likely)
	case busy == yes:
		r.open(effectHandler, note+"; there is work in hand", "")
		r.why = "WS114"
	case busy == perhaps:
		r.conf = Assumed
	}
}

// postgresClients reports whether a backend serves a client.
func (c *inspection) postgresClients(p *evidence.Process) answer {
	result := no
	for _, q := range c.children[p.PID] {
		switch {
		case q.Program.Options["client"] == "true":
			return yes
		case c.programID(q) != "postgres": // or one whose title was not read
			result = perhaps
		}
	}
	return result
}

// busyWorkers reports whether a worker process does something else than wait for
// work.
func (c *inspection) busyWorkers(p *evidence.Process) answer {
	result := no
	for _, q := range c.children[p.PID] {
		t := leader(c.sameWait(q))
		switch {
		case t == nil || t.Syscall == nil:
			result = perhaps
		case t.Syscall.Running || !idleCall(t.Syscall.Name):
			return yes
		}
	}
	return result
}

// idleCall reports whether a system call waits for descriptors, as an idle
// worker does.
func idleCall(name string) bool {
	switch name {
	case "select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "accept", "accept4", "read":
		return true
	}
	return false
}

// connections reports whether the container has established TCP connections.
func (c *inspection) connections() answer {
	switch n := c.t.TCPEstablished; {
	case n == nil:
		return perhaps
	case *n > 0:
		return yes
	}
	return no
}

// uwsgi takes TERM for a reload when it has a master, unless told otherwise.
func (s *simulation) uwsgi(r *reaction) {
	o := r.p.Program.Options
	master, die := o["master"] == "true", o["die-on-term"] == "true"
	switch {
	case o["config"] != "":
		s.unknownHandler(r)
	case r.sig == evidence.SIGTERM && master && !die:
		r.stays(effectHandler, "uwsgi: with --master it reloads on SIGTERM", "WS110", worse(r.conf, Likely))
		r.better = "SIGINT"
	case r.sig == evidence.SIGTERM && master, (r.sig == evidence.SIGINT || r.sig == evidence.SIGQUIT) && master:
		r.handled("uwsgi: stops its workers and exits", 0, 1.1, Likely)
	case r.sig == evidence.SIGTERM, r.sig == evidence.SIGINT:
		r.handled("uwsgi: exits", 30, 0.1, Likely)
	default:
		s.unknownHandler(r)
	}
}
