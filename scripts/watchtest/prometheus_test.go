package watchtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/watch"
	"github.com/whystuck/whystuck/scripts/bed"
)

const fleet = "../fleet/"

// TestPrometheus has a real Prometheus scrape the watcher, with the scrape
// configuration and the rules of scripts/fleet.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	bed.Require(t, "prometheus")
	d := l.engine(t, bed.Options{})
	dir := t.TempDir()
	exporter, server, text := address(t), address(t), filepath.Join(dir, "whystuck.prom")
	f := l.follow(t, d, "--metrics", exporter, "--textfile", text, "--scan-every", "1s")
	run(t, d, "deaf", "lab", "ign")
	run(t, d, "good", "lab", "exit")
	ready(t, d, "deaf")
	p := startPrometheus(t, dir, exporter, server)
	// A counter has to be seen before it rises.
	p.wait(t, 30*time.Second, `whystuck_stops_total{command="stop",outcome="killed"}`, "0")
	p.wait(t, 20*time.Second, `whystuck_container_verdict{container="deaf",image="lab",verdict="killed"}`, "1")
	p.wait(t, 20*time.Second, `whystuck_container_verdict{container="good",image="lab",verdict="stops"}`, "1")
	p.wait(t, 5*time.Second, `whystuck_engine_up`, "1")
	p.wait(t, 5*time.Second, `whystuck_container_d_tasks{container="good"}`, "0")

	docker(t, d, "stop", "-t", "1", "deaf")
	docker(t, d, "stop", "good")
	f.wait(t, 5*time.Second, "good", watch.KindEnded, "")
	p.wait(t, 20*time.Second, `whystuck_stops_total{command="stop",outcome="killed"}`, "1")
	p.wait(t, 5*time.Second, `whystuck_stops_total{command="stop",outcome="stops"}`, "1")
	p.wait(t, 5*time.Second, `whystuck_overruns_total{stage="timeout"}`, "1")
	p.wait(t, 5*time.Second, `whystuck_stop_seconds_count{command="stop"}`, "2")
	p.wait(t, 5*time.Second, `whystuck_stop_seconds_bucket{command="stop",le="0.5"}`, "1")
	p.wait(t, 20*time.Second, `ALERTS{alertname="WhystuckGracefulExitLost",alertstate="firing"}`, "1")
	// What has ended is not a series any more.
	page := get(t, "http://"+exporter+"/metrics")
	if strings.Contains(page, `container="deaf"`) || strings.Contains(page, `container="good"`) {
		t.Error("the series of containers that are gone are still there")
	}
	if got := get(t, "http://"+exporter+"/-/healthy"); got != "OK\n" {
		t.Errorf("/-/healthy says %q", got)
	}

	b, err := os.ReadFile(text)
	if err != nil || !strings.Contains(string(b), "whystuck_engine_up 1") || strings.Contains(string(b), "process_") {
		t.Errorf("the textfile: %v\n%.300s", err, b)
	}
	if took := f.term(t); took > time.Second {
		t.Errorf("it took %s to end after SIGTERM", took)
	}
	if _, err := os.Stat(text); err == nil {
		t.Error("the textfile is left behind")
	}
}

// prometheus is a running server.
type prometheus struct{ address string }

// startPrometheus runs one on the files of scripts/fleet, with our addresses and
// a quicker pace.
func startPrometheus(t *testing.T, dir, exporter, address string) prometheus {
	t.Helper()
	config, err := os.ReadFile(fleet + "prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(fleet + "whystuck.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:9869", exporter, "15s", "1s", "whystuck.rules.yml", rules).Replace(string(config))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "prometheus.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address, "--log.level", "warn")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if b, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("Prometheus says:\n%s", b)
		}
	})
	return prometheus{address}
}

// wait waits until a query gives one value.
func (p prometheus) wait(t *testing.T, within time.Duration, query, want string) {
	t.Helper()
	got := ""
	if !bed.Eventually(within, func() bool { got = p.query(query); return got == want }) {
		t.Errorf("Prometheus says %q of %s, want %s", got, query, want)
	}
}

func (p prometheus) query(query string) string {
	resp, err := http.Get("http://" + p.address + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Data.Result) != 1 {
		return fmt.Sprintf("%d series, %v", len(answer.Data.Result), err)
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// address is a free one.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
