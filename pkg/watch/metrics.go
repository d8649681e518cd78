package watch

// Metrics are the numbers for Prometheus.
type Metrics struct {
}

func (m *Metrics) count(*Report) {}

func (w *Watcher) count() {}
