package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/whystuck/whystuck/pkg/beside"
)

// holdFlag makes a run of `whystuck stop` do nothing but keep connections open that
// it has been given, from descriptor 3 on.
const holdFlag = "hold"

// keepOpen gives connections to a process that outlives this one: an engine that
// sends SIGKILL as soon as the client of a stop goes must not see it go.
func keepOpen(held []*os.File) error {
	if len(held) == 0 {
		return nil
	}
	defer func() {
		for _, f := range held {
			_ = f.Close()
		}
	}()
	cmd := exec.Command("/proc/self/exe", "stop", "--"+holdFlag, strconv.Itoa(len(held)))
	cmd.ExtraFiles = held
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // the terminal's Ctrl-C is not for it
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("the connection could not be kept open, so that the engine sends SIGKILL now: %w", err)
	}
	return cmd.Process.Release()
}

// hold waits until the engine has answered on each of n connections, or has closed
// it.
func hold(n int) {
	var all beside.Group
	for fd := 3; fd < 3+n; fd++ {
		f := os.NewFile(uintptr(fd), "connection")
		all.Go(func() {
			var b [1]byte
			_, _ = f.Read(b[:])
			_ = f.Close()
		})
	}
	all.Wait()
}
