package engine

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// inspectors is how many containers are inspected at a time.
const inspectors = 16

// examine makes the targets of the chosen containers, in their order. One that
// went away since the list is an error where it was asked for by name, and else
// left out.
func (e *Engine) examine(ctx context.Context, found []chosen, named bool) ([]evidence.Target, []evidence.TargetError) {
	results := make([]*evidence.Target, len(found))
	var next, hung atomic.Int64
	var all beside.Group
	for range min(inspectors, len(found)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(found); i = int(next.Add(1)) - 1 {
				results[i] = e.examineOne(ctx, found[i], &hung)
			}
		})
	}
	all.Wait()
	var targets []evidence.Target
	var gone []evidence.TargetError
	for i, t := range results {
		switch {
		case t != nil:
			targets = append(targets, *t)
		case named:
			gone = append(gone, noSuch(found[i].asked))
		}
	}
	return targets, gone
}

// examineOne is nil for a container that is gone. hung counts the inspects that
// had no answer: when all inspectors met that, the engine is sick as a whole
// (containerd stopped), and the rest is not asked one deadline after another.
func (e *Engine) examineOne(ctx context.Context, c chosen, hung *atomic.Int64) *evidence.Target {
	t := &evidence.Target{Asked: c.asked, Kind: evidence.KindContainer, Processes: []evidence.Process{}}
	// The runtime's record is read beside the API call, which takes longer.
	recorded := beside.Start(func() runtimeState { return e.recordOf(ctx, c.id) })
	switch {
	case c.known != nil:
		t.Container = c.known
		if e.fromPodman() {
			t.Gaps = append(t.Gaps, podmanGap)
		}
	case hung.Load() >= inspectors:
		t.Container = e.withoutInspect(ctx, c, context.DeadlineExceeded, t)
	default:
		container, err := e.inspectOrTake(ctx, c)
		switch {
		case errors.Is(err, errNoSuchContainer):
			return nil
		case err != nil:
			if errors.Is(err, context.DeadlineExceeded) {
				hung.Add(1)
			}
			container = e.withoutInspect(ctx, c, err, t)
		}
		t.Container = container
	}
	record := recorded.Wait()
	addRecord(t.Container, record)
	if t.Container.RuntimeLeft {
		t.Container.Remains = e.remainsOf(ctx, c.id, record)
	}
	if record.kept {
		// Nothing else may prove that the container is of this kernel once its
		// process is gone: its cgroup and the runtime's record go with it.
		t.Identity = &evidence.Identity{Here: true}
	}
	t.PID = t.Container.PID
	return t
}

// inspected is the answer to an inspect.
type inspected struct {
	container *evidence.Container
	err       error
}

// inspectEarly asks for the one container that is named, beside the list, which then
// says which one is meant. It asks nothing that would not be asked afterwards, and
// saves the time of a call. nil where it cannot be told what to ask for.
func (e *Engine) inspectEarly(ctx context.Context, q Query) *beside.Task[inspected] {
	if len(q.Names) != 1 || !isPlainName(q.Names[0]) {
		return nil
	}
	return beside.Start(func() (i inspected) {
		if i.err = e.api.negotiate(ctx); i.err == nil {
			i.container, i.err = e.inspectNamed(ctx, q.Names[0])
		}
		return i
	})
}

// isPlainName reports whether a name is one that a container can have, or an id.
func isPlainName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == "" && name[0] != '.'
}

// inspectOrTake gives what was asked for early where it is of this container, or
// where the engine gave no answer in time; else it asks.
func (e *Engine) inspectOrTake(ctx context.Context, c chosen) (*evidence.Container, error) {
	if c.early != nil {
		i := c.early.Wait()
		if i.err == nil && i.container.ID == c.id {
			fromList(i.container, c.listed)
			return i.container, nil
		}
		if errors.Is(i.err, context.DeadlineExceeded) {
			return nil, i.err
		}
	}
	return e.inspect(ctx, c)
}

// inspect asks the engine for one container of its list.
func (e *Engine) inspect(ctx context.Context, c chosen) (*evidence.Container, error) {
	container, err := e.inspectNamed(ctx, c.id)
	if err == nil {
		fromList(container, c.listed)
	}
	return container, err
}

// inspectNamed asks the engine for one container by a name or id.
func (e *Engine) inspectNamed(ctx context.Context, name string) (*evidence.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opt.CallTimeout)
	defer cancel()
	raw, err := e.api.inspect(ctx, name)
	if err != nil {
		return nil, err
	}
	var d document
	if err := decode(raw, &d); err != nil {
		return nil, err
	}
	container := d.container()
	container.Source, container.Inspected = sourceAPI, true
	return container, nil
}

// fromList fills what only the list has said.
func fromList(c *evidence.Container, l listed) {
	c.ID = l.id
	if c.Name == "" {
		c.Name = primaryName(l.names)
	}
	if c.Image == "" {
		c.Image = clip(l.image, maxText)
	}
	if c.Status == "" {
		c.Status = clip(l.status, 64)
	}
	if c.Project == "" && c.Service == "" {
		c.Project, c.Service = clip(l.labels[labelProject], maxText), clip(l.labels[labelService], maxText)
	}
}

// withoutInspect is what can be said of a container whose inspect failed: what
// the list says, completed from the engine's own files. Inspect takes the
// container's lock, which is held during a hung call to the shim, a start that
// hangs and the handling of the exit; the list does not (moby daemon/list.go).
func (e *Engine) withoutInspect(ctx context.Context, c chosen, cause error, t *evidence.Target) *evidence.Container {
	trouble, kind := "error", evidence.GapAbsent
	if errors.Is(cause, context.DeadlineExceeded) {
		trouble, kind = evidence.GapTimeout, evidence.GapTimeout
	}
	matters := "the stop signal, the stop timeout and the PID of the container"
	container := &evidence.Container{Status: clip(c.status, 64), Source: sourceAPI}
	if filed := e.fileOf(ctx, c.id); filed != nil {
		// The list is newer: it is in the engine's memory.
		filed.Status = container.Status
		container = filed
		matters = "whether the configuration, which was read from the engine's files, is current"
		if e.fromPodman() {
			t.Gaps = append(t.Gaps, podmanGap)
		}
	}
	container.InspectTrouble = trouble
	fromList(container, c.listed)
	t.Gaps = append(t.Gaps, evidence.Gap{Path: "docker inspect " + shortID(c.id), Kind: kind, Matters: matters})
	return container
}

// addRecord takes the runtime's record where it is of this container's run. The
// engine's files have no PID in the moments between the runtime's start and the
// engine's note of it, which may be long when the engine hangs there.
func addRecord(c *evidence.Container, r runtimeState) {
	if c.PID == 0 && !c.Inspected && c.Status != "exited" && c.Status != "dead" {
		c.PID = r.PID
	}
	c.BundleGone = r.lost && (c.Status == "running" || c.Status == "paused")
	c.RuntimeLeft = r.PID != 0 && (c.Status == "exited" || c.Status == "dead")
	if r.PID != 0 && c.PID == r.PID {
		c.PID, c.RuntimeStart = r.here(), r.Start
	}
	c.Cgroup = r.cgroup
}

// oneLine makes a message that came from elsewhere fit for one line.
func oneLine(text string) string {
	return clip(strings.Join(strings.Fields(text), " "), 512)
}
