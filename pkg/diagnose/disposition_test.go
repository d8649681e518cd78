package diagnose

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

const (
	tTERM = evidence.SIGTERM
	tQUIT = evidence.SIGQUIT
)

// TestDispose goes through kernel/signal.c's cases; each was measured on real
// processes (the truth bed's C programs have the same names).
func TestDispose(t *testing.T) {
	pid1 := proc{pid: 100, ppid: 1, ns: 1, call: "pause"}
	with := func(change func(*proc)) proc { q := pid1; change(&q); return q }
	cases := []struct {
		name string
		q    proc
		kind kind
		conf Confidence
	}{
		{"default", pid1, byDefault, Certain},
		{"ignored", with(func(q *proc) { q.ign = []int{tTERM} }), ignored, Certain},
		{"caught", with(func(q *proc) { q.cgt = []int{tTERM} }), caught, Certain},
		{"blocked, nobody waits", with(func(q *proc) { q.blk = []int{tTERM} }), blocked, Likely},
		{"blocked with a handler, still blocked", with(func(q *proc) { q.blk, q.cgt = []int{tTERM}, []int{tTERM} }), blocked, Likely},
		{"blocked between finite waits", with(func(q *proc) { q.blk, q.call = []int{tTERM}, "clock_nanosleep" }), blocked, Assumed},
		{"blocked and ignored is queued all the same", with(func(q *proc) { q.blk, q.ign = []int{tTERM}, []int{tTERM} }), blocked, Likely},
		{"leader blocks, other thread open, handler", with(func(q *proc) {
			q.blk, q.cgt, q.threads = []int{tTERM}, []int{tTERM}, []evidence.Task{thread(101, "pause")}
		}), caught, Certain},
		{"leader blocks, other thread waits", with(func(q *proc) {
			q.blk, q.threads = []int{tTERM}, []evidence.Task{waiting(101, tTERM)}
		}), waited, Certain},
		{"leader open, other thread waits: the leader's action counts", with(func(q *proc) {
			q.threads = []evidence.Task{waiting(101, tTERM)}
		}), byDefault, Certain},
		{"sigwait for another signal", with(func(q *proc) {
			q.blk, q.call = []int{tTERM}, "rt_sigtimedwait"
			q.change = func(p *evidence.Process) { s := evidence.SetOf(evidence.SIGHUP); p.Tasks[0].Awaited = &s }
		}), blocked, Likely},
		{"no signal lines (gVisor)", with(func(q *proc) { q.change = func(p *evidence.Process) { p.Signals = nil } }), notKnown, Assumed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(c.q)
			in := inspectionOf(s, Options{})
			d := in.dispose(in.root, tTERM)
			if d.kind != c.kind || d.conf != c.conf {
				t.Errorf("got %s, %s; want %s, %s", d.kind, d.conf, c.kind, c.conf)
			}
		})
	}
}

// TestSigwait: whether an awaited signal had been blocked decides, and only the
// kernel tells.
func TestSigwait(t *testing.T) {
	cases := []struct {
		name    string
		real    *evidence.SigSet
		exe     string
		verdict Verdict
		conf    Confidence
	}{
		{"kernel: blocked before", ptr(evidence.SetOf(tTERM)), "", Stops, Assumed},
		{"kernel: never blocked", ptr(evidence.SigSet(0)), "", Killed, Certain},
		{"not known", nil, "", Stops, Assumed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(proc{pid: 100, ppid: 1, ns: 1, call: "rt_sigtimedwait", exe: c.exe, change: func(p *evidence.Process) {
				p.Tasks[0].Awaited = ptr(evidence.SetOf(tTERM))
				if c.real != nil {
					p.Kernel = &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, RealBlocked: *c.real}}}
				}
			}})
			got := Judge(s, Options{}).Containers[0]
			want(t, got, c.verdict, c.conf)
		})
	}
}

// TestDefaultAction: the PID 1 rule, and who is exempt from it.
func TestDefaultAction(t *testing.T) {
	cases := []struct {
		name    string
		q       proc
		sig     int
		verdict Verdict
		code    int
	}{
		{"PID 1 drops it", proc{pid: 100, ns: 1, call: "pause"}, 0, Killed, 137},
		{"PID 8 of another container's namespace dies", proc{pid: 100, ns: 8, call: "pause"}, 0, Stops, 143},
		{"the host's namespace", proc{pid: 100, call: "pause"}, 0, Stops, 143},
		{"the same with a signal that dumps core", proc{pid: 100, ns: 1, call: "pause", blk: []int{tQUIT}, threads: []evidence.Task{thread(101, "pause")}}, tQUIT, Killed, 137},
		{"a signal without action", proc{pid: 100, call: "pause"}, evidence.SIGWINCH, Killed, 137},
		{"STOPSIGNAL SIGKILL", proc{pid: 100, ns: 1, call: "pause"}, evidence.SIGKILL, Abrupt, 137},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Judge(snapshot(c.q), Options{Signal: c.sig}).Containers[0]
			want(t, got, c.verdict, Certain)
			if got.Stop.ExitCode == nil || *got.Stop.ExitCode != c.code {
				t.Errorf("exit code %v, want %d", got.Stop.ExitCode, c.code)
			}
		})
	}
}

// TestBlind: without privilege a sigwait cannot be seen, so an unknown program
// without a handler is not judged, while a shell is.
func TestBlind(t *testing.T) {
	unknown := Judge(snapshot(proc{pid: 100, ns: 1, argv: []string{"/srv/thing"}}), Options{}).Containers[0]
	want(t, unknown, Unknown, Assumed)
	if len(unknown.Gaps) == 0 {
		t.Error("unknown without a gap that names what would settle it")
	}
	shell := Judge(snapshot(proc{pid: 100, ns: 1, argv: []string{"bash"}}), Options{}).Containers[0]
	want(t, shell, Killed, Likely)
}

func ptr[T any](v T) *T { return &v }

func want(t *testing.T, got Container, v Verdict, conf Confidence) {
	t.Helper()
	if got.Verdict != v || got.Confidence != conf {
		t.Errorf("got %s, %s (%s); want %s, %s", got.Verdict, got.Confidence, got.Headline, v, conf)
	}
}
