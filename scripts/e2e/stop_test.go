package e2e

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// stopCase is one container and what `docker stop -t 3` was measured to do to it.
type stopCase struct {
	name string
	run  []string // flags, image and command of docker run
	// before starts what the container needs; nil for nothing.
	before func(t *testing.T, l *lab)
	// created: it is created and not started.
	created bool
	// varies: the truth is another on other kernels and is not held.
	varies bool
	// after prepares the running container further; nil for nothing.
	after func(t *testing.T, l *lab, name string)
	// hang mounts a file system at /mnt whose file "hang" is never answered.
	hang bool
	// timeout is docker stop's -t, "3" when empty; "none" leaves it to the container.
	timeout string
	// noPID: not asked by --pid as well, because it shares a PID namespace.
	noPID bool
	// byPID is the verdict by --pid where it is another: no engine is in between then.
	byPID diagnose.Verdict

	truth
	verdict diagnose.Verdict
	// sure is the wanted confidence: "certain", "sure" (certain or likely), "any",
	// or "assumed", and then the rest of the forecast is not held.
	sure string
}

// truth is what docker stop did.
type truth struct {
	exit    int     // the container's exit code, -1 while it runs
	seconds float64 // how long the command took
	status  int     // the command's exit status
}

func (l *lab) testStop(t *testing.T) {
	for _, c := range slices.Concat(shellCases(), initCases(), signalCases(), engineCases(), hangCases()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l.require(t, c.run)
			l.runStop(t, c)
		})
	}
}

// require skips a case over a program that this machine does not have.
func (l *lab) require(t *testing.T, run []string) {
	for _, p := range l.absent {
		image, program, _ := strings.Cut(p, "=")
		if slices.Contains(run, image) || slices.Contains(run, program) {
			bed.Require(t, cmpOr(program, image))
		}
	}
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// runStop tries again when nothing but what a busy machine makes disagrees:
// Docker itself is late then. A wrong forecast is wrong each time.
func (l *lab) runStop(t *testing.T, c stopCase) {
	for try := 1; ; try++ {
		var p problems
		l.tryStop(t, c, fmt.Sprintf("stop-%s-%d", c.name, try), &p)
		if len(p.wrong) == 0 && len(p.late) > 0 && try < 3 {
			t.Logf("again, because late: %s", strings.Join(p.late, "; "))
			continue
		}
		for _, s := range append(p.wrong, p.late...) {
			t.Error(s)
		}
		return
	}
}

// problems of one try.
type problems struct{ wrong, late []string }

func (p *problems) addWrong(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

func (p *problems) compareSeconds(what string, want, did float64) {
	if math.Abs(want-did) > 1.5 {
		p.late = append(p.late, fmt.Sprintf("%s after %.2f s, was %.2f", what, want, did))
	}
}

func (l *lab) tryStop(t *testing.T, c stopCase, name string, p *problems) {
	run := c.run
	if c.hang {
		bed.Require(t, "fuse")
		h := silent.ForTest(t)
		run = append([]string{"-v", h.Dir + ":/mnt"}, run...)
		defer h.Release() // before docker rm, which could not end it
	}
	if c.before != nil {
		c.before(t, l)
	}
	if c.created {
		l.removeAtEnd(t, name)
		l.docker(t, append([]string{"create", "--name", name, "--label", bed.Label}, run...)...)
	} else {
		l.start(t, name, run...)
	}
	if c.after != nil {
		c.after(t, l, name)
		settle(t, l.pid(t, name))
	}
	if *measure {
		t.Logf("%-24s %s", c.name, l.stop(t, name, stopArgs(c)...))
		return
	}
	said := l.askStop(t, c, name, p)
	did := l.stop(t, name, stopArgs(c)...)
	t.Logf("%-24s %s: %s, %s", c.name, did, said.Verdict, said.Confidence)
	if !c.varies {
		p.compareTruth(l.truth(t, c), did)
	}
	p.compareSaid(c, said, did)
}

func stopArgs(c stopCase) []string {
	switch c.timeout {
	case "none":
		return nil
	case "":
		return []string{"-t", "3"}
	}
	return []string{"-t", c.timeout}
}

// stop really stops the container and says what happened.
func (l *lab) stop(t *testing.T, name string, args ...string) truth {
	start := time.Now()
	_, errOut, status := l.d.Docker(t.Context(), append(append([]string{"stop"}, args...), name)...)
	took := time.Since(start).Seconds()
	if status != 0 {
		t.Logf("docker stop: %s", strings.TrimSpace(errOut))
	}
	state := strings.Fields(l.docker(t, "inspect", "-f", "{{.State.Running}} {{.State.ExitCode}}", name))
	exit, err := strconv.Atoi(state[1])
	if err != nil {
		t.Fatal(err)
	}
	if state[0] == "true" {
		exit = -1
	}
	return truth{exit: exit, seconds: took, status: status}
}

// askStop asks in every way that must give the same answer, and makes sure that
// the questions changed nothing.
func (l *lab) askStop(t *testing.T, c stopCase, name string, p *problems) diagnose.Container {
	pid := l.pid(t, name)
	before, log := picture(pid), l.log(t, name)
	said, a := l.judge(t, "", append(stopArgs(c), name)...)
	if got, want := a.code, exitCode(said.Verdict); got != want {
		t.Errorf("whystuck exits %d for the verdict %s, want %d", got, said.Verdict, want)
	}
	p.sameVerdict("capture, then --from", said, l.capture(t, c, name))
	p.sameVerdict("capture --redact, then --from", said, l.capture(t, c, name, "--redact"))
	if pid != 0 && !c.noPID {
		byPID, _ := l.judge(t, "", append(stopArgs(c), "-s", stopSignal(said), "--pid", strconv.Itoa(pid))...)
		want := said
		if c.byPID != "" {
			want.Verdict = c.byPID
		}
		p.sameVerdict("--pid", want, byPID)
	}
	if now, same := samePicture(pid, before); !same && !c.restless() {
		t.Errorf("the container was changed by looking at it:\n%s\nthen\n%s", before, now)
	}
	if now := l.log(t, name); now != log {
		t.Errorf("the container's log was changed by looking at it: %q, then %q", log, now)
	}
	return said
}

// restless: it starts processes all the time.
func (c stopCase) restless() bool { return strings.Contains(strings.Join(c.run, " "), "while") }

func (l *lab) log(t *testing.T, name string) string {
	out, errOut, _ := l.d.Docker(t.Context(), "logs", name)
	return out + errOut
}

func stopSignal(said diagnose.Container) string {
	if said.Stop == nil {
		return "SIGTERM"
	}
	return said.Stop.Signal
}

func (l *lab) capture(t *testing.T, c stopCase, name string, flags ...string) diagnose.Container {
	t.Helper()
	a := l.whystuck(t, "", append(append([]string{"capture"}, flags...), name)...)
	if !strings.HasPrefix(a.stdout, "{") {
		t.Fatalf("capture gave no JSON (exit %d): %s", a.code, a.stderr)
	}
	said, _ := l.judge(t, a.stdout, append([]string{"--from", "-"}, stopArgs(c)...)...)
	return said
}

// sameVerdict counts "unknown" as late: on a machine that is too busy a read
// may run into its deadline, and then that is the honest answer.
func (p *problems) sameVerdict(how string, a, b diagnose.Container) {
	if a.Verdict == b.Verdict {
		return
	}
	s := fmt.Sprintf("%s: verdict %s (%s), directly %s (%s)", how, b.Verdict, b.Headline, a.Verdict, a.Headline)
	if a.Verdict == diagnose.Unknown || b.Verdict == diagnose.Unknown {
		p.late = append(p.late, s)
		return
	}
	p.wrong = append(p.wrong, s)
}

// exitCode is the program's own for a verdict over one container.
func exitCode(v diagnose.Verdict) int {
	switch v {
	case diagnose.Stops, diagnose.NotRunning:
		return 0
	case diagnose.Unknown:
		return 3
	}
	return 1
}

// either stands for an exit status that is a race inside dockerd.
const either = -1

// truth is the case's on this engine.
func (l *lab) truth(t *testing.T, c stopCase) truth {
	want := c.truth
	if want.exit == forgotten {
		want.exit = bed.ForgottenExit(t)
	}
	return want
}

// compareTruth makes sure that the table is still true.
func (p *problems) compareTruth(want, did truth) {
	if want.exit != did.exit || want.status != did.status && want.status != either {
		p.addWrong("the table says %s, docker stop did %s", want, did)
	}
	p.compareSeconds("the table says", want.seconds, did.seconds)
}

func (t truth) String() string {
	return fmt.Sprintf("{exit %d, %.2f s, status %d}", t.exit, t.seconds, t.status)
}

// compareSaid holds whystuck's forecast against what happened.
func (p *problems) compareSaid(c stopCase, said diagnose.Container, did truth) {
	if !sure(c.sure, said.Confidence) {
		p.addWrong("confidence %s, want %s: %s", said.Confidence, c.sure, said.Headline)
	}
	if c.sure == "assumed" {
		return // what a handler of an unknown program does, nobody can say
	}
	if said.Verdict != c.verdict {
		p.addWrong("verdict %s, want %s: %s", said.Verdict, c.verdict, said.Headline)
	}
	if said.Stop == nil {
		return
	}
	if x := said.Stop.ExitCode; x != nil && *x != did.exit {
		p.addWrong("forecast exit code %d, was %d", *x, did.exit)
	}
	if x := said.Stop.AfterSeconds; x != nil && did.exit != -1 {
		p.compareSeconds("forecast its end", *x, did.seconds)
	}
	p.compareCommand(said.Stop.Command, did)
}

func (p *problems) compareCommand(said diagnose.Command, did truth) {
	if !said.Returns {
		p.addWrong("forecast that docker stop never returns, but it did after %.1f s", did.seconds)
	}
	if x := said.AfterSeconds; x != nil {
		p.compareSeconds("forecast docker stop's return", *x, did.seconds)
	}
	if x := said.ExitStatus; x != nil && *x != did.status {
		p.addWrong("forecast exit status %d of docker stop, was %d", *x, did.status)
	}
}

func sure(want string, got diagnose.Confidence) bool {
	switch want {
	case "any":
		return true
	case "sure":
		return got == diagnose.Certain || got == diagnose.Likely
	}
	return string(got) == want
}
