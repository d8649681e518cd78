package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// ruleMemory: nothing in it goes on before it gets memory.
func (c *inspection) ruleMemory(o *outlook) []Finding {
	m := c.t.Memory
	switch {
	case m == nil:
		return nil
	case on(m.OOMKillDisable) && on(m.UnderOOM):
		return []Finding{c.findUnderOOM(m)}
	case m.High != nil && m.Usage != nil && *m.Usage >= *m.High:
		return []Finding{c.findThrottled(m)}
	}
	return nil
}

func on(b *bool) bool { return b != nil && *b }

// findUnderOOM: v1 with oom_kill_disable. Whoever touches a new page waits, killably
// (mm/memcontrol-v1.c mem_cgroup_oom_synchronize), so that SIGKILL works and no
// handler does.
func (c *inspection) findUnderOOM(m *evidence.Memory) Finding {
	f := newFinding("WS216", c.root)
	file := "/sys/fs/cgroup/memory" + m.Path + "/memory.oom_control"
	f.Summary = "its memory is used up and the OOM killer is disabled: who needs a page sleeps until some is freed, and no handler runs in that sleep. SIGKILL ends it"
	f.Evidence = append(f.Evidence, Evidence{Source: "memory.oom_control", Field: "oom_kill_disable 1,", Value: "under_oom 1", Says: "tasks of it wait for memory"})
	f.Evidence = append(f.Evidence, usageFact(m)...)
	f.Evidence = append(f.Evidence, c.memoryWaiters()...)
	if m.Limit != nil {
		more := *m.Limit + max(*m.Limit/2, 64<<20)
		if cmd := command(fmt.Sprintf("docker update --memory %d --memory-swap %d %%s", more, more), c.displayName()); cmd != "" && c.t.Kind == evidence.KindContainer {
			f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "give it more memory: it goes on at once, and can then stop in order", Command: cmd, Risk: text("it may use that up as well")})
		}
	}
	if cmd := command("echo 0 | sudo tee %s", file); cmd != "" && m.Path != "" {
		f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "or let the OOM killer do its work", Command: cmd, Risk: text("it kills a process of this container, unheard")})
	}
	f.Fixes = append(f.Fixes, Fix{When: FixRun, Text: "without --oom-kill-disable, or with a limit that suffices"})
	return f
}

// findThrottled: above memory.high each allocation sleeps for up to two seconds on
// its way back to user space (mm/memcontrol.c mem_cgroup_handle_over_high).
func (c *inspection) findThrottled(m *evidence.Memory) Finding {
	f := newFinding("WS217", c.root)
	f.Summary = "it is above its memory.high: every allocation is slowed down, so that a handler may take longer than the timeout"
	f.Evidence = append(f.Evidence, Evidence{Source: "memory.high", Field: "bytes", Value: fmt.Sprint(*m.High), Says: "from here on it is slowed down"})
	f.Evidence = append(f.Evidence, usageFact(m)...)
	if m.Highs != nil {
		f.Evidence = append(f.Evidence, Evidence{Source: "memory.events", Field: "high", Value: fmt.Sprint(*m.Highs), Says: "times that it was over"})
	}
	if p, ok := c.t.Pressure["memory"]; ok {
		f.Evidence = append(f.Evidence, pressureFact("memory.pressure", p))
	}
	f.Evidence = append(f.Evidence, c.memoryWaiters()...)
	if cmd := command("echo max | sudo tee /sys/fs/cgroup%s/memory.high", m.Path); cmd != "" && m.Path != "" {
		f.Fixes = append(f.Fixes, Fix{When: FixNow, Text: "lift it: the container goes on at full speed", Command: cmd, Risk: text("it may use more memory than the host can spare")})
	}
	return f
}

func usageFact(m *evidence.Memory) []Evidence {
	if m.Usage == nil {
		return nil
	}
	says := "bytes in use"
	if m.Limit != nil {
		says += fmt.Sprintf(", of %d", *m.Limit)
	}
	return []Evidence{{Source: "memory cgroup", Field: "usage", Value: fmt.Sprint(*m.Usage), Says: says}}
}

// memoryWaiters are the first tasks that wait for memory.
func (c *inspection) memoryWaiters() []Evidence {
	var out []Evidence
	for i := range c.t.Processes {
		p := &c.t.Processes[i]
		for j := range p.Tasks {
			t := &p.Tasks[j]
			w := catalog.LookupWait(t.Stack, wchan(t))
			if t.State == "D" && w != nil && w.Topic == "memory" && len(out) < 3 {
				out = append(out, Evidence{Source: fmt.Sprintf("/proc/%d/task/%d/wchan", p.PID, t.TID), Field: "function", Value: wchan(t), Says: name(p) + " waits for memory"})
			}
		}
	}
	return out
}

func pressureFact(source string, p evidence.Pressure) Evidence {
	return Evidence{Source: source, Field: "some, full avg10", Value: fmt.Sprintf("%.0f%%, %.0f%%", p.Some10, p.Full10), Says: "of the last 10 s in which some task, or all of them, waited"}
}

// findSlowHost explains late stops without accusing anybody: the host lacks CPU,
// disk or memory for all that it runs.
func findSlowHost(l *evidence.Load) (Finding, bool) {
	if l == nil {
		return Finding{}, false
	}
	slow := catalog.Slow(l)
	if len(slow) == 0 {
		return Finding{}, false
	}
	f := newFinding("WS218", nil)
	words := map[string]string{"cpu": "processors", "io": "disks", "memory": "memory"}
	var lacks []string
	for _, r := range slow {
		lacks = append(lacks, words[r])
	}
	f.Summary = fmt.Sprintf("everything on this host is late for lack of %s: a stop may take longer than told, and a handler that is quick else may not be done in time", strings.Join(lacks, " and "))
	if len(l.Averages) > 0 {
		f.Evidence = append(f.Evidence, Evidence{Source: "/proc/loadavg", Field: "load", Value: fmt.Sprintf("%.1f on %d CPUs", l.Averages[0], l.CPUs), Says: "tasks that run, want to run or are in D, over a minute"})
		if float64(l.Running) > l.Averages[0] {
			f.Evidence = append(f.Evidence, Evidence{Source: "/proc/loadavg", Field: "running", Value: fmt.Sprint(l.Running), Says: "tasks that run or want to, at this moment"})
		}
	}
	for _, r := range slow {
		if p, ok := l.Pressure[r]; ok {
			f.Evidence = append(f.Evidence, pressureFact("/proc/pressure/"+r, p))
		}
	}
	f.Evidence = append(f.Evidence, blockedFacts(l.Blocked)...)
	f.Fixes = append(f.Fixes, Fix{When: FixHost, Text: "see who takes it, and give the stop more time meanwhile (docker stop -t 60 NAME)", Command: "top -b -n 1 | head -n 20"})
	return f, true
}

// blockedFacts are the tasks in D by cause, the most frequent first.
func blockedFacts(b *evidence.Blocked) []Evidence {
	if b == nil || b.Tasks == 0 {
		return nil
	}
	by := map[string]int{}
	for w, n := range b.ByWait {
		cause := "in " + bounded(w, 40)
		if row := catalog.LookupWait(nil, catalog.TrimSuffix(w)); row != nil {
			cause = row.Cause
		} else if w == "" {
			cause = "in what is not told"
		}
		by[cause] += n
	}
	causes := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(by[b]-by[a], cmp.Compare(a, b))
	})
	says := "tasks of the host in uninterruptible sleep"
	for i, cause := range causes {
		if i == 4 {
			break
		}
		says += fmt.Sprintf("; %d: %s", by[cause], cause)
	}
	value := fmt.Sprint(b.Tasks)
	if !b.Whole {
		value += " or more"
	}
	return []Evidence{{Source: "/proc/*/stat", Field: "state D", Value: value, Says: says}}
}
