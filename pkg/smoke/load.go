package smoke

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// load starts the commands that run during the stop; the function that it gives
// ends the one on this host, with all that it has started.
func (r *run) load(ctx context.Context, pid int) (done func()) {
	if r.LoadExec != "" {
		if _, err := r.runner.Exec(ctx, r.id, Argv(r.LoadExec), nil); err != nil {
			r.complain("--load-exec: " + plain(err))
		}
	}
	if r.Load == "" {
		return func() {}
	}
	cmd := exec.Command("/bin/sh", "-c", r.Load) //nolint:gosec // the user's own command
	cmd.Env = append(os.Environ(), "WHYSTUCK_CONTAINER="+r.id, fmt.Sprintf("WHYSTUCK_PID=%d", pid))
	cmd.Stdout, cmd.Stderr = r.Output, r.Output
	// A group of its own: what it leaves in the background ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		r.complain("--load: " + err.Error())
		return func() {}
	}
	time.Sleep(loadLead)
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // not waited for yet: the number is its own
		_ = cmd.Wait()                                      // it was killed: how it ended says nothing
	}
}

// loadLead is what a load gets to begin with before the stop.
const loadLead = 200 * time.Millisecond

func (s *Smoker) complain(text string) {
	if s.Complain != nil {
		s.Complain(text)
	}
}
