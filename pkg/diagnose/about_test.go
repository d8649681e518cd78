package diagnose

import (
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// fuseWaiter is an init that waits for a FUSE server, in S or D.
func fuseWaiter(state string, slept int, frames ...string) proc {
	return proc{pid: 100, ns: 1, call: "newfstatat", state: state, change: func(p *evidence.Process) {
		p.Tasks[0].Stack = frames
		p.Tasks[0].Again = &evidence.SecondLook{State: state, SleptMillis: &slept}
		p.Tasks[0].About = &evidence.About{Path: "/mnt/x", Mount: "/mnt", HostMount: "/srv/m", FSType: "fuse.sshfs", Source: "h:/", Device: "0:74", Via: evidence.ViaArgument}
	}}
}

// TestFUSE: only a server that has read the request makes a waiter stuck for
// sure, and only one that does not answer for a while.
func TestFUSE(t *testing.T) {
	waits := []string{"request_wait_answer", "__fuse_simple_request", "fuse_lookup"}
	conn := func(state string, idle *bool) evidence.FUSEConn {
		return evidence.FUSEConn{Device: 74, Connection: 74, ServerPID: 7, ServerComm: "sshfs", ServerState: state, ServerIdle: idle}
	}
	killable := func(q proc) proc {
		change := q.change
		q.change = func(p *evidence.Process) {
			change(p)
			p.Kernel = &evidence.Kernel{Tasks: []evidence.KernelTask{{TID: 100, State: 0x102}}}
		}
		return q
	}
	cases := []struct {
		name string
		q    proc
		fuse []evidence.FUSEConn
		want Confidence
		fix  string
	}{
		{"server sleeps in a read", fuseWaiter("S", 5000, waits...), []evidence.FUSEConn{conn("S", ptr(true))}, Likely, "echo 1 | sudo tee /sys/fs/fuse/connections/74/abort"},
		{"a moment ago", fuseWaiter("S", 300, waits...), []evidence.FUSEConn{conn("S", ptr(true))}, Assumed, "sudo umount -f /srv/m"},
		{"server at work", fuseWaiter("S", 5000, waits...), []evidence.FUSEConn{conn("S", ptr(false))}, Assumed, "sudo kill -KILL 7"},
		{"server stopped", fuseWaiter("S", 5000, waits...), []evidence.FUSEConn{conn("T", ptr(false))}, Assumed, "sudo kill -CONT 7"},
		{"server not found", fuseWaiter("S", 5000, waits...), []evidence.FUSEConn{{Device: 74, Connection: 74}}, Assumed, "sudo umount -f /srv/m"},
		{"server of another connection", fuseWaiter("S", 5000, waits...), []evidence.FUSEConn{{Device: 75, Connection: 75, ServerPID: 8, ServerIdle: ptr(true)}}, Assumed, ""},
		// TASK_KILLABLE while nobody has sent SIGKILL (fs/fuse/dev.c).
		{"in D by another signal", killable(fuseWaiter("D", 5000, waits...)), []evidence.FUSEConn{conn("S", ptr(true))}, Likely, "sudo umount -f /srv/m"},
		{"behind another lookup", fuseWaiter("D", 5000, "d_alloc_parallel", "__lookup_slow"), []evidence.FUSEConn{conn("S", ptr(true))}, Likely, "sudo umount -f /srv/m"},
		{"behind another, server at work", fuseWaiter("D", 5000, "d_alloc_parallel", "__lookup_slow"), []evidence.FUSEConn{conn("S", ptr(false))}, Assumed, "sudo umount -f /srv/m"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := snapshot(c.q)
			s.Targets[0].FUSE = c.fuse
			got := Judge(s, Options{}).Containers[0]
			want(t, got, Stuck, c.want)
			i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == "WS209" })
			if i < 0 {
				t.Fatalf("no WS209 in %+v", got.Findings)
			}
			if c.fix != "" && !slices.ContainsFunc(got.Findings[i].Fixes, func(f Fix) bool { return f.Command == c.fix }) {
				t.Errorf("no %q in %+v", c.fix, got.Findings[i].Fixes)
			}
			if !strings.Contains(got.Headline, "/mnt/x") {
				t.Errorf("the headline %q does not name the file", got.Headline)
			}
			if slices.ContainsFunc(got.Findings[i].Evidence, func(e Evidence) bool { return e.Says == "TASK_WAKEKILL: SIGKILL ends it" }) {
				t.Errorf("the evidence contradicts the finding: %+v", got.Findings[i].Evidence)
			}
			// What is redacted decides nothing.
			evidence.Redact(s)
			want(t, Judge(s, Options{}).Containers[0], Stuck, c.want)
		})
	}
}

// A request that is not queued yet can be read by nobody: SIGKILL ends the wait,
// unless the task is in its exit already.
func TestFUSENotQueued(t *testing.T) {
	for frames, verdict := range map[string]Verdict{
		"fuse_get_req __fuse_simple_request fuse_lookup":             Killed,
		"io_schedule_timeout balance_dirty_pages fuse_perform_write": Killed,
		"fuse_get_req __fuse_simple_request fuse_flush do_exit":      Stuck,
	} {
		for _, k := range []*evidence.Kernel{nil, {Tasks: []evidence.KernelTask{{TID: 100, State: 0x102}}}} {
			q := fuseWaiter("D", 5000, strings.Fields(frames)...)
			change := q.change
			q.change = func(p *evidence.Process) { change(p); p.Kernel = k }
			if got := Judge(snapshot(q), Options{}).Containers[0]; got.Verdict != verdict {
				t.Errorf("%s, %+v: %s %s, want %s", frames, k, got.Verdict, got.Confidence, verdict)
			}
		}
	}
}

// TestThaw: the command names the file system as the host reaches it, and a name
// that a shell would take apart is not printed.
func TestThaw(t *testing.T) {
	for _, c := range []struct {
		about evidence.About
		want  string
	}{
		{evidence.About{Mount: "/data", HostMount: "/srv/d", FSType: "ext4", Device: "7:0"}, "sudo fsfreeze -u /srv/d"},
		{evidence.About{Mount: "/data", FSType: "ext4", Device: "7:0"}, "sudo fsfreeze -u /proc/100/root/data"},
		{evidence.About{Mount: "/", FSType: "ext4", Device: "7:0"}, "sudo fsfreeze -u /proc/100/root"},
		{evidence.About{Mount: "/d", HostMount: "/srv/$(reboot)", FSType: "ext4", Device: "7:0"}, ""},
		{evidence.About{Mount: "/", FSType: "overlay", Source: "/var/up", Device: "0:9"}, `sudo fsfreeze -u "$(findmnt -n -o TARGET -T /var/up)"`},
		{evidence.About{Mount: "/", FSType: "overlay", Source: "/var/`x`", Device: "0:9"}, ""},
	} {
		q := proc{pid: 100, ns: 1, call: "write", state: "D", change: func(p *evidence.Process) {
			p.Tasks[0].Stack = []string{"percpu_rwsem_wait", "vfs_write"}
			p.Tasks[0].Again = &evidence.SecondLook{State: "D"}
			p.Tasks[0].About = &c.about
		}}
		got := Judge(snapshot(q), Options{}).Containers[0]
		i := slices.IndexFunc(got.Findings, func(f Finding) bool { return f.Code == "WS201" })
		if i < 0 || len(got.Findings[i].Fixes) == 0 {
			t.Fatalf("no WS201 with a fix in %+v", got.Findings)
		}
		if cmd := got.Findings[i].Fixes[0].Command; cmd != c.want {
			t.Errorf("%+v: %q, want %q", c.about, cmd, c.want)
		}
	}
}
