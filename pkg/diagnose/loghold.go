package diagnose

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// remoteLog reports whether a log driver writes to somebody who may not read.
func remoteLog(driver string) bool {
	switch driver {
	case "", "none", "json-file", "local", "journald":
		return false
	}
	return true
}

// logHold is what will keep the engine from booking the exit. Before it does, it
// closes the container's output and its log driver, and neither has a time limit
// (moby daemon/container/monitor.go Reset). Measured with 20.10, 28.5 and 29.7, with
// syslog, fluentd, gelf and splunk over TCP: while what the program has written
// fills everything up to the program itself, docker stop, kill and rm -f do not
// return. Where the program is not held up yet it depends on the driver and on how
// much waits.
type logHold struct {
	says  string
	conf  Confidence
	maybe bool // whether the driver waits already cannot be seen
	facts []Evidence
	fixes []Fix
}

// logHold is nil where nothing speaks for one.
func (c *inspection) logHold() *logHold {
	path, k := c.t.Log, c.t.Container
	if path == nil || k == nil {
		return nil
	}
	if path.DaemonTID != 0 {
		return c.fileHold()
	}
	h := &logHold{conf: Assumed, facts: c.logFacts(), fixes: c.logFixes()}
	blocked, long := c.outputBlocked()
	switch {
	case path.Deaf > 0 && blocked:
		h.says = c.receiverWords() + " does not read: the engine will not see the container end before it does"
		if long && path.Deaf == path.Connections {
			h.conf = Likely
		}
	case path.Deaf > 0 && c.driverWaits():
		h.says = c.receiverWords() + " does not read, and its buffers are full: the engine will not see the container end before it does"
	case path.Deaf > 0:
		h.says = c.receiverWords() + " has not read over two looks: once that has filled the log driver's buffers the engine will not see the container end"
		h.maybe = true
	case path.Connections == 0 && blocked && k.LogDriver == "fluentd": // it tries again for ever, unless told otherwise
		h.says = "the log driver fluentd has no connection, and tries again: the engine will not see the container end before it has one"
	default:
		return nil
	}
	return h
}

// driverWaits reports whether the log driver waits for its receiver, as far as that
// can be seen, and will at the exit: with syslog and gelf that is given up after
// 10 s, unless a buffer of dockerd's stands before the driver (mode=non-blocking).
func (c *inspection) driverWaits() bool {
	path, k := c.t.Log, c.t.Container
	return path.Full != nil && *path.Full > 0 && *path.Full == path.Connections && (k.LogMode == "non-blocking" || k.LogDriver == "fluentd")
}

// receiverWords name the receiver of the log.
func (c *inspection) receiverWords() string {
	path, says := c.t.Log, "the receiver of its log ("+bounded(c.t.Container.LogDriver, 40)
	if path.Peer != "" {
		says += " at " + bounded(path.Peer, 60)
	}
	if path.ReaderPID != 0 {
		says += fmt.Sprintf(", PID %d %s", path.ReaderPID, bounded(path.ReaderComm, 20))
	}
	return says + ")"
}

// fileHold: a thread of dockerd hangs in a call on one of the container's own files,
// or on another container's while the file system of both is frozen: the exit is
// booked in a file beside the log. nil where the thread has moved on.
func (c *inspection) fileHold() *logHold {
	if c.host.Engine == nil {
		return nil
	}
	in, hangs := partHangs(part(c.host.Engine.Parts, evidence.RoleDaemon))
	i := slices.IndexFunc(hangs, func(h hang) bool { return h.t.TID == c.t.Log.DaemonTID })
	if i < 0 {
		return nil
	}
	h := &hangs[i]
	if slow(h.wait) && short(h.t) {
		return nil // a busy disk
	}
	f := in.findHang(h)
	out := &logHold{conf: h.conf, facts: f.Evidence, fixes: f.Fixes,
		says: "dockerd itself hangs in a call on the container's own files: the engine will not see it end before that is done"}
	if c.t.Log.Beside {
		if h.wait == nil || h.wait.Topic != "frozen-fs" {
			return nil // what one file waits for need not be in the way of another
		}
		out.conf = Assumed
		out.says = "dockerd itself hangs on the file system that it books exits on: the engine will not see the container end before that is done"
	}
	return out
}

// outputBlocked reports whether a process of the container waits in a write to its
// output, and whether it has for so long that no receiver is just slow.
func (c *inspection) outputBlocked() (blocked, long bool) {
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		for j := range p.Tasks {
			t := &p.Tasks[j]
			if _, ok := blockedOutput(t); ok && !p.Outside {
				blocked, long = true, long || !short(t)
			}
		}
	}
	return blocked, long
}

// logHolds changes a forecast of an end into one of an end that is not booked: the
// processes go, and docker's commands wait.
func (c *inspection) logHolds(out *Container, o *outlook) {
	h := c.logHold()
	if h == nil || len(o.hangs) > 0 || c.t.Container.InspectTrouble != "" || out.Verdict == Stuck || out.Verdict == Ghost {
		return
	}
	f := newFinding("WS327", nil)
	f.Summary = h.says
	f.Evidence, f.Fixes = h.facts, h.fixes
	if r := c.refusal(); r != nil && r.daemon {
		h.maybe = true // nothing of it is ended, so that there is no exit to hold
	}
	if h.maybe {
		f.Severity = SeverityWarning
		out.Confidence = worse(out.Confidence, h.conf)
		out.Findings = append([]Finding{f}, out.Findings...)
		return
	}
	out.Findings = append([]Finding{f}, out.Findings...)
	out.Verdict, out.Confidence, out.Layer, out.Headline = Stuck, h.conf, LayerEngine, h.says
	no := false
	s := out.Stop
	s.Freed = &Freed{Status: bookedExited, ExitCode: o.code, Says: "its exit is booked, and the commands that wait return"}
	if c.autoRemoved() {
		s.Freed.Status = bookedRemoved
	}
	s.Outcome, s.ExitCode, s.AfterSeconds = string(Stuck), nil, nil
	s.ContainerEnds, s.Command, s.Status, s.Then = &no, Command{Returns: false}, nil, "stays"
	s.Steps = slices.DeleteFunc(s.Steps, func(step Step) bool { return step.Action == removalStep }) // it comes after what is waited for
	s.Steps = append(s.Steps, Step{AtSeconds: value(o.after), Action: "the engine", Effect: "waits for the log before it books the exit, without a limit: docker ps goes on to say Up, inspect, stop, kill and rm do not return"})
	for _, e := range []*EndForecast{out.Kill, out.Rm} {
		if e != nil {
			*e = EndForecast{Signal: e.Signal, Outcome: string(Stuck), Command: Command{Returns: false}, ContainerEnds: &no,
				Steps: []Step{{Action: "SIGKILL to " + c.title(c.root), Effect: c.dyingWords() + "; the engine waits for the log before it books that"}}}
		}
	}
}

func value(seconds *float64) float64 {
	if seconds == nil {
		return 0
	}
	return *seconds
}

// logFacts are what was seen of the way to the log.
func (c *inspection) logFacts() []Evidence {
	path := c.t.Log
	out := []Evidence{configFact("LogConfig.Type", bounded(c.t.Container.LogDriver, 40), "the exit waits for this driver to close, without a limit")}
	if path != nil && path.Deaf > 0 {
		e := Evidence{Source: "/proc/net/tcp", Field: "tx_queue", Value: fmt.Sprintf("%d bytes", path.Unsent),
			Says: fmt.Sprintf("on %d of dockerd's %d connections to the receiver its window is shut, and nothing moved over two looks", path.Deaf, path.Connections)}
		if path.Unix {
			e.Source, e.Field = "sock_diag", "wmem_alloc"
			e.Says = fmt.Sprintf("on %d of dockerd's %d connections to the receiver this waits to be read, and nothing moved over two looks", path.Deaf, path.Connections)
		}
		out = append(out, e)
	}
	if path != nil && path.ReaderPID != 0 {
		out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/stat", path.ReaderPID), Field: "state", Value: path.ReaderState,
			Says: bounded(path.ReaderComm, 20) + " holds the other end: it should read"})
	}
	return out
}

// logFixes are the ways out, as measured: the receiver reads on, or ends, or the
// connections to it are cut. mode=non-blocking is none: it keeps the program from
// waiting, not the exit.
func (c *inspection) logFixes() []Fix {
	path := c.t.Log
	var out []Fix
	switch {
	case path != nil && path.ReaderState == "T":
		out = append(out, Fix{When: FixNow, Text: fmt.Sprintf("the receiver, PID %d (%s), is stopped: let it go on", path.ReaderPID, bounded(path.ReaderComm, 20)), Command: fmt.Sprintf("sudo kill -CONT %d", path.ReaderPID)})
	case path != nil && path.ReaderPID != 0:
		out = append(out, Fix{When: FixNow, Text: fmt.Sprintf("have the log's receiver, PID %d (%s), read on, or restart it", path.ReaderPID, bounded(path.ReaderComm, 20))})
	default:
		out = append(out, Fix{When: FixNow, Text: "have the log's receiver read on, or restart it: the driver gives up when the connection breaks, and fluentd when it has a new one"})
	}
	if path == nil {
		return append(out, fixLocalLog)
	}
	if cut := cutConnections(path.Peer); cut != "" && !path.Unix {
		out = append(out, Fix{When: FixNow, Text: "or cut the connections to it while docker stop waits", Command: cut, Risk: text("what waits to be sent is lost, for every container with this receiver")})
	}
	return append(out, fixLocalLog)
}

var fixLocalLog = Fix{When: FixRun, Text: "a log that waits for nobody: the local driver and a collector that reads from it, or syslog and gelf over UDP. mode=non-blocking keeps the program going, and not the exit", Patch: "--log-driver local"}

// cutConnections closes the connections to an address, "" where that is not known.
func cutConnections(peer string) string {
	at, err := netip.ParseAddrPort(peer)
	if err != nil || at.Addr().Zone() != "" {
		return "" // a zone is an interface's name
	}
	host := at.Addr().String()
	if at.Addr().Is6() {
		host = "'[" + host + "]'" // without the brackets ss takes its end for a port
	}
	return fmt.Sprintf("sudo ss -K dst %s dport = :%d", host, at.Port())
}
