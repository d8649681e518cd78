package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// askers are the three kinds of evidence: everything that root can read, /proc
// alone (no memory, no BPF), and a user of the docker group.
var askers = []string{"root", "proc", "user"}

// askMax bounds one question; whystuck must never hang, so this is a finding.
const askMax = 15 * time.Second

// Answer is what whystuck said, and how it fared.
type Answer struct {
	Verdict    string   `json:"verdict"`
	Confidence string   `json:"confidence"`
	ExitCode   *int     `json:"exit_code,omitempty"`
	After      *float64 `json:"after_seconds,omitempty"`
	Headline   string   `json:"headline,omitempty"`
	Codes      []string `json:"codes,omitempty"` // of the findings
	Status     int      `json:"status"`          // whystuck's own exit code
	Seconds    float64  `json:"seconds"`         // it took
	Error      string   `json:"error,omitempty"` // no answer at all

	// Right is right, wrong, unknown (it said so), or open (the log cannot tell
	// stops from abrupt). The others are nil when there is nothing to compare.
	Right        string `json:"right"`
	CodeRight    *bool  `json:"exit_code_right,omitempty"`
	SecondsRight *bool  `json:"seconds_right,omitempty"`
	Why          string `json:"why,omitempty"`

	report []byte
}

// ask puts the question three times, one after the other.
func (b *truthBed) ask(ctx context.Context, c cases.Case, id string) map[string]Answer {
	answers := map[string]Answer{}
	for _, who := range askers {
		answers[who] = b.askAs(ctx, who, c, id)
	}
	if b.options.record != "" {
		b.capture(ctx, c)
	}
	return answers
}

func (b *truthBed) command(ctx context.Context, who string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Env = b.engine.Env()
	cmd.Dir = "/"
	switch who {
	case "proc":
		cmd.Env = append(cmd.Env, "WHYSTUCK_SOURCES=proc")
	case "user":
		cmd.Env = append(cmd.Env, "HOME=/nonexistent", "DOCKER_CONFIG=/nonexistent")
		cmd.SysProcAttr = nobody()
	}
	return cmd
}

func (b *truthBed) askAs(ctx context.Context, who string, c cases.Case, id string) Answer {
	args := []string{"--json"}
	if n := c.Timeout(); n != nil {
		args = append(args, "-t", strconv.Itoa(*n))
	}
	if c.Kill != "" {
		args = append(args, "--kill", c.Kill)
	}
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	cmd := b.command(ctx, who, append(args, id)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	start := time.Now()
	err := cmd.Run()
	a := Answer{Seconds: seconds(time.Since(start)), report: out.Bytes()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		a.Error = fmt.Sprint(err, " ", ctx.Err())
		return a
	}
	a.Status = cmd.ProcessState.ExitCode()
	if err := a.read(c); err != nil {
		a.Error = fmt.Sprintf("%v; exit code %d, standard error: %s", err, a.Status, tail(errOut.Bytes(), 500))
	}
	return a
}

// read takes the answer out of the report.
func (a *Answer) read(c cases.Case) error {
	var r diagnose.Report
	if err := json.Unmarshal(a.report, &r); err != nil {
		return fmt.Errorf("the report is not as the contract says: %w", err)
	}
	if len(r.Containers) != 1 {
		return fmt.Errorf("the report has %d containers", len(r.Containers))
	}
	got := r.Containers[0]
	a.Verdict, a.Confidence, a.Headline = string(got.Verdict), string(got.Confidence), got.Headline
	for _, f := range got.Findings {
		a.Codes = append(a.Codes, f.Code)
	}
	switch {
	case c.Kill != "" && got.Signal == nil:
		return errors.New("the report has no answer to --kill")
	case c.Kill != "":
		a.Verdict, a.Confidence, a.Headline = got.Signal.Outcome, string(got.Signal.Confidence), got.Signal.Effect
	case got.Stop != nil:
		a.ExitCode, a.After = got.Stop.ExitCode, got.Stop.AfterSeconds
	}
	return nil
}

// compare holds the answer against the fact.
func (a Answer) compare(c cases.Case, o Observed) Answer {
	switch {
	case a.Error != "":
		a.Right = "wrong"
		a.Why = a.Error
		return a
	case a.Verdict == string(diagnose.Unknown):
		a.Right = "unknown"
		return a
	case c.Kill != "":
		a.Right = word(sameKill(a.Verdict, o.Verdict))
	case a.Verdict == o.Verdict || slices.Contains(c.Accept, a.Verdict):
		a.Right = "right"
	case endsInTime(a.Verdict) && endsInTime(o.Verdict) && !o.Heard:
		a.Right = "open"
	default:
		a.Right = "wrong"
	}
	if a.Right == "wrong" {
		a.Why = fmt.Sprintf("said %s, was %s", a.Verdict, o.Verdict)
		return a
	}
	if a.ExitCode != nil && o.ExitCode != nil && c.Kill == "" {
		same := *a.ExitCode == *o.ExitCode
		a.CodeRight = &same
		if !same {
			a.Why = fmt.Sprintf("said exit code %d, was %d", *a.ExitCode, *o.ExitCode)
		}
	}
	if a.After != nil && o.Verdict == string(diagnose.Killed) {
		near := math.Abs(*a.After-o.KillSeconds) < 1
		a.SecondsRight = &near
		if !near {
			a.Why = strings.TrimSpace(fmt.Sprintf("%s said %.1f s, was %.1f s", a.Why, *a.After, o.KillSeconds))
		}
	}
	return a
}

func endsInTime(v string) bool {
	return v == string(diagnose.Stops) || v == string(diagnose.Abrupt)
}

// sameKill compares the outcome of --kill: what is discarded, ignored or blocked
// looks the same from outside.
func sameKill(said, was string) bool {
	switch said {
	case "discarded", "ignored", "blocked":
		return was == "nothing"
	}
	return said == was
}

func word(right bool) string {
	if right {
		return "right"
	}
	return "wrong"
}

func (a Answer) line() string {
	if a.Error != "" {
		return "NO ANSWER"
	}
	mark := map[string]string{"right": "", "wrong": " WRONG", "unknown": "", "open": " (open)"}[a.Right]
	return a.Verdict + "/" + a.Confidence + mark
}

// capture records the look, as test data for the judgement.
func (b *truthBed) capture(ctx context.Context, c cases.Case) {
	for _, who := range askers {
		cmd := b.command(ctx, who, "capture", c.Name)
		out, err := cmd.Output()
		file := filepath.Join(b.options.record, c.Name+"."+who+".json")
		if err == nil {
			err = os.WriteFile(file, out, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "truth: recording %s: %v\n", file, err)
		}
	}
}
