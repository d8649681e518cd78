package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SignalTrace follows signals by the tracepoints signal_generate and
// signal_deliver, in a tracing instance of its own. It sees what no other source
// tells: who sent a signal, and whether the kernel queued or discarded it. It needs
// root, like the iterator, and is never required.
//
// It is for one goroutine. Close removes the instance; that of a program that was
// killed is removed by the next one that traces.
type SignalTrace struct {
	tracefs, dir *os.File
	name         string
	pipe         int
	parser       traceParser
}

// TraceSignals makes the instance. Nothing is traced before Follow.
func TraceSignals() (*SignalTrace, error) {
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initPIDNS {
		return nil, ErrForeignPIDs
	}
	tracefs, err := openTracefs()
	if err != nil {
		return nil, err
	}
	sweep(tracefs)
	t := &SignalTrace{tracefs: tracefs, pipe: -1}
	if t.name, err = makeInstance(tracefs); err != nil {
		_ = tracefs.Close()
		return nil, err
	}
	if err := t.open(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *SignalTrace) open() error {
	fd, err := unix.Openat(int(t.tracefs.Fd()), t.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening our tracing instance: %w", err)
	}
	t.dir = os.NewFile(uintptr(fd), t.name)
	t.pipe, err = unix.Openat(fd, "trace_pipe", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening our trace_pipe: %w", err)
	}
	return nil
}

// Close ends the tracing and removes the instance.
func (t *SignalTrace) Close() error {
	var err error
	if t.dir != nil {
		err = writeAt(t.dir, "events/signal/enable", "0")
		_ = t.dir.Close()
	}
	if t.pipe >= 0 {
		_ = unix.Close(t.pipe)
	}
	if rm := unix.Unlinkat(int(t.tracefs.Fd()), t.name, unix.AT_REMOVEDIR); rm != nil {
		err = errors.Join(err, fmt.Errorf("removing the tracing instance %s: %w", t.name, rm))
	}
	return errors.Join(err, t.tracefs.Close())
}

// maxFilter is how many threads a filter names; the kernel takes a page of text.
// Of more the filter names the signals alone, and the caller has to choose.
const maxFilter = 120

// Follow begins to trace the signals sent to the threads tids and those that they
// take.
func (t *SignalTrace) Follow(signals, tids []int) error {
	for _, f := range []struct{ event, pid string }{{"signal_generate", "pid"}, {"signal_deliver", "common_pid"}} {
		filter := anyOf("sig", signals)
		if len(tids) > 0 && len(tids) <= maxFilter {
			filter += "&&" + anyOf(f.pid, tids)
		}
		if err := writeAt(t.dir, "events/signal/"+f.event+"/filter", filter); err != nil {
			return err
		}
	}
	// The clock of the trace is its own: a mark at a known moment ties it to ours.
	t.parser.marked = time.Now()
	if err := writeAt(t.dir, "trace_marker", traceMark); err != nil {
		return err
	}
	return writeAt(t.dir, "events/signal/enable", "1")
}

// anyOf is "(field==1||field==2)".
func anyOf(field string, values []int) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprintf("%s==%d", field, v)
	}
	return "(" + strings.Join(parts, "||") + ")"
}

// maxSignalsRead bounds what one Read gives, so that a container that never ceases to send
// signals cannot hold the reader; the rest is for the next.
const maxSignalsRead = 4096

// Read gives what has been traced since the last Read, without waiting.
func (t *SignalTrace) Read() ([]SignalEvent, error) {
	var out []SignalEvent
	buf := make([]byte, 64<<10)
	for len(out) < maxSignalsRead {
		n, err := unix.Read(t.pipe, buf)
		switch {
		case errors.Is(err, unix.EAGAIN) || err == nil && n == 0:
			return out, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return out, fmt.Errorf("reading our trace_pipe: %w", err)
		}
		out = append(out, t.parser.parse(buf[:n])...)
	}
	return out, nil
}
