package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/render"
)

// lost is a report of a graceful exit that was lost, with a hostile name.
func lost() *Report {
	return &Report{Schema: ReportSchema, At: noon, Kind: KindEnded, Trouble: true, Headline: "killed by SIGKILL",
		Container: &Named{ID: strings.Repeat("a", 64), Name: "db\x1b[2J", Image: "evil\"\n\u202e"},
		Command:   ptr(CommandStop), Signal: ptr("SIGTERM"), Stage: ptr(StageTimeout), Outcome: ptr(OutcomeKilled), ExitCode: ptr(137),
		TimeoutSeconds: ptr(10.0), AfterSeconds: ptr(10.1), DiagnosedAfter: ptr(9.6),
		Diagnosis: &diagnose.Container{Name: "db", Verdict: diagnose.Killed, Confidence: diagnose.Certain, Headline: "PID 1 (db) ignores SIGTERM"}}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	write := Text(&b, render.Options{})
	r := lost()
	r.Kind, r.Reconciled = KindOverrun, true
	for range 2 {
		if err := write(r); err != nil {
			t.Fatal(err)
		}
	}
	text := b.String()
	for _, want := range []string{`2026-11-28T12:00:00Z ! db\x1b[2J: killed by SIGKILL (reconciled)`, "seen 9.6 s after the signal", "PID 1 (db) ignores SIGTERM."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") || strings.Count(text, "PID 1 (db)") != 1 {
		t.Errorf("escapes, or the same screen twice:\n%s", text)
	}
}

func TestJSONLines(t *testing.T) {
	var b bytes.Buffer
	if err := JSONLines(&b)(lost()); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\n") != 1 || strings.Contains(b.String(), "\x1b") {
		t.Errorf("not one clean line: %q", b.String())
	}
	var fields map[string]any
	if err := json.Unmarshal(b.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	// null is "not known": the field is there.
	for _, name := range []string{"schema", "version", "at", "kind", "trouble", "headline", "container", "reconciled", "command", "signal", "signalled_at",
		"timeout_seconds", "timeout_source", "stage", "after_seconds", "sigkill_after_seconds", "outcome", "exit_code", "oom", "restart_count",
		"engine_silent_seconds", "diagnosis", "diagnosed_after_seconds"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("field %s is missing", name)
		}
	}
}

// A pipe that nobody reads keeps nothing waiting.
func TestWriterDoesNotWait(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	w := NewWriter(func(*Report) error { <-stuck; return nil }, func(error) {})
	start := time.Now()
	for range maxWaiting + 10 {
		w.Tell(lost())
	}
	ctx, cancel := CloseContext()
	defer cancel()
	if left := w.Close(ctx); left < 9 || time.Since(start) > time.Second {
		t.Errorf("%d left out, in %s", left, time.Since(start))
	}
}

func TestWriterFails(t *testing.T) {
	failed := make(chan error, 2)
	w := NewWriter(func(*Report) error { return errors.New("no space") }, func(err error) { failed <- err })
	w.Tell(lost())
	w.Tell(lost())
	w.Close(context.Background())
	if err := <-failed; err == nil || len(failed) > 0 {
		t.Errorf("%v, and %d more", err, len(failed))
	}
}

// complaints collects what is complained of.
type complaints struct {
	mu  sync.Mutex
	all []string
}

func (c *complaints) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, text)
}

func TestRunner(t *testing.T) {
	dir := t.TempDir()
	var c complaints
	r := NewRunner([]string{"sh", "-c", `env | grep ^WHYSTUCK_ | sort >` + dir + `/env; cat >` + dir + `/report; echo broken >&2; exit 3`}, time.Minute, c.add)
	clean := lost()
	clean.Trouble = false
	r.Tell(clean)
	r.Tell(lost())
	r.Close(context.Background())
	env, _ := os.ReadFile(filepath.Join(dir, "env"))
	for _, want := range []string{"WHYSTUCK_CONTAINER=db\\x1b[2J\n", "WHYSTUCK_IMAGE=evil\"\\n\\u202e\n", "WHYSTUCK_EXIT_CODE=137\n", "WHYSTUCK_STAGE=timeout\n", "WHYSTUCK_VERDICT=killed\n"} {
		if !strings.Contains(string(env), want) {
			t.Errorf("%q is missing in:\n%s", want, env)
		}
	}
	report, _ := os.ReadFile(filepath.Join(dir, "report"))
	var got Report
	if err := json.Unmarshal(report, &got); err != nil || got.Headline != lost().Headline {
		t.Errorf("standard input: %v %q", err, report)
	}
	if len(c.all) != 1 || !strings.Contains(c.all[0], "exit status 3: broken") {
		t.Errorf("complaints: %q", c.all)
	}
}

// A command that does not read its input is no failure.
func TestRunnerNeedNotRead(t *testing.T) {
	var c complaints
	r := NewRunner([]string{"true"}, time.Minute, c.add)
	big := lost()
	big.Headline = strings.Repeat("x", 1<<20)
	r.Tell(big)
	r.Close(context.Background())
	if len(c.all) > 0 {
		t.Errorf("complaints: %q", c.all)
	}
}

func TestRunnerIsBounded(t *testing.T) {
	var c complaints
	r := NewRunner([]string{"sleep", "60"}, time.Minute, c.add)
	start := time.Now()
	for range atOnce + maxCommands + 10 {
		r.Tell(lost())
	}
	ctx, cancel := CloseContext()
	defer cancel()
	r.Close(ctx)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s to give up", took)
	}
	if len(c.all) == 0 || !strings.Contains(c.all[0], "left out") {
		t.Errorf("complaints: %q", c.all)
	}
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		`page`:                          {"page"},
		` page  --to 'two words' `:      {"page", "--to", "two words"},
		`sh -c "echo $X | mail \"me\""`: {"sh", "-c", `echo $X | mail "me"`},
		`a\ b '' "c"d`:                  {"a b", "", "cd"},
		`p 'a\b' $(x) *`:                {"p", `a\b`, "$(x)", "*"},
		``:                              nil,
		`  `:                            nil,
		`page 'x`:                       nil,
		`page x\`:                       nil,
	} {
		got, err := SplitWords(line)
		if (err != nil) != (want == nil) || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
}
