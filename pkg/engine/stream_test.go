package engine

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
)

// An engine that refuses the stream has not opened it: the client returns before
// it hands over the error.
func TestStreamRefused(t *testing.T) {
	e := against(t, func(to http.ResponseWriter) { http.Error(to, `{"message":"not now"}`, http.StatusServiceUnavailable) })
	opened := false
	open := func() { opened = true }
	err := e.Stream(t.Context(), time.Time{}, open, func(Event) {})
	if opened || err == nil || !strings.Contains(err.Error(), "not now") {
		t.Errorf("opened %v: %v", opened, err)
	}
	errs := make(chan error, 1)
	time.AfterFunc(errorComes/10, func() { errs <- io.ErrUnexpectedEOF })
	err = follow(nil, errs, open, func(Event) {})
	if opened || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("opened %v: %v", opened, err)
	}
}

// A stream that is silent, or speaks at once, is open.
func TestStreamOpened(t *testing.T) {
	for _, line := range []string{"", `{"Action":"die","Actor":{"ID":"x"},"time":1}`} {
		e := against(t, func(to http.ResponseWriter) {
			_, _ = to.Write([]byte(line))
			to.(http.Flusher).Flush()
			time.Sleep(3 * errorComes)
		})
		var seen []string
		err := e.Stream(t.Context(), time.Time{}, func() { seen = append(seen, "opened") }, func(e Event) { seen = append(seen, e.Action) })
		want := strings.TrimSpace("opened " + map[bool]string{true: "die"}[line != ""])
		if err == nil || strings.Join(seen, " ") != want {
			t.Errorf("%q: %q, %v", line, seen, err)
		}
	}
}

// against opens an engine that answers a request for events in its own way.
func against(t *testing.T, events func(http.ResponseWriter)) *Engine {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		to.Header().Set("Api-Version", "1.41")
		if strings.HasSuffix(r.URL.Path, "/events") {
			events(to)
		}
	}))
	t.Cleanup(s.Close)
	e, err := Open(t.Context(), Options{Host: "tcp://" + s.Listener.Addr().String(), HomeDir: t.TempDir(), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// Podman's word for a container that was removed.
func TestPodmanRemoves(t *testing.T) {
	if e := eventFrom(events.Message{Action: "remove"}); e.Action != "destroy" {
		t.Errorf("%q", e.Action)
	}
}
