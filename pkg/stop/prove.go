package stop

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/look"
	"github.com/whystuck/whystuck/pkg/probe"
)

// settle is how long what has to go may take to go once the engine says that all
// is over: the shim ends after its last answer.
const settle = 2 * time.Second

// left is what the proof is made of.
type left struct {
	after probe.After
	state engine.State
	err   error // of the state
}

// prove looks whether all is gone, again and again for a moment where the end has
// been told, and says why what lives on lives.
func (r *run) prove(ctx context.Context) {
	until := time.Now()
	if r.over() {
		until = until.Add(settle)
	}
	var l left
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		l = r.lookFor(ctx)
		if l.gone() || l.restarted(r) || time.Now().After(until) || ctx.Err() != nil {
			break
		}
		time.Sleep(wait)
	}
	r.drain(0)
	r.noteUntold()
	r.tell(math.Inf(1))
	r.survived.Survivors = append([]int{}, r.survivors(l)...)
	r.survived.Proof = r.checks(l)
	switch {
	case l.restarted(r):
		r.survived.Then = "restarted"
	case l.err == nil && l.state.Gone:
		r.survived.Then = "removed"
	}
	r.outcome(l)
	// Who interrupts wants the truth now, and has the forecast already.
	if !l.gone() && !l.restarted(r) && r.survived.Cut != "interrupted" {
		r.whyAlive(ctx)
	}
}

// over: the engine says that the container has ended.
func (r *run) over() bool { return r.facts.died || r.facts.stopDone && r.facts.stopErr == nil }

func (r *run) lookFor(ctx context.Context) left {
	var l left
	states := beside.Run(func() { l.state, l.err = r.p.s.Engine.State(ctx, r.c.ID) })
	l.after = r.p.prober.After(ctx, r.base)
	states.Wait()
	return l
}

// ended: the engine books it as over.
func (l *left) ended() bool {
	return l.err == nil && (l.state.Gone || !diagnose.IsRunning(l.state.Status))
}

// restarted: it runs again, with another init.
func (l *left) restarted(r *run) bool {
	another := r.t.PID != 0 && l.state.PID != r.t.PID || l.state.Status == "restarting"
	return l.err == nil && !l.ended() && another && !slices.Contains(l.after.Seen, r.t.PID)
}

// gone: nothing is left anywhere.
func (l *left) gone() bool {
	return l.ended() && !l.after.Blind && len(l.after.Tasks()) == 0 && l.after.Shim == 0
}

// survivors are the processes that live on; those of a new run are none.
func (r *run) survivors(l left) []int {
	if l.restarted(r) {
		return l.after.Seen
	}
	all := l.after.Tasks()
	if l.after.Shim != 0 && l.ended() {
		all = append(all, l.after.Shim)
		slices.Sort(all)
	}
	return all
}

// checks puts the proof into the report.
func (r *run) checks(l left) []diagnose.Check {
	seen := check("processes", l.after.Seen, l.after.Blind || len(r.t.Processes) == 0, "all that were there have ended")
	if l.restarted(r) { // its cgroup and its shim are those of the new run
		return []diagnose.Check{seen, {What: "engine", OK: truth(false), Says: "it runs again (" + l.state.Status + ")"}}
	}
	out := []diagnose.Check{
		check("cgroup", l.after.Cgroup, l.after.NoCgroup, "no task in its cgroup"),
		check("PID namespace", l.after.Namespace, l.after.NoNamespace, "none in its PID namespace"),
		seen,
	}
	shim := diagnose.Check{What: "shim", OK: truth(l.after.Shim == 0), Says: "no shim"}
	switch {
	case r.base.Shim == 0:
		shim.OK, shim.Says = nil, "no shim was found before"
	case l.after.Blind:
		shim.OK, shim.Says = nil, "could not be looked at"
	case l.after.Shim != 0:
		shim.Says = fmt.Sprintf("its shim lives (PID %d)", l.after.Shim)
	}
	engineSays := diagnose.Check{What: "engine", OK: truth(l.ended()), Says: "the engine says " + ended(l.state)}
	if l.err != nil {
		engineSays.OK, engineSays.Says = nil, "the engine does not answer for it"
	}
	return append(out, shim, engineSays)
}

func check(what string, pids []int, blind bool, good string) diagnose.Check {
	switch {
	case len(pids) > 0:
		return diagnose.Check{What: what, OK: truth(false), Says: "still there: " + pidList(pids)}
	case blind:
		return diagnose.Check{What: what, Says: "could not be looked at"}
	}
	return diagnose.Check{What: what, OK: truth(true), Says: good}
}

func pidList(pids []int) string {
	word := "PID"
	if len(pids) > 1 {
		word = "PIDs"
	}
	text := strings.Trim(fmt.Sprint(pids[:min(len(pids), 8)]), "[]")
	if len(pids) > 8 {
		text += fmt.Sprintf(" and %d more", len(pids)-8)
	}
	return word + " " + text
}

func truth(b bool) *bool { return &b }

// whyAlive looks once more, and judges what is left by the rules of every other
// command.
func (r *run) whyAlive(ctx context.Context) {
	judge := r.p.opt.judged()
	judge.Version = r.p.s.Looker.Version
	s := r.p.s.Looker.Look(ctx, &look.Question{Query: engine.Query{Names: []string{r.c.ID}}, Engine: r.p.s.Engine, Judge: judge})
	if report := diagnose.Judge(s, judge); len(report.Containers) == 1 {
		c := &report.Containers[0]
		r.survived.Still = &diagnose.Still{Status: c.Status, Verdict: c.Verdict, Confidence: c.Confidence, Layer: c.Layer,
			Headline: c.Headline, Findings: c.Findings, Processes: c.Processes, Gaps: c.Gaps}
	}
}
