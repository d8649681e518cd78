package watch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whystuck/whystuck/pkg/beside"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/render"
)

// Present is what is true now.
type Present struct {
	Containers int // that run
	Stops      []Overrunning
	Open       int // stops under way
	Up         bool
	Silent     float64 // seconds
	Verdicts   []Verdict
	Scanned    time.Time // end of the latest scan; zero: none yet
}

// Overrunning is a stop that has overrun and goes on.
type Overrunning struct {
	Container, Stage string
	Seconds          float64
}

// Bounds of what containers may make us expose: a Prometheus pays for each
// series, and their names are theirs to choose.
const (
	maxSeries    = 1000
	maxOverruns  = 100
	maxLabelText = 128
)

// askWithin is how long a reader waits for the watcher's loop.
const askWithin = time.Second

// Present asks the loop for what is true now; false: it does not answer.
func (w *Watcher) Present(ctx context.Context) (Present, bool) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	answer := make(chan Present, 1)
	select {
	case w.posted <- func() { answer <- w.present() }:
	case <-ctx.Done():
		return Present{}, false
	}
	select {
	case p := <-answer:
		return p, true
	case <-ctx.Done():
		return Present{}, false
	}
}

func (w *Watcher) present() Present {
	now := w.now()
	p := Present{Containers: w.machine.Count(), Stops: w.machine.Overrunning(now), Open: w.machine.CountStopping(), Up: !w.health.failing && w.connected, Scanned: w.scan.ended}
	if s := w.silence(now); s != nil {
		p.Silent = *s
	}
	for id, v := range w.scan.verdict {
		if w.machine.Lives(id) {
			p.Verdicts = append(p.Verdicts, v)
		}
	}
	return p
}

// Overrunning lists the stops that have overrun and go on, the longest first.
func (m *Machine) Overrunning(now Moment) []Overrunning {
	var out []Overrunning
	for _, c := range m.open {
		if c.stop.told != "" {
			out = append(out, Overrunning{c.name(), c.stop.told, (now.Mono - c.stop.began.Mono).Seconds()})
		}
	}
	slices.SortFunc(out, func(a, b Overrunning) int {
		return cmp.Or(-cmp.Compare(a.Seconds, b.Seconds), cmp.Compare(a.Container, b.Container))
	})
	return out
}

// Count is how many containers run.
func (m *Machine) Count() int {
	n := 0
	for _, c := range m.known {
		if c.alive {
			n++
		}
	}
	return n
}

// label makes a text fit to be a label's value: bounded, and nothing invisible.
// Quotes and line ends are escaped by the exposition.
func label(text string) string {
	text = render.Escape(text)
	if len(text) > maxLabelText {
		text = text[:maxLabelText]
	}
	return strings.ToValidUTF8(text, "")
}

// collector gives what is true now, as gauges. Series of containers that are
// gone are not there any more.
type collector struct {
	ask func(context.Context) (Present, bool)
}

var (
	descContainers  = desc("containers", "Containers that run.")
	descOpen        = desc("stops_open", "Stops under way.")
	descOverrunning = desc("overrunning_seconds", "Seconds since the signal, of stops that have overrun and go on.", "container", "stage")
	descUp          = desc("engine_up", "1: the engine answers and its events are followed.")
	descSilent      = desc("engine_silent_seconds", "For how long the engine has not answered.")
	descVerdict     = desc("container_verdict", "What docker stop would come to, as the latest scan judged; 1 for the verdict that it has.", "container", "image", "verdict")
	descDTasks      = desc("container_d_tasks", "Tasks in uninterruptible sleep (D), as the latest scan saw.", "container")
	descScanned     = desc("scan_timestamp_seconds", "When the latest scan ended that missed no container.")
	descLeftOut     = desc("containers_left_out", "Containers with a verdict that are left out for their number, the good ones first.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("whystuck_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descContainers, descOpen, descOverrunning, descUp, descSilent, descVerdict, descDTasks, descScanned, descLeftOut} {
		to <- d
	}
}

// Collect implements prometheus.Collector. The registry calls it in a goroutine of
// its own, and a text that the client library refuses is a panic there.
func (c collector) Collect(to chan<- prometheus.Metric) {
	if bug := beside.Catch(func() { c.collect(to) }); bug != nil {
		to <- prometheus.NewInvalidMetric(descUp, bug)
	}
}

func (c collector) collect(to chan<- prometheus.Metric) {
	p, ok := c.ask(context.Background())
	if !ok {
		return // whoever reads sees that the series are missing
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descContainers, float64(p.Containers))
	gauge(descOpen, float64(p.Open))
	gauge(descUp, oneIf(p.Up))
	gauge(descSilent, p.Silent)
	once := map[string]bool{}
	for _, s := range p.Stops[:min(len(p.Stops), maxOverruns)] {
		if name := label(s.Container); !once[name] {
			once[name] = true
			gauge(descOverrunning, s.Seconds, name, s.Stage)
		}
	}
	if !p.Scanned.IsZero() {
		gauge(descScanned, float64(p.Scanned.UnixMilli())/1000)
	}
	c.verdicts(p.Verdicts, gauge)
}

func (c collector) verdicts(all []Verdict, gauge func(*prometheus.Desc, float64, ...string)) {
	slices.SortFunc(all, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(diagnose.Rank(a.Verdict), diagnose.Rank(b.Verdict)), -cmp.Compare(a.DTasks, b.DTasks), cmp.Compare(a.name(), b.name()))
	})
	once := map[string]bool{}
	for _, v := range all {
		name := label(v.name())
		if len(once) == maxSeries || once[name] {
			continue
		}
		once[name] = true
		gauge(descVerdict, 1, name, label(v.Image), string(v.Verdict))
		gauge(descDTasks, float64(v.DTasks), name)
	}
	gauge(descLeftOut, float64(len(all)-len(once)))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
