package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// transport carries the SDK's requests and notes on the way what the SDK does
// not pass on: which errno the dial met, who listens on the socket, and the
// Server header, which saves a call to /version.
type transport struct {
	at   endpoint
	base *http.Transport

	mu      sync.Mutex
	dialErr error
	peer    int    // PID of the listener, 0: not known
	banner  string // Server header: "Docker/20.10.24 (linux)", "Libpod/4.3.1 (linux)"
	// status is that of the latest response, 0: none came.
	status int
	// spoke: some response was an engine's by its headers, whatever its status.
	spoke bool
}

// Bounds of one response: 10,000 containers of `ps -a` are some 20 MiB. Where no
// engine has spoken yet it may be anybody who never ends.
const (
	maxBody    = 64 << 20
	maxForeign = 1 << 20
	maxHeader  = 256 << 10
)

func newTransport(at endpoint) (*transport, error) {
	t := &transport{at: at}
	// One connection for each parallel inspect; the default keeps two of them.
	t.base = &http.Transport{DialContext: t.dial, MaxIdleConns: inspectors, MaxIdleConnsPerHost: inspectors, MaxResponseHeaderBytes: maxHeader}
	if at.socket != "" {
		t.base.DisableCompression = true
		return t, nil
	}
	t.base.Proxy = http.ProxyFromEnvironment
	if at.tls == nil {
		return t, nil
	}
	config, err := at.tls.config()
	if err != nil {
		return nil, usage(fmt.Sprintf("%s: %v", at.host, err), err)
	}
	t.base.TLSClientConfig = config
	return t, nil
}

func (t *transport) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	if t.at.socket != "" {
		network, addr = "unix", t.at.socket
	}
	conn, err := d.DialContext(ctx, network, addr)
	peer := 0
	if u, ok := conn.(*net.UnixConn); ok && err == nil {
		peer = listenerOf(u)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialErr = err
	if peer != 0 {
		t.peer = peer
	}
	return conn, err
}

// listenerOf is the PID that called listen(2) on the other end (SO_PEERCRED). With
// socket activation that is systemd; 0 when it is of a foreign PID namespace.
func listenerOf(conn *net.UnixConn) int {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// statusKey is the context key of a *int that RoundTrip sets to the response's
// status: the SDK's errors tell 404 only through packages of its own.
type statusKey struct{}

// rawKey is the context key of a *[]byte that takes a good response's body in the
// place of the SDK, which finds null: its types for a container take longer to
// decode than all that we read of it.
type rawKey struct{}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if status, ok := req.Context().Value(statusKey{}).(*int); ok {
		*status = resp.StatusCode
	}
	body := io.LimitReader(resp.Body, t.heard(resp))
	if raw, ok := req.Context().Value(rawKey{}).(*[]byte); ok && resp.StatusCode == http.StatusOK {
		if *raw, err = io.ReadAll(body); err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
		body = strings.NewReader("null")
	}
	resp.Body = &boundedBody{Reader: body, Closer: resp.Body}
	return resp, nil
}

// heard notes who has answered, and gives the bound of the body.
func (t *transport) heard(resp *http.Response) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = resp.StatusCode
	if s := resp.Header.Get("Server"); s != "" {
		t.banner = s
	}
	// dockerd and Podman send both; a proxy before them may hide one of them.
	if name, _ := product(t.banner); name != "" || resp.Header.Get("Api-Version") != "" {
		t.spoke = true
	}
	if !t.spoke {
		return maxForeign
	}
	return maxBody
}

type boundedBody struct {
	io.Reader
	io.Closer
}

// server is the engine's name (docker or podman) and version as its Server
// header says, "" for what it does not say.
func (t *transport) server() (name, version string) {
	t.mu.Lock()
	banner := t.banner
	t.mu.Unlock()
	return product(banner)
}

func product(banner string) (name, version string) {
	first, _, _ := strings.Cut(banner, " ")
	name, version, _ = strings.Cut(first, "/")
	switch name {
	case "Docker":
		return "docker", clip(version, 64)
	case "Libpod":
		return "podman", clip(version, 64)
	}
	return "", ""
}

// listener is the PID that owns the socket, 0: not known.
func (t *transport) listener() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer
}

// The values of evidence.Engine.Trouble.
const (
	troubleRefused = "refused" // a socket file that nobody listens on; over a network any failed connection
	troubleForeign = "foreign" // somebody listens, and does not answer as an engine does
	troubleDenied  = "denied"
	troubleTimeout = "timeout" // connected, or waiting for it, and no answer
	troubleGone    = "gone"    // no socket there at all
)

// whatIsWrong names the trouble behind a failed call; "" when the engine did
// answer and only this answer is of no use.
func (t *transport) whatIsWrong(err error) string {
	t.mu.Lock()
	dialErr, status, spoke := t.dialErr, t.status, t.spoke
	t.mu.Unlock()
	var timeout net.Error
	switch {
	case errors.Is(dialErr, fs.ErrPermission):
		return troubleDenied
	case errors.Is(dialErr, fs.ErrNotExist), errors.Is(dialErr, unix.ENOTDIR):
		return troubleGone
	case errors.Is(dialErr, unix.EAGAIN): // the backlog of a socket that nobody accepts on
		return troubleTimeout
	case dialErr == nil && status != 0 && !spoke:
		return t.stranger()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return troubleTimeout
	case errors.As(dialErr, &timeout) && timeout.Timeout():
		return troubleTimeout
	case dialErr != nil:
		return troubleRefused
	case !spoke:
		return t.stranger()
	}
	return ""
}

// stranger is the trouble where something other than an engine has answered. Over a
// network that may well be an engine: behind TLS, or behind a proxy that is in trouble.
func (t *transport) stranger() string {
	if t.at.socket == "" {
		return troubleRefused
	}
	return troubleForeign
}

// again connects to a unix socket once more, which takes no time: an engine that
// died while it was asked closes its connections, and listens no longer.
func (t *transport) again() {
	if conn, err := t.dial(context.Background(), "", ""); err == nil {
		_ = conn.Close()
	}
}

// manner is how somebody who is no engine behaves.
func (t *transport) manner(err error) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.status != 0:
		return fmt.Sprintf("it answers with HTTP status %d, and not as an engine does", t.status)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return "it closes the connection without an answer"
	}
	return "its answer is not that of an engine: " + oneLine(err.Error())
}

// dialled is how the last dial went.
func (t *transport) dialled() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dialErr
}

// tlsFiles is a directory with ca.pem, cert.pem and key.pem, each optional.
type tlsFiles struct {
	dir        string
	skipVerify bool
}

func (f *tlsFiles) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.skipVerify} //nolint:gosec // the user's choice, as in docker
	ca, err := os.ReadFile(filepath.Join(f.dir, "ca.pem"))
	switch {
	case err == nil:
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("no certificate in %s", filepath.Join(f.dir, "ca.pem"))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the engine's CA: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(f.dir, "cert.pem"), filepath.Join(f.dir, "key.pem"))
	switch {
	case err == nil:
		c.Certificates = []tls.Certificate{cert}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the client certificate: %w", err)
	}
	return c, nil
}
