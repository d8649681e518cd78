package diagnose

import (
	"strings"
)

// deniedText is the denial in an engine's error, "" where there is none.
func deniedText(text string) string {
	text = strings.ToLower(text)
	for _, errno := range []string{errnoPermitted, errnoDenied} {
		if strings.Contains(text, errno) {
			return errno
		}
	}
	return ""
}

// startDenied: it was never started, because something denied that.
func (c *inspection) startDenied() []Finding {
	k := c.t.Container
	errno := deniedText(k.Error)
	if errno == "" {
		return nil
	}
	text := strings.ToLower(k.Error)
	f := newFinding("WS405", nil)
	f.Evidence = append(f.Evidence, Evidence{Source: "docker inspect", Field: "State.Error", Value: bounded(k.Error, 300), Says: "what the runtime met"})
	switch {
	case strings.Contains(text, "apply caps") || strings.Contains(text, "capabilit"):
		f.Summary = "the engine may not give the container a capability that it lacks itself"
		f.Fixes = []Fix{{When: FixHost, Text: "give the engine its capabilities back (its unit's CapabilityBoundingSet, or the container that it runs in)"},
			{When: FixRun, Text: "or give the container none, and then those that the engine has: --cap-drop ALL --cap-add ... (a --cap-drop of one that the engine lacks is refused by newer ones)"}}
	case strings.Contains(text, "apparmor"):
		f.Summary = "AppArmor's profile for the container could not be set"
		f.Fixes = []Fix{{When: FixHost, Text: "load the profile again; the engine does so with its own when it starts (with live-restore the containers stay)"}}
	case errno == errnoDenied:
		f.Summary, f.Fixes = deniedExec(k.Error)
	default:
		f.Summary = "the start was denied, and not by file permissions: those give \"permission denied\""
		f.Fixes = []Fix{{When: FixHost, Text: "ask whoever runs the security software of this host; leave the engine's directories out of it. The kernel's log may say more", Command: "sudo dmesg | grep -iE 'denied|audit' | tail"}}
	}
	f.Evidence = append(f.Evidence, c.execDenials()...)
	f.Evidence = append(f.Evidence, c.suspects()...)
	return []Finding{f}
}

// deniedExec: runc looks for a file with an x bit first, and names it in quotes
// where it finds none. Until 1.1 a second check names it without: the bit is there.
// Newer ones have one check for all of it.
func deniedExec(text string) (summary string, fixes []Fix) {
	mount := Fix{When: FixRun, Text: "or bring it along by a mount without noexec"}
	if strings.Contains(text, ": exec /") {
		return "the entrypoint's file has an x bit, and may not be executed all the same: it lies on a mount with noexec, or the container's user may not",
			[]Fix{{When: FixImage, Text: "make it executable for that user: COPY --chmod=755"}, mount}
	}
	return "the entrypoint may not be executed: mostly its file has no x bit, or lies on a mount with noexec",
		[]Fix{{When: FixImage, Text: "set the bit in the image: COPY --chmod=755, or RUN chmod +x"}, mount}
}

// execDenials are what the kernel's log says of starts that a module denied.
func (c *inspection) execDenials() []Evidence {
	if c.host.Security == nil {
		return nil
	}
	var out []Evidence
	for i := range c.host.Security.Denials {
		n := &c.host.Security.Denials[i]
		if n.Operation == "exec" && strings.HasPrefix(n.Comm, "runc") && len(out) < 2 {
			out = append(out, Evidence{Source: "kernel log", Field: n.By + " DENIED", Value: bounded(n.Label, 60), Says: bounded(n.Comm, 20) + " was refused an exec"})
		}
	}
	return out
}
