package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// Runner makes, starts and removes containers. It is a type of its own so that
// who has an Engine to look with cannot act by mistake.
//
// Every call has a deadline. One that changes something is not cut off at once
// when its context ends: an engine carries out what it was asked also when
// nobody waits for the answer any more, so the answer is waited for a little.
type Runner struct{ e *Engine }

// Runner gives the means to act on this engine.
func (e *Engine) Runner() *Runner { return &Runner{e} }

// ErrNoSuchImage is wrapped by Create's error for an image that is not there.
var ErrNoSuchImage = errors.New("no such image")

const (
	// changing bounds a call that changes something. An engine that unpacks or
	// that runs twenty at once takes seconds.
	changing = time.Minute
	// removing bounds the removal: docker gives up on a kill by itself after 10 s.
	removing = 30 * time.Second
	// removingLate is for somebody who has pressed Ctrl-C and waits.
	removingLate = 12 * time.Second
	// patience is how long the answer to a change is waited for when the context
	// has ended.
	patience = 3 * time.Second
)

// detached is a context for a call that changes something: it outlives ctx by
// patience, and is bounded by limit.
func detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(patience):
			cancel()
		case <-long.Done():
		}
	})
	return long, func() { stop(); cancel() }
}

// Create makes a container and gives its id. After an error other than
// ErrNoSuchImage there may be one all the same: Remove it by its name.
func (r *Runner) Create(ctx context.Context, name string, s *Spec) (string, error) {
	m, err := s.make()
	if err != nil {
		return "", usage(err.Error(), err)
	}
	if engine, _ := r.e.conn.server(); engine == "podman" && m.config.StopTimeout == nil {
		usual := 10 // as podman run has it: Podman's Docker API makes 0 of none, which tries no stop signal
		m.config.StopTimeout = &usual
	}
	ctx, cancel := detached(ctx, changing)
	defer cancel()
	id, err := r.e.api.create(ctx, name, m)
	return id, r.said(err)
}

// Start starts it.
func (r *Runner) Start(ctx context.Context, id string) error {
	ctx, cancel := detached(ctx, changing)
	defer cancel()
	return r.said(r.e.api.start(ctx, id))
}

// said puts an engine that does not answer in this package's own words.
func (r *Runner) said(err error) error {
	if err == nil || errors.Is(err, ErrNoSuchImage) {
		return err
	}
	if trouble := r.e.conn.whatIsWrong(err); trouble != "" {
		r.e.setTrouble(trouble)
		return r.e.unreachable(err, "")
	}
	return err
}

// Remove kills and removes a container with its anonymous volumes, by its id or
// its name, and returns when it is gone: ErrNoSuchContainer where there was none.
// It goes on when ctx has been cancelled, but then not for long.
func (r *Runner) Remove(ctx context.Context, id string) error {
	limit := removing
	if ctx.Err() != nil {
		limit = removingLate
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for {
		gone, err := r.e.api.remove(ctx, id)
		switch {
		case gone:
			return ErrNoSuchContainer
		case err == nil:
			return nil
		case !errors.Is(err, errRemoving):
			return r.said(err)
		}
		select {
		case <-ctx.Done():
			return r.said(ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// State is what the engine says of a container now. Health is its healthcheck's
// word, "" without one.
func (r *Runner) State(ctx context.Context, id string) (*evidence.Container, error) {
	c, err := r.e.inspect(ctx, chosen{listed: listed{id: id}})
	if errors.Is(err, errNoSuchContainer) {
		return nil, ErrNoSuchContainer
	}
	return c, err
}

// ErrNoSuchContainer is for a container that is not there, or no longer.
var ErrNoSuchContainer = errors.New("no such container")

// LogTail is the end of the container's log: at most so many lines and bytes.
func (r *Runner) LogTail(ctx context.Context, id string, tty bool, lines, bytes int) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*r.e.opt.CallTimeout)
	defer cancel()
	body, err := r.e.api.logs(ctx, id, lines, false)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return lastLines(logText(body, tty), lines, bytes)
}

// FollowLog hands each line of the log to f, from the first on, until f says
// true, the log ends or ctx does. Long lines come in pieces. found tells whether
// f said true.
func (r *Runner) FollowLog(ctx context.Context, id string, tty bool, f func(line []byte) bool) (found bool, err error) {
	body, err := r.e.api.logs(ctx, id, -1, true)
	if err != nil {
		return false, err
	}
	defer body.Close()
	err = eachLine(logText(body, tty), func(line []byte) bool { found = f(line); return !found })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return found, err
}

// Exec starts a command in the container, with no streams attached.
func (r *Runner) Exec(ctx context.Context, id string, argv, env []string) (execID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*r.e.opt.CallTimeout)
	defer cancel()
	return r.e.api.exec(ctx, id, argv, env)
}

// ExecEnded is the exit code of a command that Exec started, nil while it runs.
func (r *Runner) ExecEnded(ctx context.Context, execID string) (*int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*r.e.opt.CallTimeout)
	defer cancel()
	return r.e.api.execEnded(ctx, execID)
}

// Commands lists the command lines that run in a container, as the engine's host
// sees them: for an engine whose /proc is not ours.
func (r *Runner) Commands(ctx context.Context, id string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*r.e.opt.CallTimeout)
	defer cancel()
	return r.e.api.top(ctx, id)
}

// HasImage tells whether the engine has an image.
func (r *Runner) HasImage(ctx context.Context, ref string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*r.e.opt.CallTimeout)
	defer cancel()
	has, err := r.e.api.hasImage(ctx, ref)
	return has, r.said(err)
}

// Pull fetches an image with the credentials of `docker login`. It may take as long
// as it does, as docker pull may: only ctx ends it.
func (r *Runner) Pull(ctx context.Context, ref, platform string) error {
	auth, err := registryAuth(ctx, r.e.opt, ref)
	if err != nil {
		return fmt.Errorf("reading the credentials for %s: %w", ref, err)
	}
	return r.e.api.pull(ctx, ref, platform, auth)
}

// Labelled is one container that carries a label.
type Labelled struct {
	ID, Name, Image, Status string
	Label                   string // the label's value
}

// Labelled lists the containers with a label, stopped ones too.
func (r *Runner) Labelled(ctx context.Context, label string) ([]Labelled, error) {
	list, err := r.e.asked(ctx, func(ctx context.Context) ([]listed, error) { return r.e.api.labelled(ctx, label) })
	if err != nil {
		return nil, r.e.unreachable(err, "")
	}
	out := make([]Labelled, 0, len(list))
	for _, l := range list {
		out = append(out, Labelled{ID: l.id, Name: primaryName(l.names), Image: l.image, Status: l.status, Label: l.labels[label]})
	}
	return out, nil
}
