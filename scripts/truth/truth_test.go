package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/truth/cases"
)

func exit(n int) *int { return &n }

func TestStopVerdict(t *testing.T) {
	slow := cases.Case{Handlers: 1, Finish: "DONE"}
	zero := slow
	zero.StopOptions = []string{"-t", "0"}
	for name, x := range map[string]struct {
		o     Observed
		c     cases.Case
		alive bool
		want  diagnose.Verdict
	}{
		"ended":               {Observed{}, cases.Case{}, false, diagnose.Stops},
		"finished":            {Observed{Finished: 1}, slow, false, diagnose.Stops},
		"cut off":             {Observed{}, slow, false, diagnose.Abrupt},
		"cut off, known":      {Observed{}, cases.Case{Cut: "nginx"}, false, diagnose.Abrupt},
		"killed":              {Observed{Killed: true}, slow, false, diagnose.Killed},
		"137 without timeout": {Observed{ExitCode: exit(137)}, cases.Case{}, false, diagnose.Stops},
		"timeout 0":           {Observed{Killed: true}, zero, false, diagnose.Abrupt},
		"lives on":            {Observed{Killed: true}, cases.Case{}, true, diagnose.Ghost},
		"error":               {Observed{CommandStatus: 1, CommandError: "tried to kill container, but did not receive an exit event"}, cases.Case{}, true, diagnose.Stuck},
		"denied":              {Observed{CommandStatus: 1, CommandError: "permission denied"}, cases.Case{}, true, diagnose.Refused},
	} {
		if got := x.o.stopVerdict(x.c, x.alive); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
}

func TestFromEvents(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }
	o := Observed{Events: []Event{
		{At: at(1), Action: "kill", Signal: "15"}, {At: at(5), Action: "kill", Signal: "9"},
		{At: at(5.5), Action: "die"}, {At: at(5.6), Action: "stop"},
	}}
	o.fromEvents()
	if !o.Killed || o.KillSeconds != 4 || o.Seconds != 4.5 {
		t.Errorf("killed %t after %v, ended after %v", o.Killed, o.KillSeconds, o.Seconds)
	}
	// A stop signal of SIGKILL is no forced kill: it is the first signal.
	o = Observed{Events: []Event{{At: at(1), Action: "kill", Signal: "9"}, {At: at(1.1), Action: "die"}}}
	if o.fromEvents(); o.Killed {
		t.Error("the stop signal was taken for a forced kill")
	}
}

func TestCompare(t *testing.T) {
	four := 4.0
	for name, x := range map[string]struct {
		a     Answer
		o     Observed
		right string
	}{
		"same":            {Answer{Verdict: "killed"}, Observed{Verdict: "killed"}, "right"},
		"other":           {Answer{Verdict: "killed"}, Observed{Verdict: "stops"}, "wrong"},
		"unknown":         {Answer{Verdict: "unknown"}, Observed{Verdict: "stops"}, "unknown"},
		"log cannot tell": {Answer{Verdict: "abrupt"}, Observed{Verdict: "stops"}, "open"},
		"log can tell":    {Answer{Verdict: "abrupt"}, Observed{Verdict: "stops", Heard: true}, "wrong"},
		"no answer":       {Answer{Verdict: "stops", Error: "timeout"}, Observed{Verdict: "stops"}, "wrong"},
	} {
		if got := x.a.compare(cases.Case{}, x.o); got.Right != x.right {
			t.Errorf("%s: %s, want %s", name, got.Right, x.right)
		}
	}
	a := Answer{Verdict: "killed", ExitCode: exit(137), After: &four}.compare(cases.Case{}, Observed{Verdict: "killed", ExitCode: exit(143), Killed: true, KillSeconds: 5.5})
	if *a.CodeRight || *a.SecondsRight {
		t.Errorf("wrong exit code and seconds counted as right: %s", a.Why)
	}
}

func TestSummarize(t *testing.T) {
	result := func(confidence, right string) Result {
		return Result{Group: "c", Observed: &Observed{Verdict: "stops"}, Answers: map[string]Answer{
			"root": {Verdict: "killed", Confidence: confidence, Right: right},
		}}
	}
	for name, x := range map[string]struct {
		r      Result
		failed bool
	}{
		"sure and wrong":    {result("likely", "wrong"), true},
		"assumed and wrong": {result("assumed", "wrong"), false},
		"sure and right":    {result("certain", "right"), false},
		"not measured":      {Result{Problem: "did not start"}, true},
		"left out":          {Result{LeftOut: "no npm"}, false},
		"broken promise":    {Result{Problem: "the guide promises", Observed: &Observed{}}, true},
	} {
		truth := Truth{Results: []Result{x.r}}
		if truth.summarize(); truth.Summary.Failed != x.failed {
			t.Errorf("%s: failed %t, want %t", name, truth.Summary.Failed, x.failed)
		}
	}
}

func TestGuideCases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guide.md")
	text := "words\n```sh\n#!/bin/sh\n# entrypoint: one\n# expect: killed\n\"$@\"\ntrue\n```\n```sh\ndocker run x\n```\n```sh\n#!/bin/bash\n# entrypoint: two\n# expect: stops\n\"$@\" &\n\"$@\" &\nwait\n```\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := guideCases(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]cases.Case{}
	for _, c := range all {
		got[c.Name] = c
	}
	if len(got) != 4 {
		t.Fatalf("cases %v, want three of one and one of two", got)
	}
	one, two := got["guide-one-ash"], got["guide-two-bash"]
	if one.Expect != "killed" || one.Unknowable || one.Files["entrypoint.sh"] != "#!/bin/busybox sh\n\"$@\"\ntrue\n" {
		t.Errorf("one: %+v", one)
	}
	if two.Expect != "stops" || !two.Unknowable || two.Handlers != 2 {
		t.Errorf("two: %+v", two)
	}
	if all, err := guideCases(filepath.Join(t.TempDir(), "none.md")); err != nil || all != nil {
		t.Errorf("no guide: %v, %v", all, err)
	}
}

// The guide of this project has scripts, and every one says what to expect.
func TestOwnGuide(t *testing.T) {
	all, err := guideCases("../../docs/guides/entrypoints.md")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d cases, %v", len(all), err)
	}
	for _, c := range all {
		if c.Expect == "" {
			t.Errorf("%s: no line # expect:", c.Name)
		}
	}
	if err := cases.Check(append(cases.All(), all...)); err != nil {
		t.Error(err)
	}
}
