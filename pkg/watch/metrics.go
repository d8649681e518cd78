package watch

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the numbers for Prometheus. Counters are counted as reports are
// told; what is true now is asked of the watcher when somebody reads.
type Metrics struct {
	registry   *prometheus.Registry
	stops      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	overruns   *prometheus.CounterVec
	cameBack   prometheus.Counter
	reconciled prometheus.Counter
	silences   prometheus.Counter
	connects   prometheus.Counter
}

// bounds of the histogram in seconds: around the default timeout and around the
// engine's own waits after it.
var bounds = []float64{0.1, 0.5, 1, 2, 5, 9, 11, 15, 20, 25, 30, 60, 120, 300}

// NewMetrics makes them, all at zero: a counter that appears with its first
// count has no increase that a rule could see.
func NewMetrics(version string) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "whystuck_" + name, Help: help})
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		stops: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "whystuck_stops_total",
			Help: "Ends of stops by what was asked for and what came of it; a stop that never ends counts as stuck."}, []string{"command", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "whystuck_stop_seconds",
			Help: "Seconds from the signal to the end.", Buckets: bounds}, []string{"command"}),
		overruns: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "whystuck_overruns_total",
			Help: "Stops that passed a stage: assumed-timeout, timeout, timeout+10, never."}, []string{"stage"}),
		cameBack:   counter("came_back_total", "Containers that were stopped or killed and came back by their restart policy."),
		reconciled: counter("reconciled_total", "Ends that were not seen but concluded from the engine's list."),
		silences:   counter("engine_silences_total", "Times that the engine did not answer for so long that it was told."),
		connects:   counter("engine_connects_total", "Times that the stream of events was opened."),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "whystuck_build_info", Help: "The version of the watcher.",
		ConstLabels: prometheus.Labels{"version": label(version)}}, func() float64 { return 1 })
	m.registry.MustRegister(m.stops, m.seconds, m.overruns, m.cameBack, m.reconciled, m.silences, m.connects, build)
	for _, pair := range [][2]string{
		{CommandStop, OutcomeStops}, {CommandStop, OutcomeKilled}, {CommandStop, OutcomeStuck}, {CommandStop, OutcomeUnseen},
		{CommandKill, OutcomeDies}, {CommandKill, OutcomeStuck}, {CommandUnknown, OutcomeUnseen},
	} {
		m.stops.WithLabelValues(pair[0], pair[1])
	}
	for _, stage := range []string{StageAssumed, StageTimeout, StageTimeout10, StageNever} {
		m.overruns.WithLabelValues(stage)
	}
	m.seconds.WithLabelValues(CommandStop)
	m.seconds.WithLabelValues(CommandKill)
	return m
}

// count takes a report that is told. A stop that never ends is counted when that
// is told, and not again should it end after all.
func (m *Metrics) count(r *Report) {
	switch r.Kind {
	case KindOverrun:
		m.overruns.WithLabelValues(*r.Stage).Inc()
		if *r.Stage == StageNever {
			m.stops.WithLabelValues(*r.Command, OutcomeStuck).Inc()
		}
	case KindCameBack:
		m.cameBack.Inc()
	case KindEnded:
		if r.Reconciled {
			m.reconciled.Inc()
		}
		if r.Stage == nil || *r.Stage != StageNever {
			m.stops.WithLabelValues(*r.Command, *r.Outcome).Inc()
		}
		if r.AfterSeconds != nil {
			m.seconds.WithLabelValues(*r.Command).Observe(*r.AfterSeconds)
		}
	case KindEngine:
		if r.Trouble {
			m.silences.Inc()
		}
	}
}
