package diagnose

import (
	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// defect is a known fault of the engine that was asked, nil when its version has
// it not, or is not known.
func (c *inspection) defect(id string) *catalog.Defect {
	if c.host.Engine == nil || c.host.Engine.Name == "podman" {
		return nil
	}
	return catalog.DefectOf(id, c.host.Engine.Version)
}

// findDefect shows a known fault of the engine's version where it concerns a case.
func (c *inspection) findDefect(d *catalog.Defect) Finding {
	f := newFinding("WS326", nil)
	f.Summary = "Docker " + bounded(c.host.Engine.Version, 20) + ": " + d.Says
	f.Evidence = []Evidence{{Source: c.host.Engine.Endpoint, Field: "version", Value: bounded(c.host.Engine.Version, 40), Says: d.Source}}
	f.Fixes = []Fix{{When: FixNow, Text: d.WayOut}, {When: FixHost, Text: "update the engine"}}
	return f
}

// ruleDefects: the engine's version has a fault that this stop meets.
func (c *inspection) ruleDefects(o *outlook) []Finding {
	var out []Finding
	if d := c.defect(catalog.StopWithoutEnd); d != nil && o.verdict == Stuck {
		out = append(out, c.findDefect(d))
	}
	// Ctrl-C is dear only where a handler is at work meanwhile.
	working := o.verdict == Stops && o.root.effect != effectDies && (o.after == nil || *o.after >= 1)
	if d := c.defect(catalog.KillsWhenLeft); d != nil && working && o.sig != evidence.SIGKILL {
		out = append(out, c.findDefect(d))
	}
	return out
}
