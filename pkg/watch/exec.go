package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/render"
)

// Runner runs a command for each report that is trouble: the report on its
// standard input as one line of JSON, the facts in variables WHYSTUCK_... There
// is no shell between, so nothing that a container chose is ever interpreted.
type Runner struct {
	argv     []string
	limit    time.Duration
	queue    chan *Report
	complain func(string)
	workers  beside.Group
	cancel   context.CancelFunc
	ctx      context.Context
	children sync.RWMutex // held for reading while a command of ours runs
}

const (
	// atOnce and maxCommands bound the commands that run and that wait: a host
	// where everything hangs must not be buried under them.
	atOnce      = 4
	maxCommands = 256
	maxOutput   = 4096 // of a command that failed, for the complaint
	maxVariable = 4096 // execve refuses a variable of 128 KiB
)

// NewRunner prepares to run argv, each time for at most limit.
func NewRunner(argv []string, limit time.Duration, complain func(string)) *Runner {
	r := &Runner{argv: argv, limit: limit, queue: make(chan *Report, maxCommands), complain: complain}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for range atOnce {
		r.workers.Go(func() {
			for report := range r.queue {
				survive(complain, func() { r.run(report) })
			}
		})
	}
	return r
}

// Tell queues a report; where too many wait it is left out, and that is said.
func (r *Runner) Tell(report *Report) {
	if !report.Trouble {
		return
	}
	select {
	case r.queue <- report:
	default:
		r.complain(fmt.Sprintf("--exec: %d reports wait already, this one is left out: %s: %s", maxCommands, report.Container.name(), report.Headline))
	}
}

// Close waits for a moment for what runs, and then ends it.
func (r *Runner) Close(ctx context.Context) {
	close(r.queue)
	done := beside.Run(r.workers.Wait).Done()
	defer r.cancel()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	r.cancel()
	select {
	case <-done:
	case <-time.After(closeWithin):
	}
}

func (r *Runner) run(report *Report) {
	line, err := Line(report)
	if err != nil || r.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.argv[0], r.argv[1:]...)
	out := &bounded{left: maxOutput}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(line), out, out
	cmd.Env = append(os.Environ(), Variables(report)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The whole group: a script's children would live on.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for who keeps its output open
	r.children.RLock()
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	}
	r.children.RUnlock()
	r.reap()
	var exit *exec.ExitError
	switch {
	case err == nil || r.ctx.Err() != nil || errors.Is(err, syscall.EPIPE): // it need not read the report
	case ctx.Err() != nil:
		r.complain(fmt.Sprintf("--exec: %s did not end within %s and was killed", r.argv[0], r.limit))
	case errors.As(err, &exit):
		r.complain(fmt.Sprintf("--exec: %s: %v: %s", r.argv[0], err, strings.TrimSpace(out.b.String())))
	default:
		r.complain(fmt.Sprintf("--exec: %v", err))
	}
}

// reap takes in what commands have left to PID 1, which we are in a container of
// our own: nobody else would, and zombies fill the PID limit. It waits for no
// command of ours, whose end os/exec is waiting for.
func (r *Runner) reap() {
	if os.Getpid() != 1 || !r.children.TryLock() {
		return // the last command to end does it
	}
	defer r.children.Unlock()
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}

// Variables are a report's facts as environment variables. Those without a value
// are set empty, so that none is inherited.
func Variables(r *Report) []string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	number := func(f *float64) string {
		if f == nil {
			return ""
		}
		return strconv.FormatFloat(*f, 'f', -1, 64)
	}
	id, name, image, verdict, layer, code := "", "", "", "", "", ""
	if c := r.Container; c != nil {
		id, name, image = c.ID, c.Name, c.Image
	}
	if d := r.Diagnosis; d != nil {
		verdict, layer = string(d.Verdict), d.Layer
	}
	if r.ExitCode != nil {
		code = strconv.Itoa(*r.ExitCode)
	}
	pairs := [][2]string{
		{"KIND", r.Kind}, {"HEADLINE", r.Headline}, {"CONTAINER_ID", id}, {"CONTAINER", name}, {"IMAGE", image},
		{"COMMAND", text(r.Command)}, {"SIGNAL", text(r.Signal)}, {"STAGE", text(r.Stage)}, {"OUTCOME", text(r.Outcome)},
		{"TIMEOUT_SECONDS", number(r.TimeoutSeconds)}, {"AFTER_SECONDS", number(r.AfterSeconds)}, {"EXIT_CODE", code},
		{"VERDICT", verdict}, {"LAYER", layer}, {"RECONCILED", strconv.FormatBool(r.Reconciled)},
	}
	env := make([]string, 0, len(pairs))
	for _, p := range pairs {
		value := render.Escape(p[1]) // which leaves no NUL in it
		if len(value) > maxVariable {
			value = strings.ToValidUTF8(value[:maxVariable], "")
		}
		env = append(env, "WHYSTUCK_"+p[0]+"="+value)
	}
	return env
}

// bounded keeps the beginning of what is written and takes the rest.
type bounded struct {
	mu   sync.Mutex
	b    bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(p), b.left)
	b.b.Write(p[:n])
	b.left -= n
	return len(p), nil
}
