package probe

import (
	"bytes"
	"strconv"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// passMemory reads the state of the memory cgroup where a task waits for memory,
// and the pressure in the container where the host is under any.
func (l *look) passMemory() {
	if g := l.group; g.path == "" || !l.waitsForMemory() && !l.hostIsSlow() {
		return
	}
	type found struct {
		memory   *evidence.Memory
		pressure map[string]evidence.Pressure
	}
	g, lines := l.group, l.cgroups
	f, ok := once(l, l.p.cfg.ReadTimeout, func(r *reader) (f found) {
		f.memory = r.memory(r.p.sibling("memory", g.path, lines), r.p.sibling("", g.path, lines))
		if v2 := r.p.sibling("", g.path, lines); v2.path != "" {
			f.pressure = r.pressures(v2.dir+"/", ".pressure")
		}
		return f
	})
	if !ok {
		l.gap(evidence.GapTimeout, g.dir+"/"+fileMemory.name, fileMemory.matters)
		return
	}
	l.t.Memory, l.t.Pressure = f.memory, f.pressure
}

func (l *look) waitsForMemory() bool {
	for i := range l.t.Processes {
		for j := range l.t.Processes[i].Tasks {
			if t := &l.t.Processes[i].Tasks[j]; t.State == "D" {
				if w := waitOf(t); w != nil && w.Topic == "memory" {
					return true
				}
			}
		}
	}
	return false
}

// hostIsSlow reports what the survey has seen by now; it is not waited for.
func (l *look) hostIsSlow() bool {
	s := l.p.survey
	if s == nil {
		return false
	}
	select {
	case <-s.Done():
		load := s.Wait().load
		return load != nil && len(catalog.Slow(load)) > 0
	default:
		return false
	}
}

// memory reads the v1 memory controller, or else the v2 one; nil for neither.
func (r *reader) memory(v1, v2 group) *evidence.Memory {
	m := &evidence.Memory{}
	switch {
	case v1.path != "" && exists(v1.dir+"/memory.oom_control"):
		m.Path = v1.path
		m.Usage, m.Limit = r.bytes(v1.dir+"/memory.usage_in_bytes"), r.bytes(v1.dir+"/memory.limit_in_bytes")
		if data, err := r.read(v1.dir+"/memory.oom_control", 256); err == nil {
			m.OOMKillDisable, m.UnderOOM = eventFlag(data, "oom_kill_disable"), eventFlag(data, "under_oom")
		} else {
			r.miss(fileMemory, 0, v1.dir+"/memory.oom_control", err)
		}
	case v2.path != "" && exists(v2.dir+"/memory.current"):
		m.Path = v2.path
		m.Usage, m.Limit = r.bytes(v2.dir+"/memory.current"), r.bytes(v2.dir+"/memory.max")
		m.High = r.bytes(v2.dir + "/memory.high")
		if data, err := r.read(v2.dir+"/memory.events", 512); err == nil {
			m.Highs = eventCount(data, "high")
		}
	default:
		return nil
	}
	if m.Limit != nil && *m.Limit >= 1<<62 { // v1's way to say that there is none
		m.Limit = nil
	}
	return m
}

// bytes reads a number of bytes, nil for "max" and for what cannot be read.
func (r *reader) bytes(path string) *uint64 {
	data, err := r.read(path, 64)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// eventCount is one "name number" line of memory.events, nil when it is not there.
func eventCount(data []byte, name string) *uint64 {
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		if string(key) == name {
			if n, err := strconv.ParseUint(string(value), 10, 64); err == nil {
				return &n
			}
		}
	}
	return nil
}
