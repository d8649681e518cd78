package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// This file and docker_act.go are the acting part of the package: what is called
// here sends signals. None of it has a deadline of its own, because a stop may
// rightly take for ever: the context is the caller's clock.

// ErrNoStopSignal is why Stop refuses a signal: below API 1.42 the engine does not
// take one with a stop, and its own client then sends another without a word.
var ErrNoStopSignal = errors.New("this engine takes no signal with a stop (it needs API 1.42)")

// StopOptions are those of `docker stop`.
type StopOptions struct {
	Signal  int  // 0: the container's own
	Timeout *int // seconds, -1 for ever; nil: the container's own
}

// Order is one acting request on its way: it tells whether the engine has taken
// the request, which decides what becomes of it when we leave. The zero value is
// ready; one Order is for one request.
type Order struct {
	mu      sync.Mutex
	conn    net.Conn
	written bool
}

// TakesStopSignal reports whether the engine's stop takes a signal (API 1.42).
func (e *Engine) TakesStopSignal(ctx context.Context) (bool, error) {
	if err := e.api.negotiate(ctx); err != nil {
		return false, err
	}
	return e.takesStopSignal(), nil
}

func (e *Engine) takesStopSignal() bool {
	var major, minor int
	n, _ := fmt.Sscanf(e.api.version(), "%d.%d", &major, &minor)
	return n == 2 && (major > 1 || minor >= 42)
}

// Stop asks the engine to stop a container (its full id) and returns when the
// engine says that it has, which also holds for one that was not running.
func (e *Engine) Stop(ctx context.Context, id string, opt StopOptions, o *Order) error {
	if err := e.api.negotiate(ctx); err != nil {
		return err
	}
	name := ""
	if opt.Signal != 0 {
		if !e.takesStopSignal() {
			return ErrNoStopSignal
		}
		name = evidence.SignalName(opt.Signal)
	}
	return e.api.stop(o.traced(ctx), id, name, opt.Timeout)
}

// Kill sends a signal to the container's init, as `docker kill -s` does.
func (e *Engine) Kill(ctx context.Context, id string, sig int, o *Order) error {
	if err := e.api.negotiate(ctx); err != nil {
		return err
	}
	return e.api.kill(o.traced(ctx), id, evidence.SignalName(sig))
}

// traced lets o see the connection that carries the request.
func (o *Order) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.conn, o.written = c.Conn, false
		},
		WroteRequest: func(w httptrace.WroteRequestInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.written = w.Err == nil
		},
	})
}

// Taken reports whether the engine has read the request. A socket's queue says so
// for certain; nil where the engine is behind a network and it cannot be told. It
// is to be asked before the request's context ends.
func (o *Order) Taken() *bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.written
	if !taken {
		return &taken
	}
	u, ok := o.conn.(*net.UnixConn)
	if !ok {
		return nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil
	}
	var unread int
	if cerr := raw.Control(func(fd uintptr) { unread, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); cerr != nil || err != nil {
		return nil // closed by now
	}
	taken = unread == 0
	return &taken
}

// File is the request's connection once more: as long as somebody has it open, the
// engine does not see us leave. nil where there is none.
func (o *Order) File() *os.File {
	o.mu.Lock()
	defer o.mu.Unlock()
	conn := o.conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = t.NetConn()
	}
	c, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		return nil
	}
	f, err := c.File()
	if err != nil {
		return nil
	}
	return f
}

// KillsWhenLeft reports whether an engine of this version sends SIGKILL at once
// when the client of a stop goes away: 23.0.0 to 23.0.7 and 24.0.0 to 24.0.2 (moby
// commit fc94ed0a86 ended it).
func KillsWhenLeft(version string) bool {
	return catalog.DefectOf(catalog.KillsWhenLeft, version) != nil
}

// State is what the engine holds of a container after it was acted on.
type State struct {
	Gone      bool // the engine does not know it (any more)
	Status    string
	PID       int
	ExitCode  *int // of the last run, nil while it runs
	StartedAt *time.Time
}

// State asks for the state of a container (its full id), under the deadline of one
// call.
func (e *Engine) State(ctx context.Context, id string) (State, error) {
	c, err := e.inspect(ctx, chosen{listed: listed{id: id}})
	switch {
	case errors.Is(err, errNoSuchContainer):
		return State{Gone: true}, nil
	case err != nil:
		return State{}, err
	}
	if c.PID != 0 {
		addRecord(c, e.recordOf(ctx, id)) // by our own numbers
	}
	return State{Status: c.Status, PID: c.PID, ExitCode: c.ExitCode, StartedAt: c.StartedAt}, nil
}

// Refusal is the engine's own message out of a failed call, without the client's
// words before it.
func Refusal(err error) string {
	return oneLine(strings.TrimPrefix(err.Error(), "Error response from daemon: "))
}
