package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Recorded from public reports: this kernel has none of these modules. Each names
// where it was published.
var recordedDenials = []struct {
	source, text string
	want         *evidence.Denial
}{
	{"canonical/docker-snap#272", `audit: type=1400 audit(1745819323.101:2352): apparmor="DENIED" operation="signal" class="signal" profile="docker-default" pid=4120 comm="dockerd" requested_mask="receive" denied_mask="receive" signal=kill peer="snap.docker.dockerd"`,
		&evidence.Denial{By: "apparmor", Operation: "signal", Comm: "dockerd", Label: "docker-default", Peer: "snap.docker.dockerd", Signal: "kill", Errno: "permission denied"}},
	{"canonical/docker-snap#36", `audit: type=1400 audit(1619802203.636:26953): apparmor="DENIED" operation="signal" profile="docker-default" pid=1872204 comm="runc" requested_mask="receive" denied_mask="receive" signal=term peer="snap.docker.dockerd"`,
		&evidence.Denial{By: "apparmor", Operation: "signal", Comm: "runc", Label: "docker-default", Peer: "snap.docker.dockerd", Signal: "term", Errno: "permission denied"}},
	{"moby/moby#47749", `audit: type=1400 audit(1713905126.444:253): apparmor="DENIED" operation="signal" class="signal" profile="docker-default" pid=9289 comm="runc" requested_mask="receive" denied_mask="receive" signal=kill peer="runc"`,
		&evidence.Denial{By: "apparmor", Operation: "signal", Comm: "runc", Label: "docker-default", Peer: "runc", Signal: "kill", Errno: "permission denied"}},
	{"moby/moby#36809", `audit: type=1400 audit(1523033503.323:9): apparmor="DENIED" operation="signal" profile="docker-default" pid=7162 comm="docker-runc" requested_mask="receive" denied_mask="receive" signal=stp peer="unconfined"`,
		&evidence.Denial{By: "apparmor", Operation: "signal", Comm: "docker-runc", Label: "docker-default", Peer: "unconfined", Signal: "stp", Errno: "permission denied"}},
	{"containers/container-selinux#144, with another permission", `audit: type=1400 audit(1629858773.605:302): avc:  denied  { sigkill } for  pid=895 comm="runc" scontext=staff_u:staff_r:staff_t:s0-s0:c0.c1023 tcontext=staff_u:staff_r:container_runtime_t:s0-s0:c0.c1023 tclass=process permissive=0`,
		&evidence.Denial{By: "selinux", Operation: "signal", Comm: "runc", Label: "staff_u:staff_r:container_runtime_t:s0-s0:c0.c1023", Peer: "staff_u:staff_r:staff_t:s0-s0:c0.c1023", Signal: "kill", Errno: "permission denied"}},
	{"containers/container-selinux#144", `type=AVC msg=audit(1629858773.605:302): avc:  denied  { signull } for  pid=895 comm="systemd" scontext=staff_u:staff_r:staff_t:s0 tcontext=staff_u:staff_r:container_runtime_t:s0 tclass=process permissive=0`, nil},
	{"containers/container-selinux#481", `type=AVC msg=audit(1784841031.153:9931): avc:  denied  { write } for  pid=4040299 comm="run-document-se" name="fd" dev="proc" ino=34722895 scontext=system_u:system_r:spc_t:s0 tcontext=system_u:system_r:container_runtime_t:s0 tclass=dir permissive=1`, nil},
	// Go's runtime wakes its own threads; and what complain mode lets pass.
	{"a filter list for journals", `apparmor="DENIED" operation="signal" profile="docker-default" pid=1 comm="go" requested_mask="receive" denied_mask="receive" signal=urg`, nil},
	{"moby/moby#14985", `audit: type=1400 audit(1438089330.235:1518): apparmor="ALLOWED" operation="ptrace" profile="/usr/bin/docker" pid=12847 comm="docker" requested_mask="trace" peer="docker-default"`, nil},
	{"no record", `apparmor="DENIED" operation="signal`, nil},
}

func TestRecordedDenials(t *testing.T) {
	for _, c := range recordedDenials {
		var d denials
		if d.see(Message{Text: c.text}) {
			t.Errorf("%s: the record is kept", c.source)
		}
		var want []evidence.Denial
		if c.want != nil {
			want = []evidence.Denial{*c.want}
		}
		if diff := cmp.Diff(want, d.list, cmpopts.IgnoreFields(evidence.Denial{}, "At")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.source, diff)
		}
		for _, n := range d.list {
			if n.At == nil || n.At.Year() < 2018 {
				t.Errorf("%s: at %v", c.source, n.At)
			}
		}
	}
}

// A profile that was loaded again may have been mended.
func TestDenialIsVoidAfterReload(t *testing.T) {
	var d denials
	d.see(Message{Text: recordedDenials[0].text})
	d.see(Message{Text: `audit: type=1400 audit(1614973369.479:47): apparmor="STATUS" operation="profile_replace" profile="unconfined" name="docker-default" pid=907 comm="apparmor_parser"`})
	d.see(Message{Text: recordedDenials[1].text})
	if len(d.list) != 2 || !d.list[0].Void || d.list[1].Void {
		t.Errorf("%+v", d.list)
	}
}

func TestParseRuntimeLog(t *testing.T) {
	log := `{"level":"warning","msg":"no signal at all: permission denied?","time":"2026-11-28T15:39:17Z"}
{"level":"error","msg":"unable to signal init: operation not permitted","time":"2026-11-28T15:39:18Z"}
cut {"level":"error","msg":"unable to signal init: permission denied"
{"level":"error","msg":"exec failed: permission denied","time":"2026-11-28T15:39:19Z"}
{"level":"error","msg":"unable to signal init: permission denied","time":"2026-11-28T15:39:20.5Z"}
`
	got := parseRuntimeLog([]byte(log))
	if len(got) != 2 || got[0].Errno != "operation not permitted" || got[1].Errno != "permission denied" || got[1].At == nil || got[1].At.Second() != 20 {
		t.Errorf("%+v", got)
	}
}

// The words of each runtime, and lines that tell of something else.
func TestRuntimeLogLines(t *testing.T) {
	for msg, want := range map[string]int{
		`unable to signal init: permission denied`:                                                                                  1,
		`send signal to pidfd: Permission denied`:                                                                                   1,
		`kill container: Operation not permitted`:                                                                                   1,
		`container_linux.go:388: signaling init process caused \"permission denied\"\n`:                                             1,
		`container_linux.go:380: signaling init process caused: permission denied`:                                                  1,
		`exec failed: unable to start container process: exec: \"/signal.sh\": permission denied`:                                   0,
		`exec failed: unable to start container process: exec: \"unable to signal init: x\": permission denied`:                     0,
		`unable to kill all processes: operation not permitted`:                                                                     0,
		`exec failed: unable to start container process: error adding pid 9 to cgroups: failed to write 9: operation not permitted`: 0,
		`unable to signal init: no such process`:                                                                                    0,
	} {
		if got := parseRuntimeLog([]byte(`{"level":"error","msg":"` + msg + `"}`)); len(got) != want {
			t.Errorf("%s: %+v", msg, got)
		}
	}
}

// A privileged container can write what it likes into the log.
func TestForgedDenials(t *testing.T) {
	real := recordedDenials[0].text
	for _, m := range []Message{
		{Text: real, ByProgram: true},
		{Text: `audit: type=1107 audit(1629858773.605:302): pid=9 uid=0 auid=0 ses=1 msg='avc:  denied  { sigkill } for  pid=895 comm="runc" scontext=a tcontext=b tclass=process permissive=0'`},
	} {
		var d denials
		if d.see(m); len(d.list) != 0 {
			t.Errorf("%+v gives %+v", m, d.list)
		}
	}
}

func TestForeignModules(t *testing.T) {
	text := "falcon_lsm_serviceable 643072 1 - Live 0x0000000000000000 (POE)\next4 1 2 jbd2,mbcache Live 0x0\nnvidia 9 2 a,b, Live 0x0 (PO)\nodd\n"
	if got := foreignModules(text); !cmp.Equal(got, []string{"falcon_lsm_serviceable", "nvidia"}) {
		t.Errorf("%v", got)
	}
	for text, want := range map[string]bool{"0\n": false, "4096\n": true, "512\n": false, "12289": true, "x": false, "": false} {
		if foreignTaint(text) != want {
			t.Errorf("%q", text)
		}
	}
}
