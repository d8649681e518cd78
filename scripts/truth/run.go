package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/whystuck/whystuck/scripts/truth/cases"
)

// Result is one case: what was seen, what was said, what happened.
type Result struct {
	Name     string            `json:"name"`
	Group    string            `json:"group"`
	Command  string            `json:"command"`
	Problem  string            `json:"problem,omitempty"`  // the case could not be measured
	LeftOut  string            `json:"left_out,omitempty"` // what it needs is not there
	Observed *Observed         `json:"observed,omitempty"`
	Answers  map[string]Answer `json:"answers,omitempty"` // root, proc, user

	Unknowable bool   `json:"unknowable,omitempty"`
	Tree       string `json:"tree,omitempty"` // the processes as they were looked at
	// changed: the processes were others when the stop began than at the look.
	changed bool
}

// caseMax is far above what any case takes: 40 s to get ready, 8 to settle, 30 for the stop.
const caseMax = 2 * time.Minute

// runAll runs the cases, some at a time: nearly all of their time is waiting.
func (b *truthBed) runAll(ctx context.Context, chosen []cases.Case) []Result {
	results := make([]Result, len(chosen))
	slots := make(chan struct{}, b.options.parallel)
	var wg sync.WaitGroup
	for i, c := range chosen {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = b.tryCase(ctx, c)
			fmt.Fprintln(os.Stderr, results[i].line())
		})
	}
	wg.Wait()
	return results
}

// tries is how often a case is measured when the measurement itself failed: the
// container did not come up, or its processes changed between the look and the
// stop, so that the look says nothing about the stop. A wrong answer alone is
// never tried again.
const tries = 3

func (b *truthBed) tryCase(ctx context.Context, c cases.Case) (r Result) {
	for range tries {
		if r = b.runCase(ctx, c); r.LeftOut != "" || r.Observed != nil && !r.changed || ctx.Err() != nil {
			break
		}
	}
	return r
}

func (b *truthBed) runCase(ctx context.Context, c cases.Case) Result {
	ctx, cancel := context.WithTimeout(ctx, caseMax)
	defer cancel()
	r := Result{Name: c.Name, Group: c.Group, Command: oneLine(c), Unknowable: c.Unknowable}
	if r.LeftOut = b.lacks(c); r.LeftOut != "" {
		return r
	}
	defer b.remove(c)
	id, err := b.start(ctx, c)
	if err != nil {
		r.Problem = err.Error()
		if id != "" {
			r.Problem += "; its log ends: " + string(tail([]byte(b.logs(ctx, id)), 500))
		}
		return r
	}
	r.Tree = describe(id)
	before, _, _ := tree(id)
	if b.options.predict {
		r.Answers = b.ask(ctx, c, id)
	}
	after, _, _ := tree(id)
	r.changed = !c.Busy && before != after
	o := b.observe(ctx, c, id)
	r.Observed = &o
	if c.Expect != "" && c.Expect != o.Verdict {
		r.Problem = fmt.Sprintf("the guide promises %s, it was %s: exit %s, %d of %d handlers finished", c.Expect, o.Verdict, code(o.ExitCode), o.Finished, o.Handlers)
	}
	for who, a := range r.Answers {
		r.Answers[who] = a.compare(c, o)
	}
	return r
}

// lacks says what a case needs and is not there, empty when all is.
func (b *truthBed) lacks(c cases.Case) string {
	for _, path := range c.Needs {
		host := filepath.Join(b.root, path)
		if own, ok := strings.CutPrefix(path, cases.Mount); ok {
			host = filepath.Join(b.programs, own)
		}
		if _, err := os.Lstat(host); err != nil {
			return path + " is not in the root file system"
		}
	}
	return ""
}

// start runs the container and waits until it has settled.
func (b *truthBed) start(ctx context.Context, c cases.Case) (id string, err error) {
	if len(c.Beside) > 0 {
		if _, err := b.engine.Run(ctx, append([]string{"--name", c.Name + "-beside", image}, c.Beside...)...); err != nil {
			return id, err
		}
	}
	args := []string{"--name", c.Name, "-v", b.programs + ":" + cases.Mount + ":ro"}
	args = append(args, c.Options...)
	if c.HostCgroups {
		args = append(args, b.hostCgroups...)
	}
	id, err = b.engine.Run(ctx, append(append(args, image), c.Command...)...)
	if err != nil {
		return id, err
	}
	if c.Ready != "" {
		if err := b.waitLog(ctx, id, c.Ready); err != nil {
			return id, err
		}
	}
	if len(c.Exec) > 0 { // a client must not come before its server
		if err := settle(ctx, id, c.Busy); err != nil {
			return id, err
		}
	}
	for _, command := range c.Exec {
		if _, errOut, code := b.engine.Docker(ctx, append([]string{"exec", "-d", id}, command...)...); code != 0 {
			return id, fmt.Errorf("docker exec %s: %s", strings.Join(command, " "), errOut)
		}
	}
	if err := settle(ctx, id, c.Busy); err != nil {
		return id, err
	}
	if c.Pause {
		if _, errOut, code := b.engine.Docker(ctx, "pause", id); code != 0 {
			return id, fmt.Errorf("docker pause: %s", errOut)
		}
	}
	return id, nil
}

// remove clears the case away; it must also work when the context is done.
func (b *truthBed) remove(c cases.Case) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b.engine.Docker(ctx, "rm", "-f", "-v", c.Name)
	if len(c.Beside) > 0 {
		b.engine.Docker(ctx, "rm", "-f", "-v", c.Name+"-beside")
	}
}

// describeMax processes are told: more do not help the reader.
const describeMax = 8

// describe tells the processes for the reader of a miss.
func describe(id string) string {
	var lines []string
	all := members(id)
	for _, p := range all[:min(len(all), describeMax)] {
		argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", p))
		nr, _, _ := strings.Cut(strings.TrimSpace(string(call)), " ")
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		var masks []string
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "Sig") && !strings.HasPrefix(line, "SigQ") {
				masks = append(masks, strings.Join(strings.Fields(line), ""))
			}
		}
		command := strings.TrimSpace(strings.ReplaceAll(string(argv), "\x00", " "))
		lines = append(lines, fmt.Sprintf("%d %.120s [%s] syscall %s", p, command, strings.Join(masks, " "), nr))
	}
	if len(all) > describeMax {
		lines = append(lines, fmt.Sprintf("and %d more", len(all)-describeMax))
	}
	return strings.Join(lines, "\n")
}
