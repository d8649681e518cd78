package diagnose

import (
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// silentPodman is a container whose Podman does not answer, as its files tell it.
func silentPodman(trouble, state string, change func(*evidence.Snapshot)) *evidence.Snapshot {
	s := snapshot(proc{pid: 100, ns: 1, argv: []string{"app"}, cgt: []int{evidence.SIGTERM}})
	s.Host.Engine = &evidence.Engine{Name: "podman", Endpoint: "unix:///run/podman/podman.sock", Trouble: trouble,
		DataRoot: "/var/lib/containers/storage", ExecRoot: "/run/containers/storage"}
	if state != "" {
		s.Host.Engine.Parts = []evidence.Part{partIn(evidence.RoleDaemon, 50, state)}
	}
	k := s.Targets[0].Container
	k.Name, k.Status, k.Source, k.Inspected, k.StopTimeout = "web", "running", "engine-files", false, nil
	change(s)
	return s
}

// A Podman whose service is away is no dead engine: its own commands are the way
// out, and the container does not notice. Measured with Podman 4.3.
func TestPodmanSilent(t *testing.T) {
	same := func(*evidence.Snapshot) {}
	thirty := 30
	for name, c := range map[string]struct {
		trouble, state string
		change         func(*evidence.Snapshot)
		timeout        *int
		code           string
		returns        bool
		fixes          []string
		says           string
	}{
		"gone":    {"gone", "", same, nil, "WS309", true, []string{"sudo podman stop -t 10 web", "sudo systemctl restart podman.socket"}, "no container is touched"},
		"refused": {"refused", "", same, &thirty, "WS309", true, []string{"sudo podman stop -t 30 web", "sudo systemctl restart podman.socket"}, "nobody listens"},
		"stopped": {"timeout", "T", same, nil, "WS310", false, []string{"sudo podman stop -t 10 web", "sudo kill -CONT 50"}, "Podman's service (PID 50) is stopped"},
		"hangs":   {"timeout", "D", same, nil, "WS311", false, []string{"sudo podman stop -t 10 web"}, "a thread of Podman's service"},
		"no answer": {"timeout", "S", same, nil, "WS304", false,
			[]string{"sudo podman stop -t 10 web", "ps -o pid,ppid,stat,wchan:32,args -C podman,conmon", "sudo systemctl restart podman.socket"}, "it hangs as well while another podman command"},
		"paused": {"refused", "", func(s *evidence.Snapshot) { s.Targets[0].Container.Status = "paused" }, nil, "WS309", true,
			[]string{"sudo podman unpause web", "sudo systemctl restart podman.socket"}, "let it go on first"},
		"a user's": {"refused", "", func(s *evidence.Snapshot) {
			s.Host.Engine.Rootless, s.Host.Engine.DataRoot = true, "/home/u/.local/share/containers/storage"
			s.Host.Engine.Endpoint = "unix:///run/user/77/podman/podman.sock"
		}, nil, "WS309", true, []string{"podman stop -t 10 web", "systemctl --user restart podman.socket"}, "as the user"},
		"elsewhere": {"refused", "", func(s *evidence.Snapshot) {
			s.Host.Engine.DataRoot, s.Host.Engine.ExecRoot, s.Host.Engine.Endpoint = "/srv/a", "/srv/b", "unix:///srv/s"
		}, nil, "WS309", true, []string{"sudo podman --root /srv/a --runroot /srv/b stop -t 10 web"}, "start the service"},
		"a hostile root": {"refused", "", func(s *evidence.Snapshot) { s.Host.Engine.DataRoot = "/srv/$(x)" }, nil, "WS309", true,
			[]string{"sudo systemctl restart podman.socket"}, "start the service"},
		"a hostile name": {"refused", "", func(s *evidence.Snapshot) { s.Targets[0].Container.Name = "a;b" }, nil, "WS309", true,
			[]string{"sudo systemctl restart podman.socket"}, "start the service"},
	} {
		r := Judge(silentPodman(c.trouble, c.state, c.change), Options{Timeout: c.timeout})
		got, f := r.Containers[0], r.Host.Findings
		if got.Verdict != Stuck || got.Layer != LayerEngine || got.Stop.Command.Returns != c.returns || len(f) != 1 || f[0].Code != c.code {
			t.Errorf("%s: %s %s, %+v, %+v", name, got.Verdict, got.Layer, got.Stop, f)
			continue
		}
		text, commands := f[0].Title+f[0].Summary, []string{}
		for _, x := range f[0].Fixes {
			text += x.Text
			if x.Command != "" {
				commands = append(commands, x.Command)
			}
		}
		if strings.Contains(text, "dockerd") || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s", name, text)
		}
		if strings.Join(commands, "\n") != strings.Join(c.fixes, "\n") {
			t.Errorf("%s: %q, want %q", name, commands, c.fixes)
		}
	}
}

// Podman gives up at the first denial; every number was measured with Podman 4.3.
func TestPodmanRefused(t *testing.T) {
	at := func(n int) *int { return &n }
	denied := func(s *evidence.Snapshot, t *evidence.Target) {
		s.Host.Engine = &evidence.Engine{Name: "podman", Version: "4.3.1"}
		t.Senders[0].Comm, t.Senders[1].Comm = "podman", "podman"
		t.Senders[0].CapEff, t.Senders[1].CapEff, t.Senders[1].CapBnd = without(), without(), without()
	}
	for name, c := range map[string]struct {
		change  func(*evidence.Snapshot, *evidence.Target)
		timeout *int
		verdict Verdict
		known   bool // when it returns
		says    string
	}{
		"stop":       {denied, at(10), Refused, true, "Error response from daemon: operation not permitted"},
		"at once":    {denied, at(0), Refused, true, "Error response from daemon: sending SIGKILL to container "},
		"no timeout": {denied, at(-1), Stuck, true, "Error response from daemon: failed to parse"},
		"another version": {func(s *evidence.Snapshot, t *evidence.Target) {
			denied(s, t)
			s.Host.Engine.Version = "5.2.0"
		}, at(10), Refused, true, ""},
		"the runtime alone": {func(s *evidence.Snapshot, t *evidence.Target) {
			denied(s, t)
			t.Senders[0].CapEff = t.Senders[0].CapBnd
		}, at(10), Refused, false, ""},
		"the same user": {func(s *evidence.Snapshot, t *evidence.Target) {
			denied(s, t)
			t.Receiver.UID = []int{0, 0, 0, 0}
		}, at(10), Stops, false, ""},
	} {
		got := Judge(aboutToBeRefused(c.change), Options{Timeout: c.timeout}).Containers[0]
		cmd := got.Stop.Command
		if got.Verdict != c.verdict || !cmd.Returns || c.verdict != Stops && (cmd.AfterSeconds != nil) != c.known {
			t.Errorf("%s: %s, %+v", name, got.Verdict, got.Stop)
		}
		if c.says == "" && c.verdict == Refused && cmd.Error != nil || c.says != "" && (cmd.Error == nil || !strings.HasPrefix(*cmd.Error, c.says)) {
			t.Errorf("%s: %+v", name, cmd)
		}
		if c.verdict == Refused && (got.Findings[0].Code != "WS402" || !strings.HasPrefix(got.Findings[0].Fixes[0].Command, "sudo podman stop -t ") || got.Kill.Outcome != "refused" || got.Rm.Outcome != "refused") {
			t.Errorf("%s: %+v, kill %+v, rm %+v", name, got.Findings[0], got.Kill, got.Rm)
		}
	}
}
