package diagnose

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// brief makes a process one of which only stat and wchan were read.
func brief(q proc, comm, wchan string) proc {
	q.argv, q.exe, q.call = nil, "", ""
	change := q.change
	q.change = func(p *evidence.Process) {
		if change != nil {
			change(p)
		}
		p.Brief, p.NSPIDs, p.Comm = true, nil, comm
		p.Tasks[0].Wchan = &wchan
	}
	return q
}

// named gives a fully read process its comm.
func named(q proc, comm string) proc {
	q.change = func(p *evidence.Process) { p.Comm = comm }
	return q
}

// TestBriefDispose: a brief look has the kernel's masks for signals 1 to 31 and
// nothing else; the comm raises no confidence.
func TestBriefDispose(t *testing.T) {
	rt := 37 // SIGRTMIN+3
	cases := []struct {
		name string
		q    proc
		comm string
		sig  int
		kind kind
		conf Confidence
	}{
		{"default", proc{}, "x", tTERM, byDefault, Likely},
		{"caught", proc{cgt: []int{tTERM}}, "x", tTERM, caught, Likely},
		{"ignored", proc{ign: []int{tTERM}}, "x", tTERM, ignored, Likely},
		{"beyond 31", proc{cgt: []int{tTERM}}, "x", rt, notKnown, Assumed},
		{"beyond 31, by the name of a tool", proc{}, "sleep", rt, notKnown, Assumed},
		{"the name of one that fetches its signals", proc{}, "tini", tTERM, byDefault, Likely},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.q.pid, c.q.ppid = 200, 100
			s := snapshot(proc{pid: 100, ns: 1, call: "pause"}, brief(c.q, c.comm, "pause"))
			in := inspectionOf(s, Options{})
			p := in.byPID[200]
			if p.Program.ID != "" && in.program(p) != nil {
				t.Errorf("judged as %s by its comm", p.Program.ID)
			}
			d := in.dispose(p, c.sig)
			if d.kind != c.kind || d.conf != c.conf {
				t.Errorf("got %s, %s; want %s, %s", d.kind, d.conf, c.kind, c.conf)
			}
			if c.kind == notKnown && d.gap == "" {
				t.Error("not known, and no word of what would settle it")
			}
		})
	}
}

// TestBriefHandler: whether a handler is the program's own is said by a sibling
// that was looked at in full, and by nothing where there is none.
func TestBriefHandler(t *testing.T) {
	term := []int{tTERM}
	sh := proc{pid: 100, ns: 1, argv: []string{"sh", "-c", "x; true"}, exe: "/bin/dash", call: "wait4"}
	full := named(proc{pid: 200, ppid: 100, ns: 2, cgt: term, call: "pause"}, "app")
	one := proc{pid: 201, ppid: 100, cgt: term}
	cases := []struct {
		name string
		s    *evidence.Snapshot
		has  answer
		conf Confidence
	}{
		{"as its sibling", snapshot(sh, full, brief(one, "app", "pause")), yes, Likely},
		{"the sibling is a wrapper without code of its own", snapshot(sh, named(proc{pid: 200, ppid: 100, ns: 2, cgt: term, call: "wait4", exe: "/usr/bin/sudo", argv: []string{"sudo"}}, "app"), brief(one, "app", "pause")), no, Likely},
		{"a sibling of another name", snapshot(sh, full, brief(one, "other", "pause")), yes, Assumed},
		{"a sibling with other masks", snapshot(sh, full, brief(proc{pid: 201, ppid: 100, cgt: []int{tTERM, evidence.SIGHUP}}, "app", "pause")), yes, Assumed},
		{"none", snapshot(sh, brief(proc{pid: 201, ppid: 100}, "app", "pause")), no, Certain},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := inspectionOf(c.s, Options{})
			has, conf := in.hasHandler(in.byPID[201], tTERM)
			if has != c.has || conf != c.conf {
				t.Errorf("got %v, %s; want %v, %s", has, conf, c.has, c.conf)
			}
		})
	}
}

// TestBriefVerdict: a crowd looked at briefly gets the verdict of the full look,
// never a surer one.
func TestBriefVerdict(t *testing.T) {
	crowd := func(init proc, member proc, short bool) *evidence.Snapshot {
		all := []proc{init}
		for i := range 60 {
			q := member
			q.pid, q.ppid, q.ns, q.group = 200+i, 100, 2+i, 200+i
			q.change = func(p *evidence.Process) { p.Comm = "app" }
			if short && i >= 10 {
				q = brief(q, "app", "pause")
			}
			all = append(all, q)
		}
		return snapshot(all...)
	}
	sh := proc{pid: 100, ns: 1, argv: []string{"sh", "-c", "x; true"}, exe: "/bin/dash", call: "wait4"}
	group := proc{pid: 100, ns: 1, argv: []string{"dumb-init", "x"}, exe: "/usr/bin/dumb-init", call: "rt_sigtimedwait", blk: []int{tTERM},
		cgt: []int{tTERM, evidence.SIGUSR1, evidence.SIGWINCH}}
	app := proc{argv: []string{"/srv/app"}, call: "pause"}
	withHandler := app
	withHandler.cgt = []int{tTERM}
	for name, c := range map[string][2]proc{
		"sh, default": {sh, app}, "sh, handler": {sh, withHandler}, "dumb-init, default": {group, app}, "dumb-init, handler": {group, withHandler},
		"pause at PID 1": {{pid: 100, ns: 1, call: "pause"}, withHandler},
	} {
		t.Run(name, func(t *testing.T) {
			whole := Judge(crowd(c[0], c[1], false), Options{}).Containers[0]
			short := Judge(crowd(c[0], c[1], true), Options{}).Containers[0]
			if whole.Verdict != short.Verdict || rank(short.Confidence) > rank(whole.Confidence) {
				t.Errorf("in full %s, %s; in brief %s, %s", whole.Verdict, whole.Confidence, short.Verdict, short.Confidence)
			}
			if a, b := len(whole.Stop.KilledUnheard), len(short.Stop.KilledUnheard); a != b {
				t.Errorf("%d killed unheard in full, %d in brief", a, b)
			}
		})
	}
}

// TestBriefClients: a backend whose title was not read may serve a client.
func TestBriefClients(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, argv: []string{"postgres"}, exe: "/usr/bin/postgres", call: "epoll_wait", cgt: []int{tTERM}},
		brief(proc{pid: 201, ppid: 100, cgt: []int{tTERM}}, "postgres", "ep_poll"))
	in := inspectionOf(s, Options{})
	if got := in.postgresClients(in.root); got != perhaps {
		t.Errorf("got %v, want perhaps", got)
	}
}

// TestBriefNeeds: nothing is read of one that was looked at briefly.
func TestBriefNeeds(t *testing.T) {
	s := snapshot(proc{pid: 100, ns: 1, call: "pause"}, brief(proc{pid: 201, ppid: 100, cgt: []int{tTERM}}, "bash", "do_wait"))
	if n := Needs(&s.Targets[0], Options{}); n.Memory || n.Kernel {
		t.Errorf("needs %+v", n)
	}
}
