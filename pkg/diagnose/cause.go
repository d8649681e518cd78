package diagnose

import (
	"fmt"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// commandEnd is how docker's commands end when the engine is the problem.
type commandEnd int

const (
	endsNever       commandEnd = iota // no return before somebody acts
	endsUnconnected                   // the client finds nobody to talk to
	endsAstray                        // somebody else answers the client
	endsUnsent                        // dockerd cannot reach containerd, and kills by itself
	endsUnsettled                     // as if all were well, or as endsUnsent
	endsForgotten                     // containerd says that there is no such task
)

// cause is a fault of the engine that decides, whatever the container would do.
type cause struct {
	finding  Finding
	ends     commandEnd
	conf     Confidence
	layer    string
	headline string // of a container that it concerns
}

// newCause starts a cause with its finding.
func newCause(code, layer string, ends commandEnd, conf Confidence, headline string) *cause {
	f := newFinding(code, nil)
	f.Summary = headline
	return &cause{finding: f, ends: ends, conf: conf, layer: layer, headline: headline}
}

func (c *cause) shows(list ...Evidence) *cause {
	c.finding.Evidence = append(c.finding.Evidence, list...)
	return c
}

func (c *cause) fix(list ...Fix) *cause {
	c.finding.Fixes = append(c.finding.Fixes, list...)
	return c
}

// afterwards says what becomes of requests that wait, as measured: dockerd, and
// Podman's service, carries out what it has accepted even when the client has left,
// and drops what it finds in its socket's queue with nobody behind it.
func afterwards(e *evidence.Engine) string {
	return "what " + daemonWord(e) + " has accepted by now is carried out after that, even if the client has left"
}

// engineCauses are the faults of dockerd and containerd, the one that decides
// first.
func engineCauses(e *evidence.Engine) []*cause {
	if e == nil {
		return nil
	}
	var out []*cause
	if c := daemonCause(e); c != nil {
		out = append(out, c)
	}
	if c := containerdCause(e); c != nil {
		out = append(out, c)
	}
	return out
}

// daemonCause is what is wrong with dockerd, nil when it answers.
func daemonCause(e *evidence.Engine) *cause {
	d := part(e.Parts, evidence.RoleDaemon)
	switch {
	case nobodyListens(e) && isPodman(e):
		return podmanDown(e)
	case nobodyListens(e):
		return daemonDown(e)
	case e.Trouble == "" && (d == nil || d.Process == nil || d.Process.State != "T"):
		return nil // it has just answered
	case d != nil && heldMute(d.Process):
		return newCause("WS310", LayerEngine, endsNever, heldConf(d.Process),
			fmt.Sprintf("%s (PID %d) is %s: no docker command returns", daemonWord(e), d.PID, heldWord(d))).
			named(e).shows(heldFact(d)...).shows(answerFact(e)...).
			fix(withText(fixHeld(d), "let it go on: "+afterwards(e)+"; a request whose client left before that is dropped"))
	case e.Trouble == "foreign":
		return daemonElsewhere(e)
	case e.Trouble != evidence.GapTimeout:
		return nil // what keeps us from asking says nothing of the engine
	}
	if c, hangs := partHangs(d); len(hangs) > 0 {
		return daemonStuck(e, c, &hangs[0], d).shows(answerFact(e)...)
	}
	c := newCause("WS304", LayerEngine, endsNever, Likely,
		fmt.Sprintf("the engine at %s does not answer (%s); what follows comes from its own files", e.Endpoint, e.Trouble)).shows(answerFact(e)...)
	c.headline = fmt.Sprintf("the engine does not answer (%s): no docker command reaches this container", e.Trouble)
	if isPodman(e) {
		return podmanSilent(e, c)
	}
	if d == nil || d.PID == 0 {
		return c.fix(Fix{When: FixHost, Text: "see whether dockerd and containerd run, and in what state", Command: "ps -o pid,stat,wchan:32,args -C dockerd,containerd"})
	}
	if d.Process != nil {
		c.shows(Evidence{Source: fmt.Sprintf("/proc/%d/stat", d.PID), Field: "state", Value: d.Process.State,
			Says: "dockerd is not stopped, and no thread of it is in D: it is overloaded, or waits for itself"})
	}
	return c.fix(fixDump(d, "its log names the file"), Fix{When: FixHost, Text: "a dockerd that waits for itself has to be restarted; with live-restore the containers stay up", Command: restartEngine(e)})
}

func answerFact(e *evidence.Engine) []Evidence {
	if e.Trouble == "" {
		return nil
	}
	f := socketFact(e.Endpoint, e.Trouble)
	f.Says += "; the engine's own files answer instead"
	return []Evidence{f}
}

func withText(f Fix, t string) Fix {
	if f.Risk == nil { // not a tracer's
		f.Text = t
	}
	return f
}

// nobodyListens: over a network "refused" is any failed connection, also one by
// TLS or a name that is not known.
func nobodyListens(e *evidence.Engine) bool {
	return (e.Trouble == "refused" || e.Trouble == "gone") && strings.HasPrefix(e.Endpoint, "unix://")
}

// daemonElsewhere: who listens on the engine's socket is no engine. What it makes of
// a request is its own: measured were errors of many kinds, and an exit code of 0.
func daemonElsewhere(e *evidence.Engine) *cause {
	c := newCause("WS304", LayerEngine, endsAstray, Likely,
		fmt.Sprintf("what listens at %s is no Docker engine: no docker command that goes there reaches a container", e.Endpoint))
	return c.shows(answerFact(e)...).fix(Fix{When: FixHost, Text: "see who listens there, and which socket the engine has (docker context ls, systemctl status docker)",
		Command: command("sudo ss -xlp src %s", strings.TrimPrefix(e.Endpoint, "unix://"))})
}

// daemonDown: nobody listens on the engine's socket.
func daemonDown(e *evidence.Engine) *cause {
	c := newCause("WS309", LayerEngine, endsUnconnected, Certain,
		fmt.Sprintf("dockerd is not running: nobody listens at %s", e.Endpoint)).shows(answerFact(e)...)
	start := Fix{When: FixNow, Text: "start dockerd again", Command: startEngine(e)}
	switch live := e.LiveRestore; {
	case live == nil:
		start.Text += "; whether live-restore is on could not be read: without it, the start stops the containers that still run"
	case *live:
		start.Text += "; live-restore is on: it takes up the containers that still run"
	default:
		start.Text += "; the start stops the containers that still run, as docker stop does"
		start.Risk = text("every container of this engine that still runs is stopped (live-restore is off)")
	}
	return c.fix(start)
}

// isDefaultEndpoint reports whether it is the packaged engine that systemd runs.
func isDefaultEndpoint(e *evidence.Engine) bool {
	return e.Endpoint == "unix:///var/run/docker.sock" || e.Endpoint == "unix:///run/docker.sock"
}

func startEngine(e *evidence.Engine) string {
	if isDefaultEndpoint(e) && !e.Rootless {
		return "sudo systemctl start docker"
	}
	return ""
}

func restartEngine(e *evidence.Engine) string {
	if isDefaultEndpoint(e) && !e.Rootless {
		return "sudo systemctl restart docker"
	}
	return ""
}

// daemonStuck: a thread of dockerd sleeps in a system call that does not end.
func daemonStuck(e *evidence.Engine, c *inspection, h *hang, d *evidence.Part) *cause {
	f := c.findHang(h)
	out := newCause("WS311", LayerEngine, endsNever, h.conf, "").named(e)
	out.headline = fmt.Sprintf("a thread of %s (PID %d) hangs in the kernel", daemonWord(e), d.PID)
	if h.wait != nil {
		out.headline += ": " + h.wait.Cause + aboutWords(h.t)
	}
	out.finding.Summary = out.headline + "; " + afterwards(e)
	out.finding.PID, out.finding.TID = h.p.PID, f.TID
	return out.shows(f.Evidence...).fix(f.Fixes...)
}

// containerdCause is what is wrong with containerd, nil when it is well or not
// known.
func containerdCause(e *evidence.Engine) *cause {
	p := part(e.Parts, evidence.RoleContainerd)
	switch {
	case absentPart(p):
		c := newCause("WS312", LayerEngine, endsUnsent, Likely, "containerd is not running: dockerd cannot pass any signal on").
			shows(socketFact(p.Address, p.Trouble))
		if p.ByDaemon {
			return c.fix(Fix{When: FixNow, Text: "wait: dockerd has started this containerd and starts a new one within seconds; the containers live on under their shims"})
		}
		start := Fix{When: FixNow, Text: "start containerd: the containers have lived on under their shims, and dockerd connects by itself"}
		if p.Address == "/run/containerd/containerd.sock" {
			start.Command = "sudo systemctl start containerd"
		}
		return c.fix(start)
	case heldPart(p):
		return newCause("WS313", LayerEngine, endsNever, heldConf(p.Process),
			fmt.Sprintf("containerd (PID %d) is %s: docker ps answers, and no signal gets through", p.PID, heldWord(p))).
			shows(heldFact(p)...).fix(withText(fixHeld(p), "let it go on: "+afterwards(e)))
	}
	return nil
}

// reconnects is for how long, in seconds, after the start of a containerd dockerd
// may not yet be connected to it. Measured with 20.10: up to 12.
const reconnects = 20

// freshContainerd: containerd has been started anew under a dockerd and a
// container that are older. nil when it has not, or that is long ago.
func (c *inspection) freshContainerd() *cause {
	e := c.host.Engine
	if e == nil || c.root == nil {
		return nil
	}
	d, p := part(e.Parts, evidence.RoleDaemon), part(e.Parts, evidence.RoleContainerd)
	if d == nil || p == nil || d.Process == nil || p.Process == nil {
		return nil
	}
	age, ok := c.age(p.Process)
	daemon, okDaemon := c.age(d.Process)
	init, okInit := c.age(c.root)
	if !ok || !okDaemon || !okInit || age >= reconnects || daemon < age+5 || init < age {
		return nil
	}
	return newCause("WS324", LayerEngine, endsUnsettled, Assumed,
		fmt.Sprintf("containerd was started %.0f s ago, and dockerd may not be connected to it yet: look again in %d s", age, reconnects)).
		shows(Evidence{Source: fmt.Sprintf("/proc/%d/stat", p.PID), Field: "starttime", Value: fmt.Sprintf("%.0f s ago", age), Says: "younger than dockerd and the container"}).
		fix(Fix{When: FixNow, Text: "wait, and try whether dockerd reaches it", Command: command("docker top %s", c.displayName())})
}

// hostFindings are about the engine as a whole.
func hostFindings(s *evidence.Snapshot, opt Options) []Finding {
	out := append([]Finding{}, emptyCgroups(s)...)
	out = append(out, halfRemoved(s)...)
	for _, c := range engineCauses(s.Host.Engine) {
		if isPodman(s.Host.Engine) {
			c.finding.Fixes = append(podmanWays(s, c.finding.Code, opt), c.finding.Fixes...)
		}
		out = append(out, c.finding)
	}
	return out
}
