package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]int{
		"TERM": 15, "SIGTERM": 15, "sigterm": 15, "Term": 15, "15": 15, "9": 9, "HUP": 1,
		"RTMIN": 34, "RTMIN+3": 37, "sigrtmin+3": 37, "RTMAX-1": 63, "37": 37, "64": 64,
	} {
		if got, err := parseSignal("signal", text); err != nil || got != want {
			t.Errorf("parseSignal(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "32", "33", "65", "999999999999", "SIGSIGTERM", "RTMIN+16", "TERM ", "tërm"} {
		if got, err := parseSignal("signal", text); err == nil {
			t.Errorf("parseSignal(%q) = %d, want an error", text, got)
		}
	}
}

func TestJudgeFlags(t *testing.T) {
	seconds := func(n int) *int { return &n }
	tests := []struct {
		args []string
		want diagnose.Options
	}{
		{nil, diagnose.Options{Version: "v"}},
		{[]string{"-t", "0"}, diagnose.Options{Version: "v", Timeout: seconds(0)}},
		{[]string{"-t", "-1"}, diagnose.Options{Version: "v", Timeout: seconds(-1)}},
		{[]string{"--time", "-7"}, diagnose.Options{Version: "v", Timeout: seconds(-1)}},
		{[]string{"--timeout=30", "-s", "quit"}, diagnose.Options{Version: "v", Timeout: seconds(30), Signal: 3}},
		{[]string{"--kill", "HUP"}, diagnose.Options{Version: "v", Kill: 1}},
	}
	for _, tt := range tests {
		var j judgeFlags
		cmd := &cobra.Command{}
		j.addTo(cmd.Flags())
		if err := cmd.ParseFlags(tt.args); err != nil {
			t.Fatal(err)
		}
		got, err := j.options(cmd.Flags(), "v")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(diagnose.Options{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestSignalNote(t *testing.T) {
	for api, want := range map[string]bool{"1.41": true, "1.24": true, "1.42": false, "1.51": false, "2.0": false, "": false, "x": false} {
		if got := signalNote(api) != ""; got != want {
			t.Errorf("API %q: a note %v, want %v", api, got, want)
		}
	}
}

func TestColor(t *testing.T) {
	tests := []struct {
		asked    string
		terminal bool
		env      map[string]string
		want     bool
	}{
		{"auto", true, nil, true},
		{"auto", false, nil, false},
		{"always", false, map[string]string{"NO_COLOR": "1"}, true},
		{"never", true, map[string]string{"CLICOLOR_FORCE": "1"}, false},
		{"auto", true, map[string]string{"NO_COLOR": "1"}, false},
		{"auto", true, map[string]string{"TERM": "dumb"}, false},
		{"auto", false, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{"auto", false, map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{"auto", false, map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false},
	}
	for _, tt := range tests {
		a := &app{System: System{Getenv: func(name string) string { return tt.env[name] }}}
		if got := a.color(tt.asked, tt.terminal); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestSelectTargets(t *testing.T) {
	id := "0123456789abcdef"
	targets := []evidence.Target{
		{Asked: "web", Container: &evidence.Container{ID: id, Name: "web"}},
		{Asked: "77"},
	}
	tests := []struct {
		names   []string
		want    []string
		missing int
	}{
		{nil, []string{"web", "77"}, 0},
		{[]string{"/web"}, []string{"web"}, 0},
		{[]string{"77", "0123"}, []string{"77", "web"}, 0},
		{[]string{"012"}, nil, 1},
		{[]string{"web", "nope"}, []string{"web"}, 1},
	}
	for _, tt := range tests {
		s := &evidence.Snapshot{Targets: targets}
		selectTargets(s, tt.names)
		var got []string
		for _, target := range s.Targets {
			got = append(got, target.Asked)
		}
		if !cmp.Equal(got, tt.want) || len(s.Errors) != tt.missing {
			t.Errorf("%q: %q and %d missing, want %q and %d", tt.names, got, len(s.Errors), tt.want, tt.missing)
		}
	}
}

func TestOffered(t *testing.T) {
	root := newRoot(&app{})
	got := offered(root, []string{"web", "db", "version", "stop", "help"}, []string{"db"})
	if diff := cmp.Diff([]string{"web", "/version", "/stop", "/help"}, got); diff != "" {
		t.Error(diff)
	}
	capture, _, err := root.Find([]string{"capture"})
	if err != nil {
		t.Fatal(err)
	}
	if got := offered(capture, []string{"version"}, nil); !cmp.Equal(got, []string{"version"}) {
		t.Errorf("after capture a name needs no slash: %q", got)
	}
}

func TestWithoutAges(t *testing.T) {
	for in, want := range map[string]string{
		"SIGTERM sent 42 s ago, SIGKILL sent 3.5 s ago": "SIGTERM sent  s ago, SIGKILL sent  s ago",
		"after 10 s": "after 10 s",
		"":           "",
	} {
		if got := withoutAges(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestChangeKeyIgnoresTheClock(t *testing.T) {
	r := diagnose.Report{ObservedAt: time.Unix(1, 0), Containers: []diagnose.Container{{Name: "web", Verdict: diagnose.Stops, Headline: "stops"}}}
	before := changeKey(r)
	r.ObservedAt = time.Unix(9, 0)
	if changeKey(r) != before {
		t.Error("only the clock moved, and the key changed")
	}
	r.Containers = []diagnose.Container{{Name: "web", Verdict: diagnose.Killed, Headline: "is killed"}}
	if changeKey(r) == before {
		t.Error("another verdict has the same key")
	}
}
