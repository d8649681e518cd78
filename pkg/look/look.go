// Package look takes one look at what was asked for: names through the engine or
// its files, processes through /proc, and what lies in memory or in the kernel
// where the answer depends on it. The result is an evidence.Snapshot.
//
// It owns the order of these steps and the deadline over all of them. It is not
// for judging (diagnose), and it reads nothing itself: engine, probe, inside and
// kernel do.
package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/kernel"
	"github.com/whystuck/whystuck/pkg/probe"
	"github.com/whystuck/whystuck/pkg/probe/inside"
)

// Deadline bounds one look over everything. A sick host answers late or never; a
// late answer of ours would be one more thing that hangs.
const Deadline = 3 * time.Second

// Question is what to look at.
type Question struct {
	Query engine.Query
	// Orphans asks for what the engine has forgotten, besides Query.
	Orphans bool
	// PIDs are host PIDs whose PID namespaces are looked at, without an engine.
	PIDs []int
	// Everything: read all evidence, not only what the answer to Judge rests on. A
	// capture is judged later, with other questions.
	Everything bool
	// Judge is what the reader wants to know.
	Judge diagnose.Options
	// Engine is an open engine to ask, which stays open; nil: one is opened by
	// EngineOptions and closed again.
	Engine        *engine.Engine
	EngineOptions engine.Options
}

// AsksEngine reports whether something is asked that only an engine can find.
func (q *Question) AsksEngine() bool {
	return q.Orphans || len(q.Query.Names) > 0 || q.Query.All || q.Query.Project != "" || q.Query.Service != ""
}

// Looker is where looks are taken from: the machine's file systems, environment
// and clock.
type Looker struct {
	Version string // of the program, for the snapshot
	Getenv  func(string) string
	Now     func() time.Time
	// Proc and Sys are the roots of the kernel's file systems; "": /proc and /sys.
	Proc, Sys string
	// Seen, if not nil, is told of the snapshot before the look begins: whoever
	// reports a bug wants what had been seen by then.
	Seen func(*evidence.Snapshot)
}

// looker is one look in progress.
type looker struct {
	from   *Looker
	q      *Question
	prober *probe.Prober
	engine *engine.Engine // nil: none was asked, or none could be
	snap   *evidence.Snapshot
	// names gives the names of all containers by their ids; nil: no engine.
	names func(context.Context) map[string]string
	began time.Time

	// enginePID is the process behind the socket, which may signal containers
	// directly; 0: not known.
	enginePID    int
	wantSecurity atomic.Bool // a denial is in question
	loadKernel   sync.Once
	kernel       *kernel.Session
	mu           sync.Mutex // guards the next two
	forKernel    []*evidence.Target
	memoryRead   bool
}

// Look gathers the evidence. It always returns a snapshot: what could not be
// had is an error of a target or a gap in it.
func (a *Looker) Look(ctx context.Context, q *Question) *evidence.Snapshot {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	l := &looker{from: a, q: q, began: time.Now(), prober: probe.New(probe.Config{Proc: a.Proc, Sys: a.Sys})}
	l.snap = &evidence.Snapshot{
		Format: evidence.SnapshotFormat, Schema: evidence.SnapshotSchema,
		Version: a.Version, TakenAt: a.Now().UTC(), Host: l.prober.Host(),
		Targets: []evidence.Target{},
	}
	if a.Seen != nil {
		a.Seen(l.snap)
	}
	if q.AsksEngine() {
		l.prober.Survey(ctx) // while the engine thinks
		l.resolve(ctx)
	}
	if l.engine != nil && q.Engine == nil {
		defer func() { _ = l.engine.Close() }()
	}
	containers := len(l.snap.Targets)
	l.addPIDs(ctx)
	engineSeen := l.seeEngine(ctx)
	l.readAll(ctx, containers)
	read := time.Now()
	engineSeen()
	l.seeLogs(ctx)
	l.askAgain(ctx, read)
	l.readSecurity(ctx)
	l.askKernel(ctx)
	l.lookAround(ctx)
	catalog.Annotate(l.snap)
	l.nameSources()
	return l.snap
}

// resolve turns names into targets through the engine or its files.
func (l *looker) resolve(ctx context.Context) {
	e := l.q.Engine
	if e == nil {
		var err error
		if e, err = engine.Open(ctx, l.q.EngineOptions); err != nil {
			l.engineFailed(err)
			return
		}
	}
	l.engine, l.names = e, e.NamesByID
	ask := l.askByName
	if l.q.Orphans {
		ask = l.askForOrphans
	}
	err := ask(ctx)
	described := e.Describe()
	l.enginePID = e.PID(ctx)
	l.snap.Host.Engine = &described
	if err != nil {
		l.engineFailed(err)
	}
}

func (l *looker) askByName(ctx context.Context) error {
	targets, missing, err := l.engine.Resolve(ctx, l.q.Query)
	l.snap.Targets = append(l.snap.Targets, targets...)
	l.snap.Errors = append(l.snap.Errors, missing...)
	return err
}

func (l *looker) askForOrphans(ctx context.Context) error {
	targets, left, err := l.engine.Orphans(ctx)
	targets = slices.DeleteFunc(targets, func(t evidence.Target) bool { return l.justEnded(t.Container) })
	l.snap.Targets = append(l.snap.Targets, targets...)
	l.snap.Leftovers = left
	return err
}

// justEnded reports whether all that is left of a container that the engine has is
// the shim of an end, or of a next start, that is being handled.
func (l *looker) justEnded(k *evidence.Container) bool {
	return k.Status != "" && !slices.ContainsFunc(k.Remains, func(r evidence.Remain) bool {
		return r.Kind == "process" || r.Kind == "shim" && k.Outlived(r.StartTicks, l.snap.TakenAt, l.snap.Host.UptimeTicks)
	})
}

// engineFailed records that there was no engine to ask, once for all names.
func (l *looker) engineFailed(err error) {
	code := engine.ExitNoEngine
	var e *engine.Error
	if errors.As(err, &e) && e.ExitCode != 0 {
		code = e.ExitCode
	}
	l.snap.Errors = append(l.snap.Errors, evidence.TargetError{
		Target: strings.Join(l.q.Query.Names, " "), Message: err.Error(), ExitCode: code,
	})
}

// addPIDs looks at the --pid targets.
func (l *looker) addPIDs(ctx context.Context) {
	for _, pid := range l.q.PIDs {
		asked := fmt.Sprint(pid)
		t, err := l.prober.PID(ctx, asked, pid)
		if err != nil {
			l.snap.Errors = append(l.snap.Errors, evidence.TargetError{Target: asked, Message: err.Error(), ExitCode: engine.ExitUsage})
			continue
		}
		l.snap.Targets = append(l.snap.Targets, t)
	}
}

// lookersPerCPU lets some targets wait in a read that does not return without
// keeping the healthy ones from being looked at.
const lookersPerCPU = 4

// readAll reads each target: the first n are containers still to be probed, the
// others come probed from addPIDs.
func (l *looker) readAll(ctx context.Context, n int) {
	g := beside.NewGroup(lookersPerCPU * runtime.GOMAXPROCS(0))
	histories := beside.NewGroup(lookersPerCPU)
	past := make([]past, n)
	for i := range l.snap.Targets {
		t := &l.snap.Targets[i]
		isContainer := i < n
		if isContainer && l.remembers(t) {
			id := t.Container.ID
			histories.Go(func() { past[i].events, past[i].err = l.engine.History(ctx, id) })
		}
		g.Go(func() {
			if isContainer {
				l.seeContainer(ctx, t)
				l.seeShims(ctx, t)
				l.seeRemoval(ctx, t)
				l.prober.Senders(ctx, t, l.enginePID)
			}
			l.readMore(ctx, t)
		})
	}
	g.Wait()
	histories.Wait()
	for i := range past {
		past[i].addTo(&l.snap.Targets[i])
	}
}

// seeContainer looks at a container's processes, and once or twice more at one
// that is caught in the moment before its program is executed.
func (l *looker) seeContainer(ctx context.Context, t *evidence.Target) {
	gaps := slices.Clone(t.Gaps)
	for tries := 0; ; tries++ {
		l.prober.Container(ctx, t)
		if tries == 2 || !startsNow(t) {
			return
		}
		select {
		case <-time.After(startTakes):
		case <-ctx.Done():
			return
		}
		t.Processes, t.Gaps = []evidence.Process{}, slices.Clone(gaps)
	}
}

// startTakes is from when docker reports a container as started to when it runs
// its program, on a busy host.
const startTakes = 150 * time.Millisecond

// readMore reads what costs more than /proc, where the answer depends on it.
func (l *looker) readMore(ctx context.Context, t *evidence.Target) {
	need := diagnose.Need{Memory: true, Kernel: true, Net: true}
	if !l.q.Everything {
		// What to read depends on who the processes are. The slice is shared, so
		// the annotation lands in t.
		catalog.Annotate(&evidence.Snapshot{Host: l.snap.Host, Targets: []evidence.Target{*t}})
		need = diagnose.Needs(t, l.q.Judge)
	}
	if need.Security || l.q.Everything {
		l.wantSecurity.Store(true)
	}
	if len(t.Processes) == 0 {
		return
	}
	if need.Net {
		l.prober.Connections(ctx, t)
	}
	if l.procAlone() {
		return
	}
	if need.Kernel {
		l.wantKernel(ctx, t)
	}
	if need.Memory {
		l.readMemory(ctx, t)
		if !need.Kernel && diagnose.Needs(t, l.q.Judge).Kernel { // memory did not settle it
			l.wantKernel(ctx, t)
		}
	}
}

// wantKernel has t looked at by the BPF iterator later on. Loading takes some
// milliseconds: it goes on beside all that follows.
func (l *looker) wantKernel(ctx context.Context, t *evidence.Target) {
	l.loadKernel.Do(func() { l.kernel = kernel.Start(ctx) })
	l.mu.Lock()
	l.forKernel = append(l.forKernel, t)
	l.mu.Unlock()
}

// procAlone reports whether WHYSTUCK_SOURCES=proc asks for /proc and nothing
// else: no program's memory and no BPF. For those who may not read more, and for
// measuring what the rest adds.
func (l *looker) procAlone() bool { return l.from.Getenv("WHYSTUCK_SOURCES") == "proc" }

func (l *looker) readMemory(ctx context.Context, t *evidence.Target) {
	proc := l.from.Proc
	if proc == "" {
		proc = "/proc"
	}
	found := false
	for i := range t.Processes {
		p := &t.Processes[i]
		t.Gaps = append(t.Gaps, inside.Annotate(ctx, p, proc)...)
		found = found || p.Inside != nil || slices.ContainsFunc(p.Tasks, func(t evidence.Task) bool { return t.Awaited != nil })
	}
	l.mu.Lock()
	l.memoryRead = l.memoryRead || found
	l.mu.Unlock()
}

// askKernel adds what the BPF iterator says. It comes after the memory: both
// know awaited sets, and the kernel is the one to believe.
func (l *looker) askKernel(ctx context.Context) {
	if l.kernel == nil {
		return
	}
	defer l.kernel.Close()
	err := l.kernel.Annotate(ctx, l.forKernel)
	if err == nil {
		l.snap.Host.Sources = append(l.snap.Host.Sources, "bpf")
		l.nameHandlers(ctx)
		return
	}
	gap := evidence.Gap{Path: "bpf task iterator", Kind: kindOf(err), Matters: "which handler is installed and which signals are awaited"}
	for _, t := range l.forKernel {
		t.Gaps = append(t.Gaps, gap)
	}
}

// maxNamed bounds how many processes have their handlers named: each name is a
// search in a file of the container.
const maxNamed = 16

// nameHandlers finds the symbols of the handlers that the answer is about.
func (l *looker) nameHandlers(ctx context.Context) {
	for _, t := range l.forKernel {
		asked := diagnose.Asked(t, l.q.Judge)
		for i := range min(len(t.Processes), maxNamed) {
			for _, sig := range asked {
				t.Gaps = append(t.Gaps, l.kernel.Resolve(ctx, &t.Processes[i], sig)...)
			}
		}
	}
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return evidence.GapDenied
	case errors.Is(err, context.DeadlineExceeded):
		return evidence.GapTimeout
	}
	return evidence.GapAbsent
}

// nameSources lists what contributed, in the order of the way down.
func (l *looker) nameSources() {
	var all []string
	if l.engine != nil {
		all = append(all, l.engine.Sources()...)
	}
	host := l.snap.Host.Sources
	if l.memoryRead {
		last := len(host)
		if last > 0 && host[last-1] == "bpf" {
			last--
		}
		host = append(host[:last:last], append([]string{"memory"}, host[last:]...)...)
	}
	l.snap.Host.Sources = append(all, host...)
}
