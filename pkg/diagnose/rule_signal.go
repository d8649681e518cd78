package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// findDropped: a default action at PID 1. Behind a shell it is the shell's fault,
// behind another program that has a child with a handler, that program's.
func (c *inspection) findDropped(o *outlook, r *reaction) []Finding {
	kids := c.children[r.p.PID]
	row := c.program(r.p)
	switch {
	case row != nil && row.Kind == catalog.KindShell && len(kids) > 0:
		return []Finding{c.findShell(o, r)}
	case len(o.cheated) > 0:
		f := r.finding("WS106")
		f.Summary = fmt.Sprintf("%s drops %s and passes nothing on; %s has a handler", name(r.p), evidence.SignalName(r.sig), c.names(o.cheated))
		c.addHandlerFact(&f, o)
		f.Fixes = c.fixesUnheard(o)
		return []Finding{f}
	}
	f := r.finding("WS101")
	f.Summary = fmt.Sprintf("%s has no handler for %s, and the kernel drops what would end the init of a PID namespace by default", name(r.p), evidence.SignalName(r.sig))
	f.Evidence = append(f.Evidence, c.initFact(r.p))
	f.Fixes = append(c.fixNow(o), Fix{When: FixRun, Text: "an init passes the signal, and a child that is not PID 1 dies of it", Command: c.dockerOnly("docker run --init ...")},
		Fix{When: FixImage, Text: "handle the signal in the program (and exit)"})
	return []Finding{f}
}

// findShell: a shell that waits for a child and tells it nothing.
func (c *inspection) findShell(o *outlook, r *reaction) Finding {
	f := r.finding("WS104")
	f.Evidence = append(f.Evidence, c.doingFact(r.p, doingForeground)...)
	child := c.foreground(r.p)
	if child == nil {
		child = c.children[r.p.PID][0]
	}
	f.Summary = fmt.Sprintf("%s does nothing with %s and does not pass it on to %s", name(r.p), evidence.SignalName(r.sig), c.names([]*evidence.Process{child}))
	c.addHandlerFact(&f, o)
	f.Fixes = c.fixesUnheard(o)
	if patch := jsonArgv(child.Argv); patch != "" {
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "start the program without a shell around it, or by exec in the script", Patch: "ENTRYPOINT " + patch})
	} else {
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "start the program by exec, or in exec form without a shell"})
	}
	text := "with --init the shell dies at once, and so does the container"
	if len(o.cheated) > 0 {
		text = "--init alone stops at once and cuts " + name(o.cheated[0]) + " off: the shell dies first"
	}
	f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: text})
	return f
}

// findIgnored: SIG_IGN, by an interactive shell or by `trap ”`.
func (c *inspection) findIgnored(o *outlook, r *reaction) Finding {
	row := c.program(r.p)
	ign := r.p.Signals.Ignored
	if row != nil && row.Kind == catalog.KindShell && ign.Has(evidence.SIGTSTP) && ign.Has(evidence.SIGTTOU) {
		f := r.finding("WS115")
		f.Summary = name(r.p) + " is an interactive shell: it ignores " + evidence.SignalName(r.sig)
		f.Fixes = append(c.fixNow(o), Fix{When: FixRun, Text: "leave the shell with exit, or stop it by a signal that it takes", Command: c.dockerOnly("docker run --stop-signal SIGHUP ...")})
		return f
	}
	f := r.finding("WS102")
	f.Summary = fmt.Sprintf("%s ignores %s (SIG_IGN)", name(r.p), evidence.SignalName(r.sig))
	f.Fixes = append(c.fixNow(o), Fix{When: FixImage, Text: "remove what ignores it (trap '' " + evidence.SignalName(r.sig)[3:] + ", nohup, signal(…, SIG_IGN)), or choose another STOPSIGNAL"})
	return f
}

// findPlain is for blocked, unread and actionless signals.
func (c *inspection) findPlain(o *outlook, r *reaction) Finding {
	f := r.finding(r.why)
	f.Summary = fmt.Sprintf("%s: %s %s", name(r.p), evidence.SignalName(r.sig), r.note)
	f.Fixes = c.fixNow(o)
	switch r.why {
	case "WS103":
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "unblock the signal, or fetch it with sigwait or a signalfd in a thread that runs"})
	case "WS118":
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "add the signalfd to the event loop"})
	case "WS117":
		f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "block the signal (pthread_sigmask) before sigwait"})
	case "WS208":
		if t := leader(r.p); t != nil {
			f.Evidence = append(f.Evidence, taskFacts(r.p, t)...)
		}
	case "WS116":
		f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "choose a stop signal that ends programs", Command: c.dockerOnly("docker run --stop-signal SIGTERM ...")})
	}
	return f
}

// findTrap: a trap behind a foreground child.
func (c *inspection) findTrap(o *outlook, r *reaction) Finding {
	f := r.finding("WS105")
	child := c.foreground(r.p)
	f.Fixes = append(f.Fixes, c.fixesUnheard(o)...)
	if child != nil {
		f.Summary = fmt.Sprintf("%s has a trap for %s, but runs it only when %s, in the foreground, has ended", name(r.p), evidence.SignalName(r.sig), c.names([]*evidence.Process{child}))
		if child.Program.ID == "sleep" || c.children[child.PID] == nil {
			f.Fixes = append([]Fix{{When: FixNow, Text: "end the foreground child: the trap then runs", Command: fmt.Sprintf("sudo kill -TERM %d", child.PID)}}, f.Fixes...)
		}
	}
	f.Fixes = append(f.Fixes, Fix{When: FixImage, Text: "start the command with & and wait for it: a trap interrupts wait", Patch: "app & pid=$!; trap 'kill -TERM $pid' TERM; wait $pid; wait $pid"})
	return f
}

// addHandlerFact adds the mask of the first process that is cheated.
func (c *inspection) addHandlerFact(f *Finding, o *outlook) {
	if len(o.cheated) == 0 {
		return
	}
	p := o.cheated[0]
	d := c.dispose(p, o.sim.sig)
	if len(d.facts) > 0 {
		fact := d.facts[len(d.facts)-1]
		fact.Says = name(p) + ": " + fact.Says
		f.Evidence = append(f.Evidence, fact)
	}
}

// initFact shows that a process is the init of a PID namespace.
func (c *inspection) initFact(p *evidence.Process) Evidence {
	return Evidence{Source: fmt.Sprintf("/proc/%d/status", p.PID), Field: "NSpid", Value: fmt.Sprint(p.NSPIDs), Says: "PID 1 of its PID namespace"}
}

// fixesUnheard is what to do now for processes that would like to hear it.
func (c *inspection) fixesUnheard(o *outlook) []Fix {
	if len(o.cheated) == 0 {
		return c.fixNow(o)
	}
	p := o.cheated[0]
	sig := o.sim.sig
	if sig == evidence.SIGKILL {
		sig = evidence.SIGTERM
	}
	return []Fix{{When: FixNow, Text: fmt.Sprintf("%s, by its host PID", name(p)), Command: fmt.Sprintf("sudo kill -%s %d", evidence.SignalName(sig)[3:], p.PID)}}
}

// dockerOnly is a docker command where there is a docker container.
func (c *inspection) dockerOnly(command string) string {
	if c.t.Container == nil {
		return ""
	}
	return command
}

// fixNow ends a container in which nobody listens; nothing where SIGKILL does not end
// it.
func (c *inspection) fixNow(o *outlook) []Fix {
	if c.worstHang(o) != nil {
		return []Fix{}
	}
	if c.t.Container == nil {
		if c.root == nil {
			return []Fix{}
		}
		return []Fix{{When: FixNow, Text: "nobody in it listens: waiting gains nothing", Command: fmt.Sprintf("sudo kill -KILL %d", c.root.PID)}}
	}
	return []Fix{{When: FixNow, Text: "nobody in it listens: waiting gains nothing", Command: command("docker kill %s", c.displayName())}}
}
