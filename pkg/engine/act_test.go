package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// speaker is an HTTP server that speaks an API version and a server version, for
// engines that this machine does not have. It records the acting requests.
type speaker struct {
	mu    sync.Mutex
	asked []string
	// gone is closed when the client of a stop has left before its answer.
	gone chan struct{}
	// answer is how a stop comes back; nil: it waits until the client leaves.
	answer func(w http.ResponseWriter)
}

func speak(t *testing.T, api, version string, answer func(http.ResponseWriter)) (*speaker, *Engine) {
	t.Helper()
	path := filepath.Join(shortDir(t), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &speaker{gone: make(chan struct{}), answer: answer}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", api)
		w.Header().Set("Server", "Docker/"+version+" (linux)")
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			fmt.Fprint(w, "OK")
			return
		}
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(w)
			return
		}
		<-r.Context().Done()
		close(s.gone)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	e, err := Open(t.Context(), Options{Host: "unix://" + path, HomeDir: t.TempDir(), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return s, e
}

func done(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

// The engine at hand speaks 1.41: what a newer one is sent is held against a server
// that only speaks the version.
func TestStopRequest(t *testing.T) {
	three, never := 3, -1
	for _, c := range []struct {
		name string
		api  string
		opt  StopOptions
		want string // "": refused
	}{
		{"plain", "1.41", StopOptions{}, "POST /v1.41/containers/abc/stop"},
		{"timeout", "1.41", StopOptions{Timeout: &three}, "POST /v1.41/containers/abc/stop?t=3"},
		{"for ever", "1.43", StopOptions{Timeout: &never}, "POST /v1.43/containers/abc/stop?t=-1"},
		{"signal", "1.42", StopOptions{Signal: 2}, "POST /v1.42/containers/abc/stop?signal=SIGINT"},
		{"both", "1.43", StopOptions{Signal: 37, Timeout: &three}, "POST /v1.43/containers/abc/stop?signal=SIGRTMIN%2B3&t=3"},
		{"signal too old", "1.41", StopOptions{Signal: 2}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e := speak(t, c.api, "99", done)
			err := e.Stop(t.Context(), "abc", c.opt, &Order{})
			if c.want == "" {
				if !errors.Is(err, ErrNoStopSignal) || len(s.asked) > 0 {
					t.Errorf("%v, asked %q; want a refusal and no request", err, s.asked)
				}
				return
			}
			if err != nil || len(s.asked) != 1 || s.asked[0] != c.want {
				t.Errorf("%v, asked %q, want %q", err, s.asked, c.want)
			}
		})
	}
}

func TestKillRequest(t *testing.T) {
	s, e := speak(t, "1.41", "20.10.24", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"message":"Container abc is not running"}`)
	})
	err := e.Kill(t.Context(), "abc", 15, &Order{})
	if err == nil || Refusal(err) != "Container abc is not running" {
		t.Errorf("%v", err)
	}
	if len(s.asked) != 1 || s.asked[0] != "POST /v1.41/containers/abc/kill?signal=SIGTERM" {
		t.Errorf("asked %q", s.asked)
	}
}

// A request that the engine reads is taken, one that lies in its socket is not.
func TestTaken(t *testing.T) {
	_, e := speak(t, "1.41", "20.10.24", nil)
	ctx, cancel := context.WithCancel(t.Context())
	o := &Order{}
	if taken := o.Taken(); taken == nil || *taken {
		t.Error("an order that was never sent is taken")
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Stop(ctx, "abc", StopOptions{}, o) }()
	if !within2s(func() bool { taken := o.Taken(); return taken != nil && *taken }) {
		t.Error("the server has read it, and it is said not to be taken")
	}
	cancel()
	<-ended

	deaf, o := deafEngine(t), &Order{}
	ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	go func() { ended <- deaf.Stop(ctx, "abc", StopOptions{}, o) }()
	if !within2s(func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.written }) {
		t.Fatal("it was not even written")
	}
	if taken := o.Taken(); taken == nil || *taken {
		t.Error("nobody has read it, and it is said to be taken")
	}
	<-ended
}

// deafEngine is one that has stopped after the version was agreed on: its socket
// takes connections and nobody reads.
func deafEngine(t *testing.T) *Engine {
	path := filepath.Join(shortDir(t), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	e, err := Open(t.Context(), Options{Host: "unix://" + path, Getenv: func(k string) string { return map[string]string{"DOCKER_API_VERSION": "1.41"}[k] }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The engine does not see a client leave as long as somebody has its connection.
func TestOrderFile(t *testing.T) {
	s, e := speak(t, "1.43", "24.0.1", nil)
	ctx, cancel := context.WithCancel(t.Context())
	o := &Order{}
	ended := make(chan error, 1)
	go func() { ended <- e.Stop(ctx, "abc", StopOptions{}, o) }()
	if !within2s(func() bool { taken := o.Taken(); return taken != nil && *taken }) {
		t.Fatal("not taken")
	}
	f := o.File()
	if f == nil {
		t.Fatal("no connection")
	}
	cancel()
	<-ended
	select {
	case <-s.gone:
		t.Error("the server has seen the client leave")
	case <-time.After(200 * time.Millisecond):
	}
	_ = f.Close()
	select {
	case <-s.gone:
	case <-time.After(2 * time.Second):
		t.Error("the server never sees the client leave: the test tests nothing")
	}
}

func within2s(ok func() bool) bool {
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// Who waits for the engine's version does not wait longer than it may, also behind
// somebody who waits for ever.
func TestNegotiationHasADeadline(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	e, err := Open(t.Context(), Options{Host: "unix://" + path, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	forever, leave := context.WithCancel(t.Context())
	defer leave()
	go func() { _ = e.Stop(forever, "abc", StopOptions{}, &Order{}) }()
	time.Sleep(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := e.TakesStopSignal(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestKillsWhenLeft(t *testing.T) {
	for version, want := range map[string]bool{
		"23.0.0": true, "23.0.7": true, "23.0.8": false, "24.0.0": true, "24.0.2": true, "24.0.3": false, "24.0.2+azure-1": true,
		"20.10.24+dfsg1": false, "25.0.0": false, "28.2.2": false, "": false, "x": false,
	} {
		if got := KillsWhenLeft(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
