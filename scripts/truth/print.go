package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// The goals that the counts are held against.
const (
	goalRoot = 95 // per cent of the knowable cases certain or likely, as root
	goalProc = 80 // from /proc alone
	goalCode = 95 // exit code right, of the sure verdicts
)

// print writes the summary for people: misses last, so that they stand above the
// prompt.
func (t *Truth) print(w io.Writer) {
	s := t.Summary
	fmt.Fprintf(w, "\n%d cases: %d measured (%d knowable), %d left out, %d problems. Docker %s. Prepared in %.0f s, ran in %.0f s.\n",
		s.Cases, s.Measured, s.Knowable, s.LeftOut, s.Problems, t.Engine, t.PrepareSeconds, t.RunSeconds)
	if len(s.Askers) == 0 {
		t.printObserved(w)
	}
	for _, who := range askers {
		if score, ok := s.Askers[who]; ok {
			score.print(w, who)
		}
	}
	t.printGroups(w)
	t.printMisses(w)
}

// printObserved is for -predict=false.
func (t *Truth) printObserved(w io.Writer) {
	seen := map[string]int{}
	for _, r := range t.Results {
		if r.Observed != nil {
			seen[r.Observed.Verdict]++
		}
		if r.Problem != "" {
			fmt.Fprintf(w, "  PROBLEM %s: %s\n", r.Name, r.Problem)
		}
	}
	for _, v := range slices.Sorted(maps.Keys(seen)) {
		fmt.Fprintf(w, "  %-8s %d\n", v, seen[v])
	}
}

func (s Score) print(w io.Writer, who string) {
	fmt.Fprintf(w, "\n%s: as %s\n", strings.ToUpper(who), map[string]string{
		"root": "root with all evidence", "proc": "root with /proc alone", "user": "a user of the docker group",
	}[who])
	s.printMatrix(w)
	for _, c := range []diagnose.Confidence{diagnose.Certain, diagnose.Likely, diagnose.Assumed} {
		right, wrong := s.Right[string(c)], s.Wrong[string(c)]
		fmt.Fprintf(w, "  %-8s %3d right, %d wrong\n", c, right, wrong)
	}
	fmt.Fprintf(w, "  unknown %d, no answer %d, stops or abrupt where the log cannot tell %d\n", s.Unknown, s.Silent, s.Open)
	goal := map[string]int{"root": goalRoot, "proc": goalProc}[who]
	fmt.Fprintf(w, "  certain or likely: %d of %d knowable (%s)%s; of all %d of %d\n",
		s.KnowableSure, s.Knowable, percent(s.KnowableSure, s.Knowable), held(s.KnowableSure, s.Knowable, goal), s.Sure, s.Cases)
	fmt.Fprintf(w, "  exit code right: %d of %d (%s)%s; seconds of the killed right: %d of %d\n",
		s.CodeRight, s.CodeSaid, percent(s.CodeRight, s.CodeSaid), held(s.CodeRight, s.CodeSaid, goalCode), s.SecondsRight, s.SecondsSaid)
}

// printMatrix has a row for each fact and a column for each prediction.
func (s Score) printMatrix(w io.Writer) {
	columns := map[string]bool{}
	for _, row := range s.Matrix {
		for v := range row {
			columns[v] = true
		}
	}
	names := slices.Sorted(maps.Keys(columns))
	fmt.Fprintf(w, "  %-22s", "observed \\ predicted")
	for _, v := range names {
		fmt.Fprintf(w, "%11s", v)
	}
	fmt.Fprintln(w)
	for _, was := range slices.Sorted(maps.Keys(s.Matrix)) {
		fmt.Fprintf(w, "  %-22s", was)
		for _, said := range names {
			fmt.Fprintf(w, "%11d", s.Matrix[was][said])
		}
		fmt.Fprintln(w)
	}
}

func (t *Truth) printGroups(w io.Writer) {
	if len(t.Summary.Groups) == 0 {
		return
	}
	fmt.Fprintf(w, "\nBY GROUP, as root\n  %-14s%7s%7s%7s%7s%9s%16s\n", "", "cases", "right", "wrong", "open", "unknown", "sure/knowable")
	for _, g := range slices.Sorted(maps.Keys(t.Summary.Groups)) {
		s := t.Summary.Groups[g]
		fmt.Fprintf(w, "  %-14s%7d%7d%7d%7d%9d%10d/%d\n", g, s.Cases, sum(s.Right), sum(s.Wrong), s.Open, s.Unknown, s.KnowableSure, s.Knowable)
	}
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// printMisses says everything about each wrong answer, then the smaller ones in
// one line each.
func (t *Truth) printMisses(w io.Writer) {
	fmt.Fprintln(w)
	for _, r := range t.Results {
		if r.Problem != "" {
			fmt.Fprintf(w, "PROBLEM %s (%s): %s\n", r.Name, r.Command, r.Problem)
		}
		for _, who := range askers {
			a, ok := r.Answers[who]
			switch {
			case !ok || a.Right == "":
			case a.Right == "wrong":
				t.printMiss(w, r, who, a)
			case a.Why != "" && sure(a.Confidence):
				fmt.Fprintf(w, "inexact %s (%s, %s): %s\n", r.Name, who, a.Confidence, a.Why)
			case who == "root" && !r.Unknowable && !sure(a.Confidence):
				fmt.Fprintf(w, "unsure  %s: %s/%s: %s\n", r.Name, a.Verdict, a.Confidence, a.Headline)
			}
		}
	}
}

func (t *Truth) printMiss(w io.Writer, r Result, who string, a Answer) {
	kind := "miss   "
	if sure(a.Confidence) || a.Error != "" {
		kind = "WRONG  "
	}
	fmt.Fprintf(w, "%s %s (%s, %s): %s\n        %s\n        said: %s %v\n        was: exit %s after %.2f s, %d of %d handlers finished %s\n",
		kind, r.Name, who, a.Confidence, a.Why, r.Command, a.Headline, a.Codes,
		code(r.Observed.ExitCode), r.Observed.Seconds, r.Observed.Finished, r.Observed.Handlers, r.Observed.Cut)
	if who == "root" || r.Answers["root"].Right != "wrong" {
		fmt.Fprintf(w, "        %s\n", strings.ReplaceAll(r.Tree, "\n", "\n        "))
	}
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// held says whether a goal is met, nothing when there is none.
func held(n, of, goal int) string {
	switch {
	case goal == 0 || of == 0:
		return ""
	case 100*n >= goal*of:
		return fmt.Sprintf(", goal %d %% met", goal)
	}
	return fmt.Sprintf(", goal %d %% MISSED", goal)
}
