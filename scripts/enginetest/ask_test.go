package enginetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// answerIn is what whystuck promises, and what a busy machine adds to it.
const answerIn = 3*time.Second + 1500*time.Millisecond

// answer is what whystuck said of one container.
type answer struct {
	diagnose.Container
	report diagnose.Report
	took   time.Duration
	exit   int
}

// ask runs whystuck --json over one container and takes its time.
func (l *lab) ask(t *testing.T, d *bed.Daemon, name string, flags ...string) answer {
	t.Helper()
	a := l.askAll(t, d, append(flags, name)...)
	if len(a.report.Containers) != 1 {
		t.Fatalf("whystuck %s: %d containers, errors %v", name, len(a.report.Containers), a.report.Errors)
	}
	a.Container = a.report.Containers[0]
	t.Logf("%s: %s, in %v\n%s", name, a.words(), a.took.Round(time.Millisecond), a.text())
	return a
}

// askAll runs whystuck --json with any arguments.
func (l *lab) askAll(t *testing.T, d *bed.Daemon, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.binary, append([]string{"--json"}, args...)...)
	cmd.Env, cmd.WaitDelay = d.Env(), time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	a := answer{took: time.Since(start), exit: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("whystuck %v: %v\n%s", args, err, errOut.String())
	}
	if err := json.Unmarshal(out.Bytes(), &a.report); err != nil {
		t.Fatalf("whystuck --json %v: %v\n%s%s", args, err, out.String(), errOut.String())
	}
	if a.took > answerIn+l.slack {
		t.Errorf("whystuck %v took %v", args, a.took)
	}
	return a
}

// words is an answer in a few words, for the table.
func (a answer) words() string {
	var codes []string
	for _, f := range slices.Concat(a.report.Host.Findings, a.Findings) {
		if !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return fmt.Sprintf("%s %s %s", a.Verdict, a.Confidence, strings.Join(codes, " "))
}

// text is all that was said.
func (a answer) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, a.Headline)
	for _, f := range slices.Concat(a.report.Host.Findings, a.Findings) {
		fmt.Fprintf(&b, "%s %s\n", f.Code, f.Summary)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  %s %s %s | %s\n", e.Source, e.Field, e.Value, e.Says)
		}
		for _, x := range f.Fixes {
			fmt.Fprintf(&b, "  fix: %s: %s\n", x.Text, x.Command)
		}
	}
	return b.String()
}

// wants holds an answer against what it has to be: the verdict, the codes of
// findings, and words of its text.
func (a answer) wants(t *testing.T, verdict diagnose.Verdict, codes []string, says ...string) {
	t.Helper()
	if a.Verdict != verdict {
		t.Errorf("%s: %s, want %s", a.Name, a.Verdict, verdict)
	}
	text := a.text()
	for _, code := range codes {
		if !strings.Contains(" "+a.words()+" ", " "+code+" ") {
			t.Errorf("%s: no finding %s in\n%s", a.Name, code, text)
		}
	}
	for _, w := range says {
		if !strings.Contains(text, w) {
			t.Errorf("%s: %q is not said in\n%s", a.Name, w, text)
		}
	}
}

// never holds the forecast of no return for stop, kill and rm.
func (a answer) never(t *testing.T) {
	t.Helper()
	if a.Stop == nil || a.Kill == nil || a.Rm == nil {
		t.Fatalf("%s: a forecast is missing", a.Name)
	}
	for name, c := range map[string]diagnose.Command{"stop": a.Stop.Command, "kill": a.Kill.Command, "rm": a.Rm.Command} {
		if c.Returns || c.AfterSeconds != nil || c.ExitStatus != nil {
			t.Errorf("docker %s is said to return: %+v", name, c)
		}
	}
}

// fix is the printed command that holds some words, "" if there is none.
func (a answer) fix(words string) string {
	for _, f := range slices.Concat(a.report.Host.Findings, a.Findings) {
		for _, x := range f.Fixes {
			if strings.Contains(x.Command, words) {
				return strings.ReplaceAll(x.Command, "sudo ", "")
			}
		}
	}
	return ""
}

// wayOut runs a command that was printed.
func (a answer) wayOut(t *testing.T, words string) {
	t.Helper()
	cmd := a.fix(words)
	if cmd == "" {
		t.Fatalf("no fix with %q was printed:\n%s", words, a.text())
	}
	sh(t, cmd)
}

// command is a docker command under way.
type command struct {
	name    string
	began   time.Time
	back    chan struct{}
	took    time.Duration
	code    int
	message string
}

// later runs a docker command beside the test, for at most a minute and a half.
func (l *lab) later(d *bed.Daemon, args ...string) *command {
	c := &command{name: strings.Join(args, " "), began: time.Now(), back: make(chan struct{})}
	go func() {
		defer close(c.back)
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		_, c.message, c.code = d.Docker(ctx, args...)
		c.took = time.Since(c.began)
	}()
	return c
}

// waits holds that it has not come back yet.
func (c *command) waits(t *testing.T) {
	t.Helper()
	select {
	case <-c.back:
		t.Errorf("docker %s came back after %v: exit %d %s", c.name, c.took, c.code, c.message)
	default:
	}
}

// returns waits for it to come back.
func (c *command) returns(t *testing.T, within time.Duration) {
	t.Helper()
	select {
	case <-c.back:
	case <-time.After(within):
		t.Fatalf("docker %s has not come back %v after it began", c.name, time.Since(c.began))
	}
}

// done waits for it, however long.
func (c *command) done() { <-c.back }

// told holds how it came back against a forecast.
func (c *command) told(t *testing.T, f diagnose.Command) {
	t.Helper()
	if !f.Returns || f.ExitStatus == nil || *f.ExitStatus != c.code {
		t.Errorf("docker %s: exit %d, forecast %+v", c.name, c.code, f)
	}
	if f.AfterSeconds != nil && math.Abs(*f.AfterSeconds-c.took.Seconds()) > 2 {
		t.Errorf("docker %s: after %.1f s, forecast %.1f s", c.name, c.took.Seconds(), *f.AfterSeconds)
	}
	if f.Error != nil && !strings.Contains(c.message, *f.Error) {
		t.Errorf("docker %s says %q, forecast %q", c.name, c.message, *f.Error)
	}
}

// sums says in a few words how it ended.
func (c *command) sums() string {
	select {
	case <-c.back:
		return fmt.Sprintf("%s: %.1f s rc %d", strings.Fields(c.name)[0], c.took.Seconds(), c.code)
	default:
		return strings.Fields(c.name)[0] + ": no return"
	}
}
