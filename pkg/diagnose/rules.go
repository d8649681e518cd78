package diagnose

import (
	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// rule looks at an outlook and says what it finds. Rules do not change verdicts:
// they give the reasons.
type rule func(c *inspection, o *outlook) []Finding

// rules in the order in which their findings stand on the screen: what runs
// already, what hangs, what the signal does, what the settings do.
var rules = []rule{
	ruleStopRunning,
	(*inspection).ruleHangs,
	(*inspection).ruleDevices,
	(*inspection).ruleHeldOutput,
	(*inspection).ruleOthers,
	(*inspection).lastResort,
	(*inspection).ruleStrangers,
	(*inspection).ruleFrozen,
	(*inspection).ruleMemory,
	(*inspection).ruleCoreDump,
	(*inspection).ruleOutput,
	(*inspection).ruleSignal,
	(*inspection).ruleUnheard,
	(*inspection).ruleSettings,
	(*inspection).ruleZombies,
	(*inspection).ruleDefects,
	(*inspection).ruleEngine,
}

// findings runs every rule.
func (c *inspection) findings(o *outlook) []Finding {
	out := []Finding{}
	for _, r := range rules {
		out = append(out, r(c, o)...)
	}
	return out
}

// hangFindings are the findings about tasks that SIGKILL does not end.
func (c *inspection) hangFindings(o *outlook) []Finding { return c.ruleHangs(o) }

// ruleSignal explains what the stop signal does, down the chain of those that
// wait for each other.
func (c *inspection) ruleSignal(o *outlook) []Finding {
	var out []Finding
	for r, depth := o.root, 0; r != nil && depth < 16; r, depth = r.because, depth+1 {
		if r.why == "" || r.ends == catalog.EndsYes && r.why != "WS113" && r.why != "WS119" && o.verdict != Killed {
			continue
		}
		if f, ok := c.explain(o, r); ok {
			out = append(out, f...)
		}
	}
	return out
}

// explain turns one reaction's reason into findings.
func (c *inspection) explain(o *outlook, r *reaction) ([]Finding, bool) {
	switch r.why {
	case "WS101":
		return c.findDropped(o, r), true
	case "WS102":
		return []Finding{c.findIgnored(o, r)}, true
	case "WS103", "WS116", "WS117", "WS118", "WS208":
		return []Finding{c.findPlain(o, r)}, true
	case "WS105":
		return []Finding{c.findTrap(o, r)}, true
	case "WS104":
		return []Finding{c.findShell(o, r)}, true
	case "WS107":
		return []Finding{c.findInit(o, r)}, true
	case "WS109", "WS110", "WS111", "WS112", "WS113", "WS114", "WS119":
		return []Finding{c.findProgram(o, r)}, true
	case "WS202", "WS203":
		return []Finding{c.findHeld(o, r)}, true
	case "WS307":
		return []Finding{c.findPaused(o, r)}, true
	}
	return nil, false
}

// start makes a finding about a reaction, with its evidence.
func (r *reaction) finding(code string) Finding {
	f := newFinding(code, r.p)
	f.Summary = name(r.p) + ": " + r.note
	f.Evidence = append(f.Evidence, r.facts...)
	return f
}

// layer says whom to call, by the finding that matters most.
func layer(list []Finding, o *outlook) string {
	for _, f := range list {
		switch {
		case f.Code >= "WS201" && f.Code <= "WS229" && (o.verdict == Stuck || o.verdict == Ghost):
			return LayerKernel
		case f.Code == "WS107", f.Code == "WS113":
			return LayerInit
		case f.Code == "WS104", f.Code == "WS105", f.Code == "WS106":
			return LayerImage
		case f.Code == "WS207":
			return LayerKernel
		}
	}
	if o.verdict == Abrupt && o.sig != evidence.SIGKILL {
		return LayerInit
	}
	return LayerApp
}
