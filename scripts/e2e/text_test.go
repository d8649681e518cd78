package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

// A program that puts escape sequences into its name and arguments cannot write
// to the reader's terminal, in any form of output.
func (l *lab) testHostile(t *testing.T) {
	l.start(t, "hostile", "lab", "hostile")
	pid := strconv.Itoa(l.pid(t, "hostile"))
	for _, args := range [][]string{
		{"hostile"}, {"--no-trunc", "hostile"}, {"--all"}, {"--pid", pid},
		{"signals", "hostile"}, {"signals", "--pid", pid}, {"--json", "hostile"}, {"capture", "hostile"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			a := l.whystuck(t, "", args...)
			if !strings.Contains(a.stdout, "red") && !strings.Contains(a.stdout, "evil") {
				t.Errorf("neither name nor arguments are shown:\n%s%s", a.stdout, a.stderr)
			}
			harmless(t, a.stdout)
			harmless(t, a.stderr)
		})
	}
}

// harmless: nothing that moves the cursor, colours, rings, writes backwards or
// begins a line of its own.
func harmless(t *testing.T, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Errorf("invalid UTF-8: %q", out)
	}
	for _, r := range out {
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("raw %q in %q", r, out)
			return
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			t.Errorf("a line of the container's own: %q", line)
		}
	}
}

// Several containers are judged each, and the worst decides the exit code.
func (l *lab) testSeveral(t *testing.T) {
	l.start(t, "several-good", "--init", "shells", "sleep", "1000")
	l.start(t, "several-bad", "lab", "ign")
	for _, c := range []struct {
		args []string
		code int
		want map[string]diagnose.Verdict
	}{
		{[]string{"several-good"}, 0, map[string]diagnose.Verdict{"several-good": diagnose.Stops}},
		{[]string{"several-good", "several-bad"}, 1, map[string]diagnose.Verdict{"several-good": diagnose.Stops, "several-bad": diagnose.Killed}},
		{[]string{"several-good", "no-such"}, 2, map[string]diagnose.Verdict{"several-good": diagnose.Stops}},
		{[]string{"several-bad", "no-such"}, 1, map[string]diagnose.Verdict{"several-bad": diagnose.Killed}},
		{[]string{"--all"}, 1, map[string]diagnose.Verdict{"several-good": diagnose.Stops, "several-bad": diagnose.Killed}},
		{[]string{"--fail-on", "stuck", "several-bad"}, 0, map[string]diagnose.Verdict{"several-bad": diagnose.Killed}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			a := l.whystuck(t, "", append([]string{"--json"}, c.args...)...)
			if a.code != c.code {
				t.Errorf("exit %d, want %d: %s", a.code, c.code, a.stderr)
			}
			var r diagnose.Report
			if err := json.Unmarshal([]byte(a.stdout), &r); err != nil {
				t.Fatalf("%v\n%s", err, a.stdout)
			}
			got := map[string]diagnose.Verdict{}
			for _, con := range r.Containers {
				got[con.Name] = con.Verdict
			}
			for name, v := range c.want {
				if got[name] != v {
					t.Errorf("%s: verdict %q, want %q", name, got[name], v)
				}
			}
			if c.args[0] != "--all" && len(got) != len(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Bad input: the documented exit code, and one line that says what is wrong.
func (l *lab) testErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"no-such"}, 2, "no such container"},
		{[]string{"-H", "unix:///no/such.sock", "x"}, 4, "/no/such.sock"},
		{[]string{"-H", "ssh://host", "x"}, 4, "ssh"},
		{[]string{"--kill", "NONSENSE", "x"}, 2, "NONSENSE"},
		{[]string{"--from", "/dev/null"}, 2, "/dev/null"},
		{[]string{"--pid", "999999999"}, 2, "999999999"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			a := l.whystuck(t, "", c.args...)
			if a.code != c.code {
				t.Errorf("exit %d, want %d", a.code, c.code)
			}
			if !strings.Contains(a.stderr, c.says) {
				t.Errorf("standard error does not say %q: %s", c.says, a.stderr)
			}
			if strings.Count(strings.TrimSpace(a.stderr), "\n") > 1 {
				t.Errorf("more than a line or two: %s", a.stderr)
			}
		})
	}
}
