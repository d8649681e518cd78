package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe"
)

// conditions are those that were asked for.
func (r *run) conditions(ctx context.Context, m *moment) []condition {
	var list []condition
	w := r.Ready
	if w.Log != nil {
		list = append(list, newLogLine(ctx, r, w.Log))
	}
	if w.Port > 0 {
		list = append(list, &portOpen{r: r, port: w.Port})
	}
	if w.Cmd != "" {
		list = append(list, &cmdSucceeds{r: r, argv: Argv(w.Cmd)})
	}
	if w.After > 0 {
		list = append(list, timePassed(w.After))
	}
	switch {
	case len(list) > 0:
	case m.state.Health != "" && m.state.Health != "none":
		list = append(list, healthy{})
	case r.here:
		list = append(list, &settled{s: settling{need: w.settle()}})
	default:
		list = append(list, &settledElsewhere{r: r, s: settling{need: w.settle()}})
	}
	return list
}

// Argv is a command as HEALTHCHECK takes it: a JSON list is the arguments
// themselves, anything else is for the container's shell.
func Argv(text string) []string {
	var list []string
	if strings.HasPrefix(strings.TrimSpace(text), "[") && json.Unmarshal([]byte(text), &list) == nil && len(list) > 0 {
		return list
	}
	return []string{"/bin/sh", "-c", text}
}

// noStop is for conditions that run nothing beside the wait.
type noStop struct{}

func (noStop) stop() {}

// timePassed: --ready-after.
type timePassed time.Duration

func (t timePassed) by() string { return "time" }
func (t timePassed) stop()      {}
func (t timePassed) met(_ context.Context, m *moment) (bool, error) {
	return m.lived >= time.Duration(t), nil
}

// healthy: the container's own healthcheck.
type healthy struct{ noStop }

func (healthy) by() string { return "healthcheck" }
func (healthy) met(_ context.Context, m *moment) (bool, error) {
	if m.state.Health == "unhealthy" {
		return false, errors.New("it says unhealthy")
	}
	return m.state.Health == "healthy", nil
}

// settled: nothing changes any more.
type settled struct {
	noStop
	s settling
}

func (*settled) by() string { return "settled" }
func (c *settled) met(_ context.Context, m *moment) (bool, error) {
	return c.s.add(m.at, m.members), nil
}

// settledElsewhere is the same by the engine's own ps, which knows no signals and
// no states that are worth anything once a second.
type settledElsewhere struct {
	noStop
	r    *run
	s    settling
	last time.Time
}

func (*settledElsewhere) by() string { return "settled" }
func (c *settledElsewhere) met(ctx context.Context, m *moment) (bool, error) {
	if m.at.Sub(c.last) < askTurn {
		return false, nil
	}
	c.last = m.at
	commands, err := c.r.runner.Commands(ctx, c.r.id)
	if err != nil {
		return false, nil // it may just be ending: the state will say so
	}
	var members []probe.Member
	for _, line := range commands {
		h := fnv.New64a()
		h.Write([]byte(line))
		members = append(members, probe.Member{Comm: "?", Caught: evidence.SigSet(h.Sum64())})
	}
	return c.s.add(m.at, members), nil
}

// portOpen: --ready-port.
type portOpen struct {
	noStop
	r    *run
	port int
}

func (c *portOpen) by() string { return fmt.Sprintf("port %d", c.port) }
func (c *portOpen) met(_ context.Context, m *moment) (bool, error) {
	if !c.r.here {
		return false, errors.New("its processes are on another kernel, where no port can be looked at; use --ready-cmd or --ready-log")
	}
	network := c.r.Spec.Network
	shared := network == "host" || strings.HasPrefix(network, "container:")
	return c.r.prober.Listens(c.r.pid, c.port, m.members, shared), nil
}

// logLine: --ready-log. The log is followed beside the wait.
type logLine struct {
	seen   atomic.Bool
	cancel context.CancelFunc
	follow *beside.Task[struct{}]
}

func newLogLine(ctx context.Context, r *run, want *regexp.Regexp) *logLine {
	ctx, cancel := context.WithCancel(ctx)
	c := &logLine{cancel: cancel}
	c.follow = beside.Run(func() {
		for ctx.Err() == nil && !c.seen.Load() {
			found, _ := r.runner.FollowLog(ctx, r.id, r.Spec.Tty, want.Match)
			if found {
				c.seen.Store(true)
				return
			}
			select { // the log ended, or was cut off: the container too, or it is read again
			case <-ctx.Done():
			case <-time.After(4 * turn):
			}
		}
	})
	return c
}

func (*logLine) by() string { return "log" }
func (c *logLine) stop()    { c.cancel() }
func (c *logLine) met(context.Context, *moment) (bool, error) {
	c.follow.Raise()
	return c.seen.Load(), nil
}

// cmdSucceeds: --ready-cmd, tried again and again, one at a time.
type cmdSucceeds struct {
	noStop
	r      *run
	argv   []string
	execID string
	next   time.Time
}

func (*cmdSucceeds) by() string { return "command" }
func (c *cmdSucceeds) met(ctx context.Context, m *moment) (bool, error) {
	if m.at.Before(c.next) {
		return false, nil
	}
	c.next = m.at.Add(4 * turn)
	if c.execID == "" {
		id, err := c.r.runner.Exec(ctx, c.r.id, c.argv, nil)
		var down *engine.Error
		switch {
		case errors.As(err, &down):
			return false, err
		case err != nil:
			return false, nil // not there yet, or just ending
		}
		c.execID = id
	}
	code, err := c.r.runner.ExecEnded(ctx, c.execID)
	if err != nil || code == nil {
		return false, nil
	}
	c.execID = ""
	return *code == 0, nil
}
