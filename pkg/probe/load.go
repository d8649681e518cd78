package probe

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// resources are those of pressure stall information.
var resources = []string{"cpu", "io", "memory"}

// crewTime bounds the count of the tasks in D.
const crewTime = 32 * time.Millisecond

// Load is how busy the host was when the survey was taken, nil without one. Where
// everything waits for disks or memory, the tasks in uninterruptible sleep are
// counted too; those who wait for a CPU are none of them, and the count would take
// from what is scarce.
func (p *Prober) Load(ctx context.Context) *evidence.Load {
	if p.survey == nil {
		return nil
	}
	select {
	case <-p.survey.Done():
	case <-ctx.Done():
		return nil
	}
	l := p.survey.Wait().load
	if l == nil || l.Blocked != nil || !slices.ContainsFunc(catalog.Slow(l), func(what string) bool { return what != "cpu" }) {
		return l
	}
	until := time.Now().Add(crewTime)
	b, ok := runBatch(ctx, 1, p.cfg.ReadTimeout, func(int) *evidence.Blocked {
		r := p.newReader()
		defer r.close()
		return r.crew(nil, until, false).blocked()
	}).result(0)
	if ok {
		copied := *l
		copied.Blocked = b
		return &copied
	}
	return l
}

// load reads /proc/loadavg and /proc/pressure.
func (r *reader) load() *evidence.Load {
	l := &evidence.Load{CPUs: runtime.NumCPU(), Pressure: r.pressures(r.p.cfg.Proc+"/pressure/", "")}
	if data, err := r.read(r.p.cfg.Proc+"/loadavg", 128); err == nil {
		l.Averages, l.Running = parseLoadavg(data), parseRunning(data)
	}
	return l
}

// parseLoadavg reads the three averages, nil when they are not there.
func parseLoadavg(data []byte) []float64 {
	f := bytes.Fields(data)
	if len(f) < 3 {
		return nil
	}
	var out []float64
	for _, word := range f[:3] {
		v, err := strconv.ParseFloat(string(word), 64)
		if err != nil || !(v >= 0) || v > 1e6 {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// parseRunning reads the running tasks of "0.1 0.2 0.3 15/638 19083", 0 when they are
// not there.
func parseRunning(data []byte) int {
	f := bytes.Fields(data)
	if len(f) < 4 {
		return 0
	}
	running, _, _ := bytes.Cut(f[3], []byte("/"))
	n, err := strconv.Atoi(string(running))
	if err != nil || n < 0 || n > 1e6 {
		return 0
	}
	return n
}

// pressures reads the pressure files of the host, or of a cgroup of v2, where they
// end in .pressure.
func (r *reader) pressures(dir, suffix string) map[string]evidence.Pressure {
	var out map[string]evidence.Pressure
	for _, name := range resources {
		data, err := r.read(dir+name+suffix, 512)
		if err != nil {
			continue // a kernel without PSI, which is nobody's gap
		}
		if p, ok := parsePressure(data); ok {
			if out == nil {
				out = map[string]evidence.Pressure{}
			}
			out[name] = p
		}
	}
	return out
}

// parsePressure reads the lines "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and
// "full ..." (Documentation/accounting/psi.rst). cpu has no full line before 5.13.
func parsePressure(data []byte) (p evidence.Pressure, ok bool) {
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		ten, ok1 := share(f[1], "avg10=")
		sixty, ok2 := share(f[2], "avg60=")
		switch {
		case !ok1 || !ok2:
		case f[0] == "some":
			p.Some10, p.Some60, ok = ten, sixty, true
		case f[0] == "full":
			p.Full10, p.Full60 = ten, sixty
		}
	}
	return p, ok
}

func share(word, key string) (float64, bool) {
	text, ok := strings.CutPrefix(word, key)
	v, err := strconv.ParseFloat(text, 64)
	return v, ok && err == nil && v >= 0 && v <= 100
}
