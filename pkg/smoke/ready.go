package smoke

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe"
)

// Ready says when a container is ready to be tried. Where several are asked for,
// all have to hold. Where none is, the healthcheck decides, and without one that
// its processes have settled.
type Ready struct {
	Log     *regexp.Regexp // a line of the log
	Port    int            // a TCP listener
	Cmd     string         // a command in the container, as HEALTHCHECK takes it
	After   time.Duration
	Settle  time.Duration // how long nothing may change; 0: one second
	Timeout time.Duration // over all of it; 0: one minute
}

const (
	defaultSettle  = time.Second
	defaultTimeout = time.Minute
)

func (r Ready) settle() time.Duration  { return orDefault(r.Settle, defaultSettle) }
func (r Ready) timeout() time.Duration { return orDefault(r.Timeout, defaultTimeout) }

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// moment is what is known of the container at one turn of the wait.
type moment struct {
	at      time.Time
	lived   time.Duration
	members []probe.Member // empty where its processes are elsewhere
	state   *evidence.Container
}

// condition is one thing that has to come true.
type condition interface {
	by() string // as the report names it
	met(ctx context.Context, m *moment) (bool, error)
	stop()
}

// Turns of the wait: looking at /proc costs microseconds, asking the engine
// milliseconds of its time.
const (
	turn    = 50 * time.Millisecond
	askTurn = 250 * time.Millisecond
)

// errEnded: the container ended while it was waited for.
var errEnded = errors.New("the container has ended")

// becomeReady waits for the container and writes down how that went. false: there
// is nothing to be judged.
func (r *run) becomeReady(ctx context.Context) bool {
	r.say("waiting")
	wait, cancel := context.WithTimeout(ctx, r.Ready.timeout())
	defer cancel()
	by, err := r.await(wait)
	lived := r.Now().Sub(r.started).Seconds()
	r.out.Container.Startup = &diagnose.Startup{Ready: err == nil, By: by, AfterSeconds: &lived, Log: []string{}}
	switch {
	case err == nil:
		return true
	case ctx.Err() != nil:
		r.out.Err = ctx.Err()
		return false
	case errors.Is(err, errEnded):
		r.fail(ctx, diagnose.DiedEarly, by)
		return false
	case wait.Err() == nil: // it cannot become ready, or that cannot be told
		r.fail(ctx, diagnose.NeverReady, by+": "+err.Error())
	default:
		r.fail(ctx, diagnose.NeverReady, fmt.Sprintf("not within %s: %s", r.Ready.timeout(), by))
	}
	return true // it runs: how it stops is worth knowing all the same
}

// await returns when all conditions hold, with their names; after an error, with
// the names of those that do not.
func (r *run) await(ctx context.Context) (by string, err error) {
	m, err := r.first(ctx)
	if err != nil {
		return "", err
	}
	open := r.conditions(ctx, m)
	all := names(open)
	defer func() {
		for _, c := range open {
			c.stop()
		}
	}()
	asked := m.at
	for {
		if open, err = r.stillOpen(ctx, open, m); err != nil || len(open) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return names(open), ctx.Err()
		case <-time.After(turn):
		}
		if err = r.next(ctx, m, &asked); err != nil {
			break
		}
	}
	if err != nil {
		return names(open), err
	}
	return all, nil
}

func names(list []condition) string {
	var words []string
	for _, c := range list {
		words = append(words, c.by())
	}
	return strings.Join(words, ", ")
}

// stillOpen are the conditions that do not hold yet. After an error, the one that
// failed comes first.
func (r *run) stillOpen(ctx context.Context, list []condition, m *moment) ([]condition, error) {
	var open []condition
	for i, c := range list {
		ok, err := c.met(ctx, m)
		switch {
		case err != nil:
			return append([]condition{c}, append(open, list[i+1:]...)...), err
		case !ok:
			open = append(open, c)
		default:
			c.stop()
		}
	}
	return open, nil
}

// first asks the engine who the container's init is, and whether that is on this
// kernel.
func (r *run) first(ctx context.Context) (*moment, error) {
	m := &moment{}
	for {
		state, err := r.runner.State(ctx, r.id)
		switch {
		case errors.Is(err, engine.ErrNoSuchContainer):
			return nil, errEnded
		case err == nil && over(state):
			return nil, errEnded
		case err == nil && state.PID > 0:
			m.state, r.pid = state, state.PID
			m.at = r.Now()
			m.members, r.here = r.prober.Census(ctx, r.pid, r.id)
			if r.here {
				return m, nil
			}
			// Elsewhere, or ended just now: then the engine will say so.
			if again, err := r.runner.State(ctx, r.id); err == nil && !over(again) && again.PID == r.pid {
				return m, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(turn):
		}
	}
}

func over(c *evidence.Container) bool {
	return c.Status == "exited" || c.Status == "dead" || c.Status == "removing" || c.Status == "created" && c.Error != ""
}

// next brings the moment up to date. An engine that does not answer in time is
// waited for: the deadline of the whole wait decides.
func (r *run) next(ctx context.Context, m *moment, asked *time.Time) error {
	m.at = r.Now()
	m.lived = m.at.Sub(r.started)
	gone := false
	if r.here {
		members, ok := r.prober.Census(ctx, r.pid, r.id)
		m.members, gone = members, !ok
	}
	if !gone && m.at.Sub(*asked) < askTurn {
		return nil
	}
	*asked = m.at
	state, err := r.runner.State(ctx, r.id)
	switch {
	case errors.Is(err, engine.ErrNoSuchContainer):
		return errEnded
	case err != nil:
		return nil
	case over(state):
		return errEnded
	}
	m.state = state
	return nil
}
