package diagnose

import (
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// aboutToBeRefused is a container with a handler, and whoever signals it.
func aboutToBeRefused(change func(*evidence.Snapshot, *evidence.Target)) *evidence.Snapshot {
	full, all := uint64(0x1ffffffffff), []int{0, 0, 0, 0}
	s := snapshot(proc{pid: 100, ns: 1, argv: []string{"app"}, cgt: []int{evidence.SIGTERM}})
	t := &s.Targets[0]
	t.Receiver = &evidence.Credentials{UID: []int{1000, 1000, 1000, 1000}, UserNS: initialUserNS}
	creds := evidence.Credentials{UID: all, CapEff: &full, CapBnd: &full, UserNS: initialUserNS}
	t.Senders = []evidence.Sender{{Role: evidence.SenderDaemon, PID: 10, Comm: "dockerd", Credentials: creds},
		{Role: evidence.SenderRuntime, PID: 11, Comm: "containerd-shim", Credentials: creds}}
	change(s, t)
	return s
}

func without() *uint64 { n := uint64(0x1ffffffffff) &^ capKill; return &n }

// The kernel's own rule, kernel/signal.c kill_ok_by_cred.
func TestLacksKill(t *testing.T) {
	owner := 0
	for name, c := range map[string]struct {
		change func(*evidence.Snapshot, *evidence.Target)
		want   Verdict
		ends   bool
	}{
		"with the capability": {func(*evidence.Snapshot, *evidence.Target) {}, Stops, true},
		"neither has it": {func(_ *evidence.Snapshot, t *evidence.Target) {
			t.Senders[0].CapEff, t.Senders[1].CapBnd = without(), without()
		}, Refused, false},
		"the runtime has it not": {func(_ *evidence.Snapshot, t *evidence.Target) { t.Senders[1].CapBnd = without() }, Refused, true},
		"dockerd has it not":     {func(_ *evidence.Snapshot, t *evidence.Target) { t.Senders[0].CapEff = without() }, Stops, true},
		"the same user": {func(_ *evidence.Snapshot, t *evidence.Target) {
			t.Senders[1].CapBnd, t.Receiver.UID = without(), []int{0, 0, 0, 0}
		}, Stops, true},
		"it made the user namespace": {func(_ *evidence.Snapshot, t *evidence.Target) {
			t.Senders[1].CapBnd, t.Receiver.UserNS, t.Receiver.UserNSOwner = without(), 77, &owner
		}, Stops, true},
		"from a user namespace below": {func(_ *evidence.Snapshot, t *evidence.Target) {
			t.Senders[0].UserNS, t.Senders[1].UserNS = 78, 78
		}, Refused, false},
		"between two user namespaces": {func(_ *evidence.Snapshot, t *evidence.Target) {
			t.Senders[0].UserNS, t.Senders[1].UserNS, t.Receiver.UserNS = 78, 78, 79
		}, Stops, true},
		"not read": {func(_ *evidence.Snapshot, t *evidence.Target) { t.Senders[1].CapBnd = nil }, Stops, true},
	} {
		got := Judge(aboutToBeRefused(c.change), Options{}).Containers[0]
		if got.Verdict != c.want || got.Stop.ContainerEnds == nil || *got.Stop.ContainerEnds != c.ends {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Stop)
		}
		if (got.Verdict == Refused) != (got.Findings[0].Code == "WS402") {
			t.Errorf("%s: finding %s", name, got.Findings[0].Code)
		}
	}
}

// With timeout -1 nothing follows the stop signal that was denied.
func TestRefusedForEver(t *testing.T) {
	never := -1
	got := Judge(aboutToBeRefused(func(_ *evidence.Snapshot, t *evidence.Target) { t.Senders[1].CapBnd = without() }), Options{Timeout: &never, Kill: evidence.SIGHUP}).Containers[0]
	if got.Verdict != Refused || got.Stop.Command.Returns || got.Signal.Outcome != "refused" {
		t.Errorf("%s %+v %+v", got.Verdict, got.Stop, got.Signal)
	}
}

// Denials as they stand in public reports (see pkg/probe): the labels make them
// count, or not.
func TestRefusedByModule(t *testing.T) {
	snap := evidence.Denial{By: "apparmor", Operation: "signal", Comm: "runc", Label: "docker-default", Peer: "snap.docker.dockerd", Signal: "term"}
	runc := evidence.Denial{By: "apparmor", Operation: "signal", Comm: "runc", Label: "docker-default", Peer: "runc", Signal: "kill"}
	void := runc
	void.Void = true
	app := runc
	app.Comm = "bash"
	context := "system_u:system_r:container_t:s0:c1,c2"
	selinux := evidence.Denial{By: "selinux", Operation: "signal", Comm: "runc", Label: context, Peer: "system_u:system_r:unconfined_service_t:s0", Signal: "kill"}
	for name, c := range map[string]struct {
		label, daemon string
		denial        *evidence.Denial
		want          Verdict
		conf          Confidence
		code          string
		ends          bool
	}{
		"a label alone":        {"docker-default (enforce)", "snap.docker.dockerd (enforce)", nil, Stops, Assumed, "WS111", true},
		"two packages":         {"docker-default (enforce)", "snap.docker.dockerd (enforce)", &snap, Refused, Likely, "WS403", false},
		"the other engine now": {"docker-default (enforce)", "unconfined", &snap, Refused, Likely, "WS403", true},
		"runc's own profile":   {"docker-default (enforce)", "unconfined", &runc, Refused, Likely, "WS403", true},
		"loaded anew since":    {"docker-default (enforce)", "unconfined", &void, Stops, Assumed, "WS111", true},
		"another profile":      {"mine (enforce)", "unconfined", &runc, Stops, Assumed, "WS111", true},
		"complain mode":        {"docker-default (complain)", "unconfined", &runc, Stops, Assumed, "WS111", true},
		"unconfined":           {"unconfined", "unconfined", &runc, Stops, Assumed, "WS111", true},
		"between its own":      {"docker-default (enforce)", "unconfined", &app, Stops, Assumed, "WS111", true},
		"selinux":              {context, "system_u:system_r:unconfined_service_t:s0", &selinux, Refused, Likely, "WS404", false},
		"selinux, another one": {"system_u:system_r:container_t:s0:c3,c4", "x", &selinux, Stops, Assumed, "WS111", true},
	} {
		got := Judge(aboutToBeRefused(func(s *evidence.Snapshot, t *evidence.Target) {
			t.Receiver.Label, t.Senders[0].Label = c.label, c.daemon
			s.Host.Security = &evidence.Security{LSMs: []string{"capability", "apparmor"}}
			if c.denial != nil {
				s.Host.Security.Denials = []evidence.Denial{*c.denial}
			}
		}), Options{}).Containers[0]
		if got.Verdict != c.want || got.Confidence != c.conf || got.Findings[0].Code != c.code || *got.Stop.ContainerEnds != c.ends {
			t.Errorf("%s: %s %s %s, ends %v", name, got.Verdict, got.Confidence, got.Findings[0].Code, *got.Stop.ContainerEnds)
		}
	}
}

// The runtime's log: a stop that was refused and outlived tells of dockerd too.
func TestRefusedBefore(t *testing.T) {
	at := func(seconds int) evidence.Denial {
		when := time.Unix(1_800_000_000-int64(seconds), 0)
		return evidence.Denial{By: "runtime", Operation: "signal", Errno: errnoDenied, At: &when}
	}
	for name, c := range map[string]struct {
		refusals []evidence.Denial
		ends     bool
	}{
		"a signal":             {[]evidence.Denial{at(100)}, true},
		"a stop under way":     {[]evidence.Denial{at(8), at(6)}, true},
		"a stop long ago":      {[]evidence.Denial{at(102), at(100)}, false},
		"two signals by hand":  {[]evidence.Denial{at(200), at(100)}, true},
		"and a stop after all": {[]evidence.Denial{at(200), at(102), at(100)}, false},
	} {
		got := Judge(aboutToBeRefused(func(_ *evidence.Snapshot, t *evidence.Target) { t.Refusals = c.refusals }), Options{}).Containers[0]
		if got.Verdict != Refused || got.Confidence != Likely || got.Findings[0].Code != "WS401" || *got.Stop.ContainerEnds != c.ends {
			t.Errorf("%s: %s %s, ends %v", name, got.Verdict, got.Confidence, *got.Stop.ContainerEnds)
		}
	}
}

// State.Error as runc, and reports of it, have it.
func TestStartDenied(t *testing.T) {
	for text, want := range map[string]string{
		`runc create failed: unable to start container process: exec: "/entrypoint.sh": permission denied: unknown`:                                "x bit",
		`OCI runtime create failed: runc create failed: unable to start container process: unable to apply caps: operation not permitted: unknown`: "capability",
		`runc create failed: unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/exec: permission denied`:    "AppArmor",
		`runc create failed: unable to start container process: exec /app: operation not permitted: unknown`:                                       "not by file permissions",
		`runc create failed: unable to start container process: exec /ne/app: permission denied: unknown`:                                          "all the same",
		`exec: "nope": executable file not found in $PATH: unknown`:                                                                                "",
	} {
		s := aboutToBeRefused(func(s *evidence.Snapshot, t *evidence.Target) {
			t.Container.Status, t.Container.Error, t.PID, t.Processes = "created", text, 0, nil
			t.Container.PID = 0
			s.Host.Security = &evidence.Security{LSMs: []string{"capability", "yama", "bpf"}, Foreign: []string{"falcon_lsm"}, BPF: []string{"watch_exec"}}
		})
		got := Judge(s, Options{}).Containers[0]
		if want == "" {
			if len(got.Findings) != 0 {
				t.Errorf("%s: %+v", text, got.Findings)
			}
			continue
		}
		if len(got.Findings) != 1 || got.Findings[0].Code != "WS405" || !strings.Contains(got.Findings[0].Summary, want) || len(got.Findings[0].Evidence) != 4 {
			t.Errorf("%s: %+v", text, got.Findings)
		}
	}
}
