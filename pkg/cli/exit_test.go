package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestCodeOf(t *testing.T) {
	tests := []struct {
		err  error
		want int
	}{
		{nil, exitClean},
		{usagef("x"), exitUsage},
		{fmt.Errorf("asking: %w", usagef("x")), exitUsage},
		{exitWith(exitTrouble), exitTrouble},
		{exitWith(exitClean), exitClean},
		{&engine.Error{ExitCode: exitNoEngine}, exitNoEngine},
		{errors.New("no space left on device"), exitUnknown},
	}
	for _, tt := range tests {
		if got := codeOf(tt.err); got != tt.want {
			t.Errorf("codeOf(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestWorse(t *testing.T) {
	// 5 before 4 before 1 before 2 before 3 before 0
	order := []int{5, 4, 1, 2, 3, 0}
	for i, first := range order {
		for _, second := range order[i:] {
			if worse(first, second) != first || worse(second, first) != first {
				t.Errorf("of %d and %d the first must win", first, second)
			}
		}
	}
}

func TestCodeOfReport(t *testing.T) {
	container := func(v diagnose.Verdict, c diagnose.Confidence) diagnose.Container {
		return diagnose.Container{Verdict: v, Confidence: c}
	}
	stuckThere := container(diagnose.NotRunning, diagnose.Certain)
	stuckThere.Findings = []diagnose.Finding{{Severity: diagnose.SeverityError}}
	signal := func(name, outcome string) diagnose.Container {
		c := container(diagnose.Killed, diagnose.Certain)
		c.Signal = &diagnose.SignalForecast{Signal: name, Outcome: outcome, Confidence: diagnose.Likely}
		return c
	}
	tests := []struct {
		name       string
		failOn     string
		containers []diagnose.Container
		errors     []int
		want       int
	}{
		{"nothing", "abrupt", nil, nil, 0},
		{"stops", "abrupt", []diagnose.Container{container(diagnose.Stops, diagnose.Certain)}, nil, 0},
		{"not running", "abrupt", []diagnose.Container{container(diagnose.NotRunning, diagnose.Certain)}, nil, 0},
		{"stuck in removing", "stuck", []diagnose.Container{stuckThere}, nil, 1},
		{"abrupt", "abrupt", []diagnose.Container{container(diagnose.Abrupt, diagnose.Likely)}, nil, 1},
		{"abrupt allowed", "killed", []diagnose.Container{container(diagnose.Abrupt, diagnose.Likely)}, nil, 0},
		{"killed", "killed", []diagnose.Container{container(diagnose.Killed, diagnose.Certain)}, nil, 1},
		{"killed allowed", "stuck", []diagnose.Container{container(diagnose.Killed, diagnose.Certain)}, nil, 0},
		{"ghost", "stuck", []diagnose.Container{container(diagnose.Ghost, diagnose.Certain)}, nil, 1},
		{"refused", "stuck", []diagnose.Container{container(diagnose.Refused, diagnose.Certain)}, nil, 1},
		{"stuck", "stuck", []diagnose.Container{container(diagnose.Stuck, diagnose.Certain)}, nil, 1},
		{"unknown", "abrupt", []diagnose.Container{container(diagnose.Unknown, diagnose.Assumed)}, nil, 3},
		{"unknown fails", "abrupt,unknown", []diagnose.Container{container(diagnose.Unknown, diagnose.Assumed)}, nil, 1},
		{"assumed", "abrupt", []diagnose.Container{container(diagnose.Stops, diagnose.Assumed)}, nil, 0},
		{"assumed fails", "assumed", []diagnose.Container{container(diagnose.Stops, diagnose.Assumed)}, nil, 1},
		{"likely passes", "assumed", []diagnose.Container{container(diagnose.Stops, diagnose.Likely)}, nil, 0},
		{"no such container", "abrupt", []diagnose.Container{container(diagnose.Stops, diagnose.Certain)}, []int{2}, 2},
		{"trouble before usage", "abrupt", []diagnose.Container{container(diagnose.Killed, diagnose.Certain)}, []int{2}, 1},
		{"usage before unknown", "abrupt", []diagnose.Container{container(diagnose.Unknown, diagnose.Assumed)}, []int{2}, 2},
		{"no engine before trouble", "abrupt", []diagnose.Container{container(diagnose.Killed, diagnose.Certain)}, []int{4}, 4},
		{"reload heard", "abrupt", []diagnose.Container{signal("SIGHUP", "handled")}, nil, 0},
		{"reload kills", "abrupt", []diagnose.Container{signal("SIGHUP", "dies")}, nil, 1},
		{"reload ignored", "stuck", []diagnose.Container{signal("SIGHUP", "ignored")}, nil, 1},
		{"reload unknown", "abrupt", []diagnose.Container{signal("SIGHUP", "unknown")}, nil, 3},
		{"kill kills", "abrupt", []diagnose.Container{signal("SIGKILL", "dies")}, nil, 0},
		{"kill stuck", "abrupt", []diagnose.Container{signal("SIGKILL", "stuck")}, nil, 1},
		{"stop stops", "abrupt", []diagnose.Container{signal("SIGSTOP", "stops")}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parseFailOn(strings.Split(tt.failOn, ","))
			if err != nil {
				t.Fatal(err)
			}
			r := diagnose.Report{Containers: tt.containers}
			for _, code := range tt.errors {
				r.Errors = append(r.Errors, diagnose.TargetError{ExitCode: code})
			}
			if got := f.codeOfReport(r); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
		})
	}
}

func TestNobodyTakesASignalThatDoesNotRun(t *testing.T) {
	f := failOn{level: levelAbrupt, kill: true}
	if got := f.codeOfContainer(&diagnose.Container{Verdict: diagnose.NotRunning}); got != exitTrouble {
		t.Errorf("--kill of a container that does not run: code %d, want %d", got, exitTrouble)
	}
	if got := f.codeOfContainer(&diagnose.Container{Verdict: diagnose.Unknown}); got != exitUnknown {
		t.Errorf("--kill where nothing can be told: code %d, want %d", got, exitUnknown)
	}
}

func TestBugIsReported(t *testing.T) {
	var errs strings.Builder
	a := &app{System: System{Err: &errs, TempDir: t.TempDir(), Version: "1.2.3"}}
	a.seen = &evidence.Snapshot{Format: evidence.SnapshotFormat, Schema: 1, Targets: []evidence.Target{{
		Asked: "web", Processes: []evidence.Process{{Comm: "sh", Argv: []string{"secret"}}},
	}}}
	code := exitClean
	func() {
		defer a.recoverBug(&code)
		g := beside.NewGroup(2)
		g.Go(func() { panic("index out of\nrange") })
		g.Wait()
		t.Error("a panic beside the main run was lost")
	}()
	if code != exitBug {
		t.Errorf("exit code %d, want %d", code, exitBug)
	}
	if strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), a.TempDir) {
		t.Errorf("said %q, want one line that names the files", errs.String())
	}
	stack := readOne(t, filepath.Join(a.TempDir, "whystuck-bug-*", "stack.txt"))
	if !strings.Contains(stack, "TestBugIsReported.func") || !strings.Contains(stack, "1.2.3") {
		t.Errorf("the stack is not that of the panic:\n%s", stack)
	}
	capture := readOne(t, filepath.Join(a.TempDir, "whystuck-bug-*", "capture.json"))
	if s, err := evidence.Read(strings.NewReader(capture)); err != nil || !s.Redacted || strings.Contains(capture, "secret") {
		t.Errorf("the capture is not a redacted one (%v): %s", err, capture)
	}
}

func readOne(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBugWithoutAPlaceToWrite(t *testing.T) {
	var errs strings.Builder
	a := &app{System: System{Err: &errs, TempDir: filepath.Join(t.TempDir(), "missing")}}
	code := exitClean
	func() {
		defer a.recoverBug(&code)
		panic("boom")
	}()
	if code != exitBug || !strings.Contains(errs.String(), "send this line") {
		t.Errorf("code %d, said %q", code, errs.String())
	}
}
