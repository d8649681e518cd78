package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// foreign are listeners on a unix socket that are no engine. answer has read a
// request, and the connection is closed when it returns.
var foreign = map[string]struct {
	answer  func(c net.Conn)
	trouble string
	says    string
}{
	"closes at once": {nil, "foreign", "closes the connection without an answer"},
	"reads, closes":  {func(net.Conn) {}, "foreign", "closes the connection without an answer"},
	"silent":         {forEver, "timeout", "no answer from the engine"},
	"another's protocol": {func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example.org ESMTP\r\n") }, "foreign",
		"not that of an engine"},
	"TLS alert":    {func(c net.Conn) { _, _ = io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x46") }, "foreign", "not that of an engine"},
	"HTTP 400":     {says("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n"), "foreign", "HTTP status 400"},
	"HTTP 404":     {says("404 Not Found", "404 page not found"), "foreign", "HTTP status 404"},
	"HTTP 500":     {says("500 Internal Server Error", "boom"), "foreign", "HTTP status 500"},
	"HTTP 503":     {says("503 Service Unavailable", "<html>503</html>"), "foreign", "HTTP status 503"},
	"a web page":   {says("200 OK", "<html>welcome</html>"), "foreign", "HTTP status 200"},
	"an object":    {says("200 OK", `{"status":"ok"}`), "foreign", "HTTP status 200"},
	"redirects":    {says("301 Moved\r\nLocation: http://127.0.0.1:1/", ""), "foreign", "HTTP status 301"},
	"half a JSON":  {func(c net.Conn) { says("200 OK\r\nX: y", `[{"Id":"a`)(c); forEver(c) }, "foreign", "HTTP status 200"},
	"endless JSON": {func(c net.Conn) { begin(c); _, _ = io.WriteString(c, "["); pour(c, `{},`) }, "foreign", "HTTP status 200"},
	"endless text": {func(c net.Conn) { begin(c); pour(c, `"aaaaaaaaaa`) }, "foreign", "HTTP status 200"},
	"endless headers": {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"); pour(c, "X-A: b\r\n") }, "foreign",
		"not that of an engine"},
	"an engine in trouble": {says("500 Internal Server Error\r\nServer: Docker/20.10.24 (linux)", `{"message":"database is locked"}`), "",
		"gives no usable answer"},
}

func says(status, body string) func(net.Conn) {
	return func(c net.Conn) {
		length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
		if strings.HasSuffix(status, "X: y") {
			length = "Content-Length: 100000\r\n"
		}
		_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Type: text/html\r\n"+length+"\r\n"+body)
	}
}

func begin(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n") }

// forEver returns when the other end is closed.
func forEver(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func pour(c net.Conn, text string) {
	b := []byte(strings.Repeat(text, 32<<10/len(text)))
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// serve answers every connection with answer; nil closes it unread.
func serve(t *testing.T, path string, answer func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if answer != nil {
					_, _ = c.Read(make([]byte, 64<<10))
					answer(c)
				}
			}()
		}
	}()
}

// What listens and is no engine is told so, is never taken for an engine that is
// down, and costs neither time nor memory.
func TestForeignListeners(t *testing.T) {
	for name, c := range foreign {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(shortDir(t), "sock")
			serve(t, path, c.answer)
			wantForeign(t, path, c.trouble, c.says)
		})
	}
}

// A backlog that is full, of one who does not accept.
func TestFullBacklog(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if c, err := net.DialTimeout("unix", path, 10*time.Millisecond); err == nil {
			defer c.Close()
		}
	}
	wantForeign(t, path, "timeout", "no answer from the engine")
}

func wantForeign(t *testing.T, path, trouble, says string) {
	t.Helper()
	e, err := Open(t.Context(), Options{Host: "unix://" + path, Getenv: func(string) string { return "" }, HomeDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	_, _, err = e.Resolve(t.Context(), Query{Names: []string{"web"}})
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	var asError *Error
	if !errors.As(err, &asError) || asError.ExitCode != ExitNoEngine || !strings.Contains(asError.Message, says) || strings.ContainsAny(asError.Message, "\n\t\x15") {
		t.Errorf("said %q, want %q", err, says)
	}
	if got := e.Describe().Trouble; got != trouble {
		t.Errorf("trouble %q, want %q", got, trouble)
	}
	if took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	if mib := (after.Sys - before.Sys) >> 20; mib > 128 {
		t.Errorf("it took %d MiB", mib)
	}
}

// An engine that dies while it is asked is down, and no stranger.
func TestDiesWhileAsked(t *testing.T) {
	path := filepath.Join(shortDir(t), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = l.Close()
			_ = c.Close()
		}
	}()
	wantForeign(t, path, "refused", "nothing answers")
}
