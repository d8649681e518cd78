package stoptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/scripts/bed"
)

// stub is no engine: an HTTP server that speaks the version of one which this machine
// does not have, with one container that never stops.
type stub struct {
	host          string
	stopped, left chan struct{} // a stop has come; its client has gone
	answer        chan struct{} // closed: the stop is answered
	version       string
}

func newStub(t *testing.T, version string) *stub {
	t.Helper()
	dir, err := bed.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{host: "unix://" + filepath.Join(dir, "s"), stopped: make(chan struct{}), left: make(chan struct{}), answer: make(chan struct{}), version: version}
	server := &http.Server{Handler: s}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.Repeat("ab", 32)
	w.Header().Set("Api-Version", "1.43")
	w.Header().Set("Server", "Docker/"+s.version+" (linux)")
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/_ping"):
		fmt.Fprint(w, "OK")
	case strings.HasSuffix(path, "/containers/json"):
		fmt.Fprintf(w, `[{"Id":%q,"Names":["/web"],"Image":"lab","State":"running"}]`, id)
	case strings.HasSuffix(path, "/stop"):
		close(s.stopped)
		select {
		case <-r.Context().Done():
			close(s.left)
		case <-s.answer:
			w.WriteHeader(http.StatusNoContent)
		}
	case strings.HasSuffix(path, "/events"):
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		fmt.Fprintf(w, `{"Id":%q,"Name":"/web","State":{"Status":"running","Running":true,"Pid":%d},"Config":{"Image":"lab"},"HostConfig":{}}`, id, 1<<22-1)
	}
}

// An engine that sends SIGKILL when the client of a stop leaves does not see it
// leave, and one that does not is left.
func TestKeptOpen(t *testing.T) {
	t.Parallel()
	bin := bed.Whystuck(t)
	for version, want := range map[string]string{"24.0.1": "kept-open", "24.0.3": "carried-on"} {
		t.Run(version, func(t *testing.T) {
			s := newStub(t, version)
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			var out, errOut bytes.Buffer
			cmd := exec.CommandContext(ctx, bin, "stop", "--json", "-H", s.host, "web")
			cmd.Stdout, cmd.Stderr = &out, &errOut
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.stopped:
			case <-time.After(10 * time.Second):
				_ = cmd.Process.Kill()
				t.Fatalf("no stop was sent: %s", errOut.String())
			}
			signalTo(t, cmd.Process.Pid, syscall.SIGINT)
			_ = cmd.Wait()
			var r diagnose.Report
			if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r.Containers) != 1 || r.Containers[0].Observed == nil {
				t.Fatalf("%v\n%s%s", err, out.String(), errOut.String())
			}
			if got := r.Containers[0].Observed.Left; got != want {
				t.Errorf("left %q, want %q", got, want)
			}
			leaves := want == "carried-on"
			select {
			case <-s.left:
				if !leaves {
					t.Error("the engine has seen the client leave")
				}
			case <-time.After(500 * time.Millisecond):
				if leaves {
					t.Error("the client has not left")
				}
			}
			if (len(holders(bin)) > 0) == leaves {
				t.Errorf("processes that hold a connection: %v", holders(bin))
			}
			close(s.answer)
			if !bed.Eventually(3*time.Second, func() bool { return len(holders(bin)) == 0 }) {
				t.Errorf("the engine has answered, and its connection is still held by %v", holders(bin))
			}
		})
	}
}

// holders are the runs of the program that keep connections open.
func holders(bin string) []string {
	self, err := os.Stat(bin)
	if err != nil {
		return nil
	}
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		exe, err := os.Stat(filepath.Join(filepath.Dir(f), "exe"))
		if err == nil && os.SameFile(self, exe) && bytes.Contains(b, []byte("--hold\x00")) {
			out = append(out, f)
		}
	}
	return out
}
