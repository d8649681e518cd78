package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// show lets the numbers ask a watcher for what is true now.
func (m *Metrics) show(w *Watcher) { m.registry.MustRegister(collector{w.Present}) }

// Listen opens the address of an exporter.
func Listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening for Prometheus: %w", err)
	}
	return l, nil
}

// Serve answers /metrics, and /-/healthy as long as the watcher's loop runs, until
// ctx ends.
func (m *Metrics) Serve(ctx context.Context, l net.Listener, w *Watcher) {
	// Our own costs, which node exporter's textfile must not have: it has its own.
	own := prometheus.NewRegistry()
	own.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{m.registry, own},
		promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second, ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /-/healthy", func(to http.ResponseWriter, r *http.Request) {
		if _, ok := w.Present(r.Context()); !ok {
			http.Error(to, "the watcher's loop does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = to.Write([]byte("OK\n"))
	})
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		w.complain(fmt.Sprintf("serving metrics: %v", err))
	}
}

// textfileEvery is the pause between writes, that of a usual scrape.
const textfileEvery = 15 * time.Second

// CheckTextfile refuses a path that node exporter would not read, or that cannot
// be written.
func CheckTextfile(path string) error {
	if filepath.Ext(path) != ".prom" {
		return fmt.Errorf("%s: node exporter reads only files that end in .prom", path)
	}
	st, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is not a directory", filepath.Dir(path))
	}
	return nil
}

// Textfile writes the numbers for node exporter's textfile collector, each time
// whole (a new file is renamed to the path), until ctx ends. Then it removes the
// file: numbers that nobody keeps up to date would stay for ever.
func (m *Metrics) Textfile(ctx context.Context, path string, complain func(string)) {
	defer os.Remove(path)
	failed := false
	for {
		err := prometheus.WriteToTextfile(path, m.registry)
		if err != nil && !failed {
			complain(fmt.Sprintf("writing metrics: %v", err))
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(textfileEvery):
		}
	}
}
