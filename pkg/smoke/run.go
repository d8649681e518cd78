package smoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/probe"
	"github.com/whystuck/whystuck/pkg/stop"
)

// logBytes is what the engine keeps of the log: one that is flooded fills no disk.
const logBytes = 4 << 20

// run is one container from its creation to its removal.
type run struct {
	*Smoker
	runner *engine.Runner
	prober *probe.Prober
	image  string
	// name is chosen here: the answer to a creation may be lost, and the
	// container is to be removed all the same.
	name    string
	id      string
	unsure  bool // whether there is a container is not known
	started time.Time
	// here: its processes are on this kernel.
	here bool
	pid  int
	out  Result
}

// namePrefix begins the names of our containers.
const namePrefix = "whystuck-image-"

func newName() string { return fmt.Sprintf("%s%d-%s", namePrefix, os.Getpid(), rand.Text()[:8]) }

func (r *run) say(doing string) { r.Smoker.say(r.image, doing) }

// play is the course of a run. Each step tells whether the next has a sense.
func (r *run) play(ctx context.Context) {
	if !r.create(ctx) || !r.start(ctx) || !r.becomeReady(ctx) {
		return
	}
	r.stop(ctx)
}

func (r *run) create(ctx context.Context) bool {
	r.say("creating")
	spec := r.Spec
	spec.Image, spec.LogBytes = r.image, logBytes
	spec.Labels = map[string]string{Label: r.label()}
	if r.out.Err = ctx.Err(); r.out.Err != nil {
		return false
	}
	id, err := r.runner.Create(ctx, r.name, &spec)
	r.id = id
	if err != nil {
		r.unsure = !errors.Is(err, engine.ErrNoSuchImage)
		r.out.Err = err
		return false
	}
	return true
}

func (r *run) start(ctx context.Context) bool {
	r.say("starting")
	r.started = r.Now()
	err := r.runner.Start(ctx, r.id)
	if err == nil {
		return true
	}
	var down *engine.Error
	if errors.As(err, &down) || ctx.Err() != nil {
		r.out.Err = err
		return false
	}
	r.fail(ctx, diagnose.CannotStart, plain(err))
	return false
}

// plain is the engine's own message, without what the client says before it.
func plain(err error) string {
	text := err.Error()
	if _, said, ok := strings.Cut(text, "Error response from daemon: "); ok {
		text = said
	}
	return strings.Join(strings.Fields(text), " ")
}

// fail notes that the container did not get as far as being judged.
func (r *run) fail(ctx context.Context, how diagnose.Failing, detail string) {
	f := diagnose.StartFailure{How: how, Detail: detail}
	if c, err := r.runner.State(context.WithoutCancel(ctx), r.id); err == nil {
		f.ExitCode, f.OOMKilled = c.ExitCode, c.OOMKilled
		r.out.Container.ExitCode, r.out.Container.Status = c.ExitCode, c.Status
		if c.FinishedAt != nil && c.StartedAt != nil && how == diagnose.DiedEarly {
			lived := c.FinishedAt.Sub(*c.StartedAt).Seconds()
			f.AfterSeconds = &lived
		}
	}
	f.Log = r.logTail(ctx)
	f.AddTo(&r.out.Container)
}

// How much of a log is worth a screen.
const (
	tailLines = 12
	tailBytes = 4 << 10
)

func (r *run) logTail(ctx context.Context) []string {
	lines, err := r.runner.LogTail(context.WithoutCancel(ctx), r.id, r.Spec.Tty, tailLines, tailBytes)
	if err != nil {
		return []string{}
	}
	return lines
}

// stop judges the container as `whystuck NAME` does and stops it as `whystuck stop`.
func (r *run) stop(ctx context.Context) {
	r.say("judging")
	s := stop.Stopper{Looker: r.Look, Engine: r.Engine}
	p, err := s.Prepare(ctx, engine.Query{Names: []string{r.id}}, stop.Options{Trace: r.Trace})
	if err != nil {
		r.out.Err = err
		return
	}
	defer p.Close()
	if ctx.Err() != nil {
		r.out.Err = ctx.Err()
		return
	}
	if len(p.Report.Containers) != 1 {
		r.out.Err = lookError(p.Snapshot())
		return
	}
	if p.Report.Containers[0].Verdict == diagnose.NotRunning {
		r.fail(ctx, diagnose.DiedEarly, diagnose.DiedLater)
		return
	}
	out := r.loaded(ctx, p)
	for _, f := range out.Hold {
		_ = f.Close() // an engine that kills now kills what is to go anyway
	}
	r.out.Host = out.Report.Host.Findings
	r.take(out.Report.Containers[0], p.Snapshot())
	if ctx.Err() != nil {
		// What an interrupted stop looked like is no evidence against a forecast.
		r.out.Err, r.out.Container.Agreed = ctx.Err(), nil
	}
	diagnose.Otherwise(&r.out.Container)
}

// loaded stops it under the load, which ends whatever happens.
func (r *run) loaded(ctx context.Context, p *stop.Prepared) *stop.Result {
	done := r.load(ctx, p.Report.Containers[0].PID)
	defer done()
	r.say("stopping")
	return p.Run(ctx)
}

func lookError(s *evidence.Snapshot) error {
	var all []string
	for _, e := range s.Errors {
		all = append(all, e.Message)
	}
	if len(all) == 0 {
		return errors.New("the container could not be looked at")
	}
	return errors.New(strings.Join(all, "; "))
}

// take makes a judgement of the container one of its image.
func (r *run) take(c diagnose.Container, s *evidence.Snapshot) {
	c.Target, c.Name, c.Image = r.image, r.image, r.image
	c.Startup = r.out.Container.Startup
	c.Findings = append(r.out.Container.Findings, lasting(c.Findings)...)
	r.out.Container, r.out.Snapshot = c, s
}

// lasting leaves out what could be done about this one container: it is gone when
// the report is read.
func lasting(findings []diagnose.Finding) []diagnose.Finding {
	for i := range findings {
		kept := []diagnose.Fix{}
		for _, f := range findings[i].Fixes {
			if f.When != diagnose.FixNow {
				kept = append(kept, f)
			}
		}
		findings[i].Fixes = kept
	}
	return findings
}

// remove removes the container. One whose creation had no answer may come to be
// a moment later.
func (r *run) remove(ctx context.Context) {
	if r.id == "" && !r.unsure {
		return
	}
	err := r.runner.Remove(ctx, r.name)
	for tries := 0; r.late(ctx, err) && tries < 5; tries++ {
		time.Sleep(200 * time.Millisecond)
		err = r.runner.Remove(ctx, r.name)
	}
	if err != nil && !errors.Is(err, engine.ErrNoSuchContainer) {
		r.out.Left, r.out.LeftWhy = r.name, err
	}
}

// late reports whether a container that is not there may come yet: its creation
// was cut off, or had no answer.
func (r *run) late(ctx context.Context, err error) bool {
	var down *engine.Error
	return r.unsure && errors.Is(err, engine.ErrNoSuchContainer) && (ctx.Err() != nil || errors.As(r.out.Err, &down))
}
