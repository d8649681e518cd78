package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// Query says which containers are asked for: either Names, or those that the
// other fields select.
type Query struct {
	// Names as docker takes them: a name with or without its slash, a full id, a
	// prefix of one id.
	Names []string
	// All is everything but what exited with code 0: also created, paused,
	// removing, dead.
	All bool
	// Project and Service are compose's; what exited with code 0 is left out.
	Project, Service string
}

func (q Query) check() error {
	others := q.All || q.Project != "" || q.Service != ""
	switch {
	case len(q.Names) == 0 && !others:
		return usage("name a container, or give --all, --project or --service", ErrNothingAsked)
	case len(q.Names) > 0 && others:
		return usage("give either names or --all, --project, --service, not both", nil)
	}
	return nil
}

// Resolve turns a query into targets: it lists, inspects the chosen ones, and
// falls back to the engine's files. A name that cannot be resolved is a
// TargetError and does not keep the others from being resolved. The error is an
// *Error: exit code 2 for a query that makes no sense, 4 when neither the engine
// nor its files can be read.
func (e *Engine) Resolve(ctx context.Context, q Query) ([]evidence.Target, []evidence.TargetError, error) {
	if err := q.check(); err != nil {
		return nil, nil, err
	}
	early := e.inspectEarly(ctx, q)
	list, err := e.list(ctx, q)
	if err != nil {
		if list, err = e.listFiles(ctx, err); err != nil {
			return nil, nil, err
		}
		if (q.Project != "" || q.Service != "") && e.fromPodman() {
			return nil, nil, &Error{ExitCode: ExitNoEngine, Message: fmt.Sprintf(
				"Podman's service at %s does not answer, and which containers are of a project stands in its database alone: name them, or give --all", e.at.host)}
		}
	}
	s := pick(list, q)
	for i := range s.found {
		s.found[i].early = early
	}
	targets, gone := e.examine(ctx, s.found, len(q.Names) > 0)
	s.errors = append(s.errors, gone...)
	for _, asked := range s.missing {
		target, missing := e.forgotten(ctx, asked)
		if target != nil {
			targets = append(targets, *target)
		} else {
			s.errors = append(s.errors, missing)
		}
	}
	e.learnStopTimeout(ctx)
	return targets, s.errors, nil
}

// Names lists the names of the running containers, for shell completion.
func (e *Engine) Names(ctx context.Context) ([]string, error) {
	list, err := e.asked(ctx, func(ctx context.Context) ([]listed, error) { return e.api.list(ctx, true) })
	if err != nil {
		return nil, e.unreachable(err, "")
	}
	var names []string
	for _, l := range list {
		if n := primaryName(l.names); n != "" {
			names = append(names, n)
		}
	}
	return names, nil
}

// NamesByID gives the names of all containers by their ids, from the API or from
// the engine's files; empty when neither can tell.
func (e *Engine) NamesByID(ctx context.Context) map[string]string {
	list, err := e.asked(ctx, func(ctx context.Context) ([]listed, error) { return e.api.list(ctx, false) })
	if err != nil {
		list, _ = e.listFiles(ctx, err)
	}
	out := make(map[string]string, len(list))
	for _, l := range list {
		out[l.id] = primaryName(l.names)
	}
	return out
}

// list asks the API for the containers that can answer q. With several names the
// whole list is taken: in a narrowed one the prefix of two ids may look unique.
func (e *Engine) list(ctx context.Context, q Query) ([]listed, error) {
	return e.asked(ctx, func(ctx context.Context) ([]listed, error) {
		if len(q.Names) == 1 {
			list, err := e.api.listNamed(ctx, q.Names[0])
			if err != nil || len(lookup(list, q.Names[0])) > 0 {
				return list, err
			}
		}
		return e.api.list(ctx, false)
	})
}

// asked runs a listing under its deadline and notes how it went. Ping and list
// have two call deadlines between them: a loaded engine must not be taken for a
// dead one.
func (e *Engine) asked(ctx context.Context, f func(context.Context) ([]listed, error)) ([]listed, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.opt.CallTimeout)
	defer cancel()
	watch := beside.Run(func() { e.watchStopped(ctx, cancel) })
	list, err := f(ctx)
	watch.Raise()
	if err != nil {
		trouble := e.conn.whatIsWrong(err)
		if trouble == troubleForeign {
			e.conn.again()
			trouble = e.conn.whatIsWrong(err)
		}
		e.setTrouble(trouble)
		return nil, err
	}
	e.setTrouble("")
	e.used(sourceAPI)
	return list, nil
}

// watchStopped gives up on an engine that is stopped: it will not answer, and
// the time is better spent on its files.
func (e *Engine) watchStopped(ctx context.Context, giveUp func()) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if pid := e.conn.listener(); isEngine(e.opt.ProcRoot, pid) && stopped(e.opt.ProcRoot, pid) {
			giveUp()
			return
		}
	}
}

// listFiles reads the containers from the files of the engine that did not
// answer, and makes the final error when there are none to read.
func (e *Engine) listFiles(ctx context.Context, cause error) ([]listed, error) {
	trouble := e.Describe().Trouble
	if trouble == "" {
		// It did answer, with an error: the request was wrong, not the engine.
		return nil, e.unreachable(cause, "")
	}
	ctx, cancel := context.WithTimeout(ctx, filesDeadline)
	defer cancel()
	home, err := e.homeOf(ctx, thorough)
	if err != nil {
		why := ""
		if trouble == troubleTimeout && os.Geteuid() != 0 {
			why = "only root can read them"
		}
		return nil, e.unreachable(cause, why)
	}
	list, err := home.list(ctx, e.opt.ProcRoot)
	if err != nil {
		return nil, e.unreachable(cause, err.Error())
	}
	e.used(sourceFiles)
	return list, nil
}

// unreachable is the one line for an engine that cannot be used. files says why
// its files cannot either, "" when they were not tried.
func (e *Engine) unreachable(cause error, files string) *Error {
	where := e.at.host
	if e.at.from != "" {
		where += " (from " + e.at.from + ")"
	}
	var text string
	switch e.Describe().Trouble {
	case troubleDenied:
		text = fmt.Sprintf("no permission on %s: run as root (sudo) or as a member of the group that owns the socket", where)
	case troubleGone:
		text = fmt.Sprintf("no engine at %s: start it, name another with -H or -c, or judge without one: whystuck --pid PID", where)
	case troubleTimeout:
		text = fmt.Sprintf("no answer from the engine at %s within %s: it hangs or is overloaded; judge without it: whystuck --pid PID", where, 2*e.opt.CallTimeout)
	case troubleForeign:
		who := ""
		if pid := e.conn.listener(); pid != 0 {
			who = fmt.Sprintf(" (PID %d)", pid)
		}
		text = fmt.Sprintf("what listens at %s%s is no Docker engine: %s; name another with -H or -c, or judge without one: whystuck --pid PID", where, who, e.conn.manner(cause))
	case troubleRefused:
		text = e.refusal(where, cause)
	default:
		text = fmt.Sprintf("the engine at %s gives no usable answer: %s", where, oneLine(cause.Error()))
	}
	if trouble := e.Describe().Trouble; e.at.from == "" && (trouble == troubleGone || trouble == troubleRefused) {
		text += e.podmanHint()
	}
	if files != "" {
		text += " (the engine's files: " + oneLine(files) + ")"
	}
	return &Error{ExitCode: ExitNoEngine, Message: text, Err: cause}
}

func (e *Engine) refusal(where string, cause error) string {
	switch dial := e.conn.dialled(); {
	case errors.Is(dial, unix.ECONNREFUSED):
		return fmt.Sprintf("nothing answers at %s: start the engine, or judge without it: whystuck --pid PID", where)
	case dial != nil:
		return fmt.Sprintf("cannot reach the engine at %s: %s", where, oneLine(dial.Error()))
	}
	return fmt.Sprintf("what is at %s does not answer as an engine does: %s", where, oneLine(cause.Error()))
}
