package diagnose

import "github.com/whystuck/whystuck/pkg/evidence"

// exitHeld: the processes are gone, and the engine holds the container's lock: it
// is handling the exit and does not come to an end.
func (c *inspection) exitHeld() *cause {
	k := c.t.Container
	out := newCause("WS321", LayerEngine, endsNever, Likely,
		"its processes are gone, and the engine hangs in the handling of their exit").
		shows(Evidence{Source: "/proc", Field: "PID", Value: "absent", Says: "no such process"}).shows(c.lockFact()...)
	if remoteLog(k.LogDriver) {
		out.headline += ": most likely in its log driver " + bounded(k.LogDriver, 40)
		out.shows(configFact("LogConfig.Type", bounded(k.LogDriver, 40), "the exit waits for this driver to close, without a limit"))
		out.fix(Fix{When: FixNow, Text: "have the log's receiver answer, or end it: the driver gives up when the connection breaks"},
			Fix{When: FixRun, Text: "a log driver that cannot block the container", Patch: "--log-opt mode=non-blocking"})
	}
	out.finding.Summary = out.headline
	if d := part(c.host.Engine.Parts, evidence.RoleDaemon); d != nil && d.PID != 0 {
		out.fix(fixDump(d, "the stack with handleContainerExit in it names what it waits for; its log names the file"))
	}
	return out
}

// remoteLog reports whether a log driver writes to somebody who may not read.
func remoteLog(driver string) bool {
	switch driver {
	case "", "none", "json-file", "local", "journald":
		return false
	}
	return true
}
