package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// isPodman reports whether an engine is Podman, whose service keeps nothing in
// memory: its containers do not notice that it ends, and every podman command works
// without it.
func isPodman(e *evidence.Engine) bool { return e != nil && e.Name == "podman" }

// daemonWord is the engine's own process in a sentence.
func daemonWord(e *evidence.Engine) string {
	if isPodman(e) {
		return "Podman's service"
	}
	return "dockerd"
}

// named gives a finding the engine's own name.
func (c *cause) named(e *evidence.Engine) *cause {
	if isPodman(e) {
		c.finding.Title = strings.Replace(c.finding.Title, "dockerd", "Podman's service", 1)
	}
	return c
}

// podmanDown: nobody listens on Podman's socket. Measured with Podman 4.3: the
// containers run on, and podman's own commands reach them.
func podmanDown(e *evidence.Engine) *cause {
	return newCause("WS309", LayerEngine, endsUnconnected, Certain,
		fmt.Sprintf("Podman's service is not running: nobody listens at %s. docker stop fails at once; podman's own commands work without it", e.Endpoint)).
		named(e).shows(answerFact(e)...).
		fix(Fix{When: FixHost, Text: startPodmanText(e), Command: startPodman(e)})
}

func startPodmanText(e *evidence.Engine) string {
	text := "start the service again; no container is touched by that"
	if e.Rootless {
		text += ". As the user whose Podman it is"
	}
	return text
}

// startPodman is empty for a socket that systemd does not make by default.
func startPodman(e *evidence.Engine) string {
	switch path := strings.TrimPrefix(strings.TrimPrefix(e.Endpoint, "unix://"), "/var"); {
	case path == "/run/podman/podman.sock":
		return "sudo systemctl restart podman.socket"
	case strings.HasPrefix(path, "/run/user/") && strings.HasSuffix(path, "/podman/podman.sock"):
		return "systemctl --user restart podman.socket"
	}
	return ""
}

// podmanSilent: the service takes the connection and gives no answer, and nothing
// shows why. Podman's list takes the lock of each container and of the storage, so
// another podman command that hangs can do it.
func podmanSilent(e *evidence.Engine, c *cause) *cause {
	c.fix(Fix{When: FixHost, Text: "see whether another podman command hangs: each takes the same locks, and waits for the other", Command: "ps -o pid,ppid,stat,wchan:32,args -C podman,conmon"})
	return c.fix(Fix{When: FixHost, Text: "restart the service; no container is touched by that", Command: startPodman(e)})
}

// podmanWorks is what is to be expected of podman's own command beside a service that
// is down (WS309), stopped (WS310), silent or stuck. Measured with Podman 4.3: with
// the storage's lock or the database's held by somebody, all of them hang.
var podmanWorks = map[string]string{
	"WS309": "works without the service",
	"WS310": "works without the service, unless that was stopped with a lock held: then this hangs, too",
	"WS304": "try it: it hangs as well while another podman command, or the service, holds the lock",
	"WS311": "try it: it hangs as well if the service holds the lock",
}

// podmanWays is how to stop the containers of a Podman whose service does not
// answer, nil where there is none to stop. The time is given: a container that was
// made by the Docker API of Podman 4 has 0 and would get no stop signal at all.
func podmanWays(s *evidence.Snapshot, code string, opt Options) []Fix {
	e := s.Host.Engine
	var run, paused []string
	for i := range s.Targets {
		k := s.Targets[i].Container
		switch {
		case k == nil || s.Targets[i].Kind != evidence.KindContainer:
		case k.Status == "paused":
			paused = append(paused, nameOf(k))
		case IsRunning(k.Status):
			run = append(run, nameOf(k))
		}
	}
	who := ""
	if e.Rootless {
		who = ", as the user whose Podman it is"
	}
	var out []Fix
	if len(paused) > 0 {
		out = append(out, Fix{When: FixNow, Text: "what is paused is not stopped: let it go on first" + who, Command: podmanCommand(e, "unpause", paused)})
	}
	if len(run) > 0 {
		text := podmanWorks[code] + who
		if len(run) > maxNamedContainers {
			text += fmt.Sprintf("; the first %d of %d", maxNamedContainers, len(run))
		}
		out = append(out, Fix{When: FixNow, Text: text, Command: podmanCommand(e, stopVerb(opt), run)})
	}
	return out
}

// stopVerb is podman's own stop with the time that was asked about.
func stopVerb(opt Options) string {
	seconds := defaultTimeout
	if opt.Timeout != nil && *opt.Timeout >= 0 {
		seconds = *opt.Timeout
	}
	return fmt.Sprintf("stop -t %d", seconds)
}

func nameOf(k *evidence.Container) string {
	if k.Name != "" {
		return k.Name
	}
	return bounded(k.ID, 12)
}

// maxNamedContainers bounds a command.
const maxNamedContainers = 5

// podmanCommand is a podman command about containers, "" where one of the words
// could not be pasted safely.
func podmanCommand(e *evidence.Engine, verb string, names []string) string {
	words := []string{"sudo podman"}
	if e.Rootless {
		words = []string{"podman"}
	}
	if e.DataRoot != "" && e.ExecRoot != "" && !usualRoots(e) {
		if !safeWord(e.DataRoot) || !safeWord(e.ExecRoot) {
			return ""
		}
		words = append(words, "--root", e.DataRoot, "--runroot", e.ExecRoot)
	}
	words = append(words, verb)
	for _, n := range names[:min(len(names), maxNamedContainers)] {
		if !safeWord(n) {
			return ""
		}
		words = append(words, n)
	}
	return strings.Join(words, " ")
}

// usualRoots: podman finds them by itself.
func usualRoots(e *evidence.Engine) bool {
	if e.Rootless {
		return strings.HasSuffix(e.DataRoot, "/.local/share/containers/storage")
	}
	return e.DataRoot == "/var/lib/containers/storage" && e.ExecRoot == "/run/containers/storage"
}
