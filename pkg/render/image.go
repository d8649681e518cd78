package render

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Image writes what came of running images: for a single one a screen, for several
// a line each with the worst first, a screen for those that did not do well, and
// the counts.
func Image(w io.Writer, r diagnose.Report, o Options) error {
	p := newPage(o)
	r = cleanReport(r)
	list := r.Containers
	if len(list) == 1 {
		p.imageScreen(list[0])
		p.hostNotes(r.Host.Findings)
		return p.to(w, "text")
	}
	sort.SliceStable(list, func(i, j int) bool {
		if a, b := imageRank(list[i]), imageRank(list[j]); a != b {
			return a < b
		}
		return list[i].Name < list[j].Name
	})
	p.imageTable(list)
	for _, c := range list {
		if !imageWell(c) {
			p.line()
			p.line(p.s.dim(strings.Repeat("─", p.width)))
			p.imageScreen(c)
		}
	}
	p.hostNotes(r.Host.Findings)
	if len(list) > 0 {
		p.line()
		p.line(imageCounts(list))
	}
	return p.to(w, "text")
}

// imageOutcome is what a run came to: as seen, else as foretold.
func imageOutcome(c diagnose.Container) diagnose.Verdict {
	if o := c.Observed; o != nil && o.Outcome != string(diagnose.Unknown) {
		return diagnose.Verdict(o.Outcome)
	}
	return c.Verdict
}

func notReady(c diagnose.Container) bool { return c.Startup != nil && !c.Startup.Ready }

func disagreed(c diagnose.Container) bool { return c.Agreed != nil && !*c.Agreed }

// imageRank orders the lines: our own bugs, then what did not come up, then by the
// outcome.
func imageRank(c diagnose.Container) int {
	switch {
	case c.Disagreed():
		return -2
	case notReady(c):
		return -1
	}
	return diagnose.Rank(imageOutcome(c))
}

// imageWell: nothing about the image needs a person.
func imageWell(c diagnose.Container) bool {
	return imageOutcome(c) == diagnose.Stops && !notReady(c) && !disagreed(c) && !hasError(c.Findings)
}

// imagePhrase is the answer in a few words.
func imagePhrase(c diagnose.Container) string {
	text := phrase(c)
	switch {
	case c.Observed != nil:
		text = endPhrase(c)
	case c.Status == "created":
		return "NOT STARTED"
	case notReady(c) && c.ExitCode != nil:
		return fmt.Sprintf("ENDED BEFORE IT WAS READY, exit code %d", *c.ExitCode)
	}
	if notReady(c) {
		return "NOT READY; " + text
	}
	return text
}

// foretold is the comparison with the forecast.
func foretold(c diagnose.Container) string {
	switch {
	case c.Observed == nil:
		return ""
	case c.Agreed == nil && c.Verdict == diagnose.Unknown:
		return "could not be predicted"
	case c.Agreed == nil:
		return ""
	case *c.Agreed:
		return "as predicted"
	case c.Confidence == diagnose.Assumed:
		return "otherwise than assumed"
	case c.EndedByItself():
		return "ended by itself"
	}
	return "NOT as predicted"
}

func (p *page) imageTable(list []diagnose.Container) {
	names, phrases, words := 0, 0, 0
	for _, c := range list {
		names = max(names, min(textWidth(name(c)), p.width/3))
		phrases = max(phrases, textWidth(imagePhrase(c)))
		words = max(words, textWidth(foretold(c)))
	}
	for _, c := range list {
		left := pad(p.fit(name(c), names), names) + "  "
		middle := pad(imagePhrase(c), phrases) + "  "
		right := pad(foretold(c), words) + "  "
		rest, room := c.Headline, p.width-textWidth(left+middle+right)
		if room < 16 && !p.o.NoTrunc {
			rest = ""
		}
		p.line(p.s.bold(left), p.s.verdict(imageColour(c), middle), right, p.fit(rest, room))
	}
}

// imageColour is the verdict whose colour the phrase has.
func imageColour(c diagnose.Container) diagnose.Verdict {
	if notReady(c) {
		return diagnose.Killed
	}
	return imageOutcome(c)
}

func (p *page) imageScreen(c diagnose.Container) {
	p.answerLine(c, imagePhrase(c), imageColour(c))
	if c.Headline != "" {
		p.prose(0, sentence(c.Headline))
	}
	p.course(c)
	p.imageRuns(c.Runs)
	p.imageTimeline(c)
	p.tree(c)
	p.logTail(c)
	p.findings(withoutLog(shown(c, p.o)), c)
	p.gaps(c)
	if c.Observed != nil && c.Observed.Still != nil {
		p.line()
		p.line("  what lives on, looked at again")
		p.line()
		p.screen(diagnose.Report{}, stillThere(c))
	}
}

// course is how it came up and went down, in a line each.
func (p *page) course(c diagnose.Container) {
	ready := c.Startup != nil && c.Startup.Ready && c.Startup.AfterSeconds != nil
	if !ready && c.Observed == nil {
		return
	}
	p.line()
	if s := c.Startup; ready {
		p.line(fmt.Sprintf("  ready      after %.1f s (%s)", *s.AfterSeconds, s.By))
	}
	if c.Observed == nil {
		return
	}
	p.line("  predicted  ", phrase(c), codeWords(c.Stop))
	seen := "  observed   " + endPhrase(c)
	if words := foretold(c); words != "" {
		seen += ": " + words
	}
	p.line(seen)
	if o := c.Observed; o.Note != "" {
		p.prose(2, sentence(o.Note))
	}
	if !proven(c.Observed) {
		p.proof(c.Observed)
	}
}

// proven: nothing is left in any place that could be looked at.
func proven(o *diagnose.Observed) bool {
	return !slices.ContainsFunc(o.Proof, func(c diagnose.Check) bool { return c.OK != nil && !*c.OK })
}

// imageRuns lists several runs, like with like.
func (p *page) imageRuns(runs []diagnose.Run) {
	if len(runs) < 2 {
		return
	}
	counts := map[string]int{}
	var order []string
	for _, r := range runs {
		word := r.Words()
		if r.ExitCode != nil {
			word += fmt.Sprintf(" with exit code %d", *r.ExitCode)
		}
		if counts[word]++; counts[word] == 1 {
			order = append(order, word)
		}
	}
	var parts []string
	for _, word := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[word], word))
	}
	p.hang("  runs       ", 13, fmt.Sprintf("%d: %s", len(runs), strings.Join(parts, ", ")))
}

// maxEvents bounds what is told of a stop; a crowd dies one by one.
const maxEvents = 16

func (p *page) imageTimeline(c diagnose.Container) {
	if c.Stop != nil && len(c.Stop.Steps) > 0 {
		p.line()
		p.line("  predicted for docker stop")
		p.steps(c.Stop.Steps)
	}
	if c.Observed == nil || len(c.Observed.Events) == 0 {
		return
	}
	p.line()
	p.line("  what happened")
	for i, e := range c.Observed.Events {
		if i == maxEvents && !p.o.NoTrunc {
			p.line(spaces(actionAt), fmt.Sprintf("… %d more", len(c.Observed.Events)-i))
			break
		}
		head := padLeft(fmt.Sprintf("%.2f s", e.AtSeconds), atWidth) + spaces(actionAt-atWidth)
		p.line(head, e.What, spaces(3), p.s.dim("["+e.Source+"]"))
	}
}

// logTail shows the end of the log of what did not come up.
func (p *page) logTail(c diagnose.Container) {
	if c.Startup == nil || len(c.Startup.Log) == 0 {
		return
	}
	p.line()
	p.line("  the end of its log")
	for _, l := range c.Startup.Log {
		p.line(spaces(4), p.fit(l, p.width-4))
	}
}

// logSource is where the log's lines are in a finding's evidence: there for the
// other formats, and shown above in this one.
const logSource = "docker logs"

func withoutLog(list []diagnose.Finding) []diagnose.Finding {
	for i := range list {
		kept := []diagnose.Evidence{}
		for _, e := range list[i].Evidence {
			if e.Source != logSource {
				kept = append(kept, e)
			}
		}
		list[i].Evidence = kept
	}
	return list
}

// imageCounts is the last line: "5 images: 1 not ready, 2 killed, 2 stop cleanly".
func imageCounts(list []diagnose.Container) string {
	count := map[diagnose.Verdict]int{}
	down, wrong := 0, 0
	for _, c := range list {
		switch {
		case notReady(c):
			down++
		default:
			count[imageOutcome(c)]++
		}
		if c.Disagreed() {
			wrong++
		}
	}
	var parts []string
	if down > 0 {
		parts = append(parts, fmt.Sprintf("%d not ready", down))
	}
	for _, v := range diagnose.WorstFirst() {
		if n := count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, countWord(v, n)))
		}
	}
	text := fmt.Sprintf("%d images: %s", len(list), strings.Join(parts, ", "))
	if wrong > 0 {
		text += fmt.Sprintf("; %d not as predicted", wrong)
	}
	return text
}
