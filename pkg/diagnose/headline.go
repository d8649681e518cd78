package diagnose

import (
	"fmt"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// headline is the one sentence under the verdict.
func (c *inspection) headline(o *outlook, out *Container) string {
	r, sig := o.root, evidence.SignalName(o.sig)
	who := c.who(r.p)
	switch o.verdict {
	case Stuck, Ghost:
		return c.stuckHeadline(o, who)
	case Abrupt:
		if o.sig == evidence.SIGKILL {
			return "the stop signal is SIGKILL: nothing in it can finish its work"
		}
		if o.timeout == 0 {
			return fmt.Sprintf("timeout 0: SIGKILL follows before %s can finish", who)
		}
		verb := "is never sent it"
		if q := o.sim.reached[o.cheated[0].PID]; q != nil {
			verb = "is not waited for"
		}
		return fmt.Sprintf("it stops at once, but %s has a handler for %s and %s", c.names(o.cheated), sig, verb)
	case Unknown:
		return fmt.Sprintf("what %s does with %s could not be read", c.who(deepest(r).p), sig)
	case Stops:
		return c.stopsHeadline(o, who, sig)
	}
	return c.killedHeadline(o, out, who, sig)
}

// who names the init: "PID 1 (sh)".
func (c *inspection) who(p *evidence.Process) string {
	return fmt.Sprintf("PID %d (%s)", pidInside(p), name(p))
}

func (c *inspection) stuckHeadline(o *outlook, who string) string {
	h := c.worstHang(o)
	if h == nil {
		return fmt.Sprintf("%s does not end on %s, and with timeout -1 SIGKILL is never sent", who, evidence.SignalName(o.sig))
	}
	if w, _, ok := c.holderOf(h); ok {
		return fmt.Sprintf("%s (host PID %d) hangs in the kernel%s behind %s", name(h.p), h.p.PID, aboutWords(h.t), w.words())
	}
	if h.wait != nil {
		return fmt.Sprintf("%s (host PID %d) hangs in the kernel: %s%s", name(h.p), h.p.PID, c.waitsFor(h.wait, h.t), aboutWords(h.t))
	}
	return fmt.Sprintf("%s (host PID %d): %s", name(h.p), h.p.PID, h.says)
}

func (c *inspection) stopsHeadline(o *outlook, who, sig string) string {
	r := o.root
	switch {
	case r.ends == catalog.EndsUnknown && r.because != nil:
		return fmt.Sprintf("%s passes %s to %s, which has a handler", who, sig, name(deepest(r).p))
	case r.ends == catalog.EndsUnknown:
		return fmt.Sprintf("%s takes %s; it should end by itself, which cannot be seen before", who, sig)
	case r.effect == effectForwards && r.because != nil:
		return fmt.Sprintf("%s passes %s to %s, which ends", who, sig, name(deepest(r).p))
	case r.bySignal:
		return fmt.Sprintf("%s dies of %s", who, sig)
	}
	return fmt.Sprintf("%s takes %s and ends", who, sig)
}

func (c *inspection) killedHeadline(o *outlook, out *Container, who, sig string) string {
	r := o.root
	d := deepest(r)
	unheard := ""
	if len(o.cheated) > 0 && o.cheated[0] != r.p {
		unheard = "; " + c.names(o.cheated) + " has a handler and is never sent it"
	}
	if unheard == "" && len(c.children[r.p.PID]) > 0 && r.effect == effectDiscarded {
		unheard = " and passes nothing on"
	}
	switch {
	case r.effect == effectDiscarded && r.disp.kind == byDefault && r.why != "WS116":
		return fmt.Sprintf("%s drops %s%s", who, sig, unheard)
	case r.effect == effectDiscarded && r.disp.kind == ignored:
		return fmt.Sprintf("%s ignores %s%s", who, sig, unheard)
	case d != r:
		return fmt.Sprintf("%s passes %s to %s: %s", who, sig, name(d.p), d.note)
	}
	return fmt.Sprintf("%s, on %s: %s%s", who, sig, r.note, unheard)
}

// deepest is the reaction at the end of a chain of waiting.
func deepest(r *reaction) *reaction {
	for i := 0; i < 16 && r.because != nil; i++ {
		r = r.because
	}
	return r
}
