package diagnose

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

var (
	tini     = proc{pid: 100, ppid: 1, ns: 1, exe: "/usr/bin/tini", argv: []string{"tini", "--", "x"}, ign: []int{evidence.SIGTTIN, evidence.SIGTTOU}, call: "rt_sigtimedwait", change: awaitAll}
	app      = proc{pid: 110, ppid: 100, ns: 2, argv: []string{"/srv/app"}, exe: "/srv/app", cgt: []int{tTERM}, call: "pause", group: 110}
	plainApp = proc{pid: 110, ppid: 100, ns: 2, argv: []string{"/srv/app"}, exe: "/srv/app", call: "pause", group: 110}
	dash     = proc{pid: 100, ppid: 1, ns: 1, exe: "/usr/bin/dash", argv: []string{"sh", "-c", "app; true"}, cgt: []int{evidence.SIGINT, evidence.SIGCHLD}, call: "wait4"}
	bash     = proc{pid: 100, ppid: 1, ns: 1, exe: "/usr/bin/bash", argv: []string{"bash", "/entry.sh"}, cgt: []int{evidence.SIGINT, tTERM, evidence.SIGCHLD}, ign: []int{evidence.SIGQUIT}, blk: []int{evidence.SIGCHLD}, call: "wait4"}
)

func awaitAll(p *evidence.Process) { p.Tasks[0].Awaited = ptr(^evidence.SigSet(0)) }

func sleep(pid, ppid int, seconds string, ign ...int) proc {
	return proc{pid: pid, ppid: ppid, ns: pid - 100, exe: "/usr/bin/sleep", argv: []string{"sleep", seconds}, ign: ign, call: "clock_nanosleep", group: ppid}
}

func with(q proc, change func(*proc)) proc { change(&q); return q }

// TestForward: who passes the signal, whom it reaches, who is cut off.
func TestForward(t *testing.T) {
	cases := []struct {
		name    string
		procs   []proc
		verdict Verdict
		conf    Confidence
		code    int // -1: nil
		unheard []int
	}{
		{"tini, child dies by default", []proc{tini, plainApp}, Stops, Likely, 143, nil},
		{"tini, child ignores", []proc{tini, with(app, func(q *proc) { q.cgt, q.ign = nil, []int{tTERM} })}, Killed, Likely, 137, nil},
		{"tini, child has a handler", []proc{tini, app}, Stops, Assumed, -1, nil},
		{"tini over a shell over an app", []proc{tini, with(dash, func(q *proc) { q.pid, q.ppid, q.ns, q.group = 110, 100, 2, 110 }),
			with(app, func(q *proc) { q.pid, q.ppid, q.ns = 120, 110, 3 })}, Abrupt, Likely, 143, []int{120}},
		{"tini -g: the app is told and not waited for", []proc{with(tini, func(q *proc) { q.argv = []string{"tini", "-g", "--", "sh"} }),
			with(dash, func(q *proc) { q.pid, q.ppid, q.ns, q.group = 110, 100, 2, 110 }),
			with(app, func(q *proc) { q.pid, q.ppid, q.ns = 120, 110, 3 })}, Abrupt, Likely, 143, []int{120}},
		{"tini -e 143", []proc{with(tini, func(q *proc) { q.argv = []string{"tini", "-e", "143", "--", "x"} }), plainApp}, Stops, Likely, 0, nil},
		{"tini without CAP_KILL over another uid", []proc{with(tini, func(q *proc) {
			q.change = func(p *evidence.Process) { awaitAll(p); p.UID, p.CapEff = []int{0, 0, 0, 0}, ptr(uint64(0)) }
		}), with(app, func(q *proc) { q.change = func(p *evidence.Process) { p.UID = []int{5, 5, 5, 5} } })}, Abrupt, Likely, 1, []int{110}},
		{"a program called tini with a handler is not tini", []proc{with(tini, func(q *proc) { q.cgt, q.call, q.change = []int{tTERM}, "pause", nil }), plainApp}, Stops, Assumed, -1, nil},
		{"an unknown PID 1 with a handler is not accused", []proc{with(app, func(q *proc) { q.pid, q.ppid, q.ns = 100, 1, 1 }), with(app, func(q *proc) { q.ns = 2 })}, Stops, Assumed, -1, nil},
		{"su takes two seconds and ends 143", []proc{{pid: 100, ppid: 1, ns: 1, exe: "/usr/bin/su", argv: []string{"su", "-c", "app"}, cgt: []int{evidence.SIGINT, evidence.SIGQUIT, tTERM}, call: "wait4"}, app}, Stops, Likely, 143, nil},
		{"supervisord gives up on its child after 10 s", []proc{{pid: 100, ppid: 1, ns: 1, exe: "/usr/bin/python3.11", argv: []string{"/usr/bin/python3", "/usr/bin/supervisord"}, cgt: []int{tTERM, evidence.SIGCHLD}, call: "poll"},
			with(app, func(q *proc) { q.cgt, q.ign = nil, []int{tTERM} })}, Killed, Likely, 137, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.procs...), Options{}).Containers[0]
			want(t, got, c.verdict, c.conf)
			switch code := got.Stop.ExitCode; {
			case c.code < 0 && code != nil, c.code >= 0 && (code == nil || *code != c.code):
				t.Errorf("exit code %v, want %d", code, c.code)
			}
			if !slices.Equal(got.Stop.KilledUnheard, append([]int{}, c.unheard...)) {
				t.Errorf("killed unheard %v, want %v", got.Stop.KilledUnheard, c.unheard)
			}
		})
	}
}

// TestShell: traps run at once, later, or never.
func TestShell(t *testing.T) {
	background := []int{evidence.SIGINT, evidence.SIGQUIT}
	trap := func(text string, waits *bool) func(*proc) {
		return func(q *proc) {
			q.change = func(p *evidence.Process) {
				p.Inside = &evidence.Inside{Bash: &evidence.BashInside{Traps: map[string]evidence.Trap{"SIGTERM": {Text: text}}, Waiting: waits}}
			}
		}
	}
	cases := []struct {
		name    string
		procs   []proc
		verdict Verdict
		conf    Confidence
		finding string
	}{
		{"no trap, a child", []proc{dash, sleep(110, 100, "1000")}, Killed, Certain, "WS104"},
		{"no trap, an app with a handler", []proc{dash, app}, Killed, Certain, "WS104"},
		{"dash trap, foreground child", []proc{with(dash, func(q *proc) { q.cgt = append(q.cgt, tTERM) }), sleep(110, 100, "1000")}, Killed, Likely, "WS105"},
		{"dash trap, a short foreground sleep", []proc{with(dash, func(q *proc) { q.cgt = append(q.cgt, tTERM) }), with(sleep(110, 100, "1"), func(q *proc) { q.startedSecsAgo = 0.5 })}, Stops, Assumed, ""},
		{"dash trap, wait builtin", []proc{with(dash, func(q *proc) { q.cgt, q.call = append(q.cgt, tTERM), "rt_sigsuspend" }), sleep(110, 100, "1000", background...)}, Stops, Assumed, ""},
		{"bash trap 'exit 0', wait builtin", []proc{with(bash, trap("exit 0", ptr(true))), sleep(110, 100, "1000", background...)}, Stops, Likely, ""},
		{"bash trap 'exit 0', foreground child", []proc{with(bash, trap("exit 0", ptr(false))), sleep(110, 100, "1000")}, Killed, Likely, "WS105"},
		{"bash trap that calls a function", []proc{with(bash, trap("cleanup", ptr(true))), sleep(110, 100, "1000", background...)}, Stops, Assumed, "WS111"},
		{"bash trap 'exit 0' cuts an app off", []proc{with(bash, trap("exit 0", ptr(true))), app}, Abrupt, Likely, "WS108"},
		{"bash, memory not read, child in the background", []proc{bash, sleep(110, 100, "1000", background...)}, Stops, Assumed, "WS111"},
		{"bash, memory not read, child in the foreground", []proc{bash, sleep(110, 100, "1000")}, Killed, Likely, "WS105"},
		{"interactive shell", []proc{with(bash, func(q *proc) {
			q.cgt, q.ign = []int{evidence.SIGINT}, []int{evidence.SIGQUIT, tTERM, evidence.SIGTSTP, evidence.SIGTTIN, evidence.SIGTTOU}
			q.blk, q.call = nil, "pselect6"
		})}, Killed, Certain, "WS115"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.procs...), Options{}).Containers[0]
			want(t, got, c.verdict, c.conf)
			if c.finding != "" && !slices.ContainsFunc(got.Findings, func(f Finding) bool { return f.Code == c.finding }) {
				t.Errorf("no %s in %v", c.finding, got.Findings)
			}
		})
	}
}

// TestNode: node's own handler and a user's have the same masks.
func TestNode(t *testing.T) {
	node := proc{pid: 100, ppid: 1, ns: 1, exe: "/usr/bin/node", argv: []string{"node", "app.js"}, cgt: []int{evidence.SIGINT, evidence.SIGUSR1, evidence.SIGSEGV, tTERM},
		ign: []int{evidence.SIGPIPE, evidence.SIGXFSZ}, call: "epoll_pwait"}
	inside := func(handlers []int) func(*proc) {
		return func(q *proc) {
			q.change = func(p *evidence.Process) {
				p.Inside = &evidence.Inside{Node: &evidence.NodeInside{UserHandlers: handlers}}
			}
		}
	}
	flags := func(f uint64) func(*proc) {
		return func(q *proc) {
			q.change = func(p *evidence.Process) {
				p.Kernel = &evidence.Kernel{Handlers: map[string]evidence.Handler{"SIGTERM": {Flags: f}}}
			}
		}
	}
	under := func(q proc) []proc { q.pid, q.ppid, q.ns, q.group = 110, 100, 2, 110; return []proc{tini, q} }
	cases := []struct {
		name    string
		procs   []proc
		verdict Verdict
		conf    Confidence
	}{
		{"memory: no handler of JavaScript", []proc{with(node, inside([]int{}))}, Killed, Likely},
		{"memory: a handler of JavaScript", []proc{with(node, inside([]int{tTERM}))}, Stops, Assumed},
		{"kernel: SA_RESETHAND", []proc{with(node, flags(0x84000000))}, Killed, Certain},
		{"kernel: libuv's flags", []proc{with(node, flags(0x14000000))}, Stops, Assumed},
		{"nothing read", []proc{node}, Unknown, Assumed},
		{"behind tini its own handler ends it", under(with(node, inside([]int{}))), Stops, Likely},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want(t, Judge(snapshot(c.procs...), Options{}).Containers[0], c.verdict, c.conf)
		})
	}
}
