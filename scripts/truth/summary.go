package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// Truth is truth.json.
type Truth struct {
	Engine         string   `json:"engine"`
	PrepareSeconds float64  `json:"prepare_seconds"`
	RunSeconds     float64  `json:"run_seconds"`
	Summary        Summary  `json:"summary"`
	Results        []Result `json:"results"`
}

// Summary counts over the results.
type Summary struct {
	Cases    int `json:"cases"`
	Measured int `json:"measured"`
	LeftOut  int `json:"left_out"`
	Problems int `json:"problems"`
	// Knowable are the measured cases that no unknown program's handler decides.
	Knowable int              `json:"knowable"`
	Askers   map[string]Score `json:"askers,omitempty"`
	Groups   map[string]Score `json:"groups,omitempty"` // as root
	// Failed: a certain or likely verdict was wrong, whystuck gave no answer, or a
	// case could not be measured.
	Failed bool `json:"failed"`
}

// Score is how one kind of evidence fared.
type Score struct {
	Right   map[string]int `json:"right"` // by confidence
	Wrong   map[string]int `json:"wrong"`
	Open    int            `json:"open"`    // stops or abrupt, and the log cannot tell
	Unknown int            `json:"unknown"` // whystuck said that it cannot tell
	Silent  int            `json:"silent"`  // no answer at all
	// Sure and KnowableSure: certain or likely, of all and of the knowable cases.
	Cases        int `json:"cases"`
	Knowable     int `json:"knowable"`
	Sure         int `json:"sure"`
	KnowableSure int `json:"knowable_sure"`
	SureWrong    int `json:"sure_wrong"`
	// CodeRight of CodeSaid: the exit code, where the verdict is sure.
	CodeSaid     int `json:"exit_code_said"`
	CodeRight    int `json:"exit_code_right"`
	SecondsSaid  int `json:"seconds_said"` // where the container was killed
	SecondsRight int `json:"seconds_right"`
	// Matrix is observed verdict to predicted verdict to cases.
	Matrix map[string]map[string]int `json:"matrix"`
}

func newScore() Score {
	return Score{Right: map[string]int{}, Wrong: map[string]int{}, Matrix: map[string]map[string]int{}}
}

func sure(confidence string) bool {
	return confidence == string(diagnose.Certain) || confidence == string(diagnose.Likely)
}

// add counts one answer.
func (s *Score) add(r Result, a Answer) {
	s.Cases++
	if !r.Unknowable {
		s.Knowable++
	}
	if a.Error != "" {
		s.Silent++
		return
	}
	if s.Matrix[r.Observed.Verdict] == nil {
		s.Matrix[r.Observed.Verdict] = map[string]int{}
	}
	s.Matrix[r.Observed.Verdict][a.Verdict]++
	switch a.Right {
	case "right":
		s.Right[a.Confidence]++
	case "wrong":
		s.Wrong[a.Confidence]++
	case "open":
		s.Open++
	case "unknown":
		s.Unknown++
		return
	}
	if !sure(a.Confidence) {
		return
	}
	s.Sure++
	if !r.Unknowable {
		s.KnowableSure++
	}
	if a.Right == "wrong" {
		s.SureWrong++
	}
	count(a.CodeRight, &s.CodeSaid, &s.CodeRight)
	count(a.SecondsRight, &s.SecondsSaid, &s.SecondsRight)
}

func count(right *bool, said, good *int) {
	if right == nil {
		return
	}
	*said++
	if *right {
		*good++
	}
}

func (t *Truth) summarize() {
	s := Summary{Cases: len(t.Results), Askers: map[string]Score{}, Groups: map[string]Score{}}
	for _, r := range t.Results {
		switch {
		case r.LeftOut != "":
			s.LeftOut++
			continue
		case r.Observed == nil:
			s.Problems++
			s.Failed = true
			continue
		case r.Problem != "":
			s.Problems++
			s.Failed = true
		}
		s.Measured++
		if !r.Unknowable {
			s.Knowable++
		}
		for who, a := range r.Answers {
			addTo(s.Askers, who, r, a)
			if who == "root" {
				addTo(s.Groups, r.Group, r, a)
			}
		}
	}
	for _, score := range s.Askers {
		s.Failed = s.Failed || score.SureWrong > 0 || score.Silent > 0
	}
	t.Summary = s
}

func addTo(scores map[string]Score, key string, r Result, a Answer) {
	score, ok := scores[key]
	if !ok {
		score = newScore()
	}
	score.add(r, a)
	scores[key] = score
}

// write puts truth.json and the reports behind the misses into dir.
func (t *Truth) write(dir string) error {
	misses := filepath.Join(dir, "misses")
	if err := os.RemoveAll(misses); err != nil { // those of the last run
		return fmt.Errorf("writing the truth: %w", err)
	}
	if err := os.MkdirAll(misses, 0o755); err != nil {
		return fmt.Errorf("writing the truth: %w", err)
	}
	b, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return fmt.Errorf("writing the truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "truth.json"), append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the truth: %w", err)
	}
	for _, r := range t.Results {
		for who, a := range r.Answers {
			if a.Right != "wrong" {
				continue
			}
			if err := os.WriteFile(filepath.Join(misses, r.Name+"."+who+".json"), a.report, 0o644); err != nil {
				return fmt.Errorf("writing the truth: %w", err)
			}
		}
	}
	return nil
}
