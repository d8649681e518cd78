package engine

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// defaultSocket is where dockerd listens when nobody says otherwise.
const defaultSocket = "/var/run/docker.sock"

// endpoint is where the engine is reached and why there.
type endpoint struct {
	host   string    // unix:///run/docker.sock or tcp://host:port
	socket string    // the path of a unix socket, "" for tcp
	tls    *tlsFiles // nil: plain
	// apiVersion is DOCKER_API_VERSION; "" is negotiated.
	apiVersion string
	// from says who chose this endpoint, for messages: "-H", "DOCKER_HOST",
	// `context "remote"`, or "" for the default.
	from string
}

// local: the engine can run on this kernel, so its ids can be looked for here.
func (at endpoint) local() bool {
	if at.socket != "" {
		return true
	}
	u, err := url.Parse(at.host)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// findEndpoint has the precedence of docker/cli (resolveContextName): -c, -H,
// DOCKER_HOST, DOCKER_CONTEXT, currentContext of config.json, the default. Both
// -c and -H at a time is an error there too.
func findEndpoint(o Options) (endpoint, error) {
	if o.Host != "" && o.Context != "" {
		return endpoint{}, usage("conflicting options: give either --host or --context, not both", nil)
	}
	at, err := chosenEndpoint(o)
	if err != nil {
		return endpoint{}, err
	}
	at.apiVersion = strings.TrimPrefix(o.Getenv("DOCKER_API_VERSION"), "v")
	return at, nil
}

func chosenEndpoint(o Options) (endpoint, error) {
	envHost := o.Getenv("DOCKER_HOST")
	switch {
	case o.Context != "":
		return contextEndpoint(o, o.Context, "-c")
	case o.Host != "":
		return plainEndpoint(o, o.Host, "-H")
	case envHost != "":
		return plainEndpoint(o, envHost, "DOCKER_HOST")
	case o.Getenv("DOCKER_CONTEXT") != "":
		return contextEndpoint(o, o.Getenv("DOCKER_CONTEXT"), "DOCKER_CONTEXT")
	}
	current, err := currentContext(o)
	if err != nil {
		return endpoint{}, err
	}
	return contextEndpoint(o, current, filepath.Join(configDir(o), "config.json"))
}

// plainEndpoint is an address with the TLS variables that go with it.
func plainEndpoint(o Options, host, from string) (endpoint, error) {
	tls := envTLS(o)
	at, err := parseHost(host, tls != nil)
	if err != nil {
		return endpoint{}, usage(fmt.Sprintf("%s: %v", from, err), err)
	}
	at.from = from
	if at.socket == "" {
		at.tls = tls
	}
	return at, refuseSSH(at)
}

// envTLS follows docker/cli: any value of DOCKER_TLS_VERIFY (also "0") turns on
// TLS with verification, DOCKER_TLS turns it on without.
func envTLS(o Options) *tlsFiles {
	verify := o.Getenv("DOCKER_TLS_VERIFY") != ""
	if !verify && o.Getenv("DOCKER_TLS") == "" {
		return nil
	}
	dir := o.Getenv("DOCKER_CERT_PATH")
	if dir == "" {
		dir = configDir(o)
	}
	return &tlsFiles{dir: dir, skipVerify: !verify}
}

// parseHost reads an address in the forms of docker/cli's opts.ParseHost.
func parseHost(text string, tls bool) (endpoint, error) {
	text = strings.TrimSpace(text)
	scheme, addr, ok := strings.Cut(text, "://")
	if !ok {
		if strings.HasPrefix(text, "/") {
			return endpoint{}, fmt.Errorf("%q is a path; for a socket write unix://%s", text, text)
		}
		scheme, addr = "tcp", text
	}
	switch scheme {
	case "unix":
		if addr == "" {
			addr = defaultSocket
		}
		return endpoint{host: "unix://" + addr, socket: addr}, nil
	case "tcp":
		return parseTCP(addr, tls)
	case "ssh":
		return endpoint{host: text}, nil
	case "npipe":
		return endpoint{}, fmt.Errorf("%q is a Windows pipe; run whystuck on the Linux host of the engine", text)
	}
	return endpoint{}, fmt.Errorf("cannot use %q as the engine's address; want unix://PATH or tcp://HOST:PORT", text)
}

func parseTCP(addr string, tls bool) (endpoint, error) {
	u, err := url.Parse("tcp://" + addr)
	if err != nil {
		return endpoint{}, fmt.Errorf("parsing the engine's address %q: %w", addr, err)
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		host = "localhost"
	}
	switch {
	case port == "" && tls:
		port = "2376"
	case port == "":
		port = "2375"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return endpoint{}, fmt.Errorf("invalid port in the engine's address %q", addr)
	}
	return endpoint{host: "tcp://" + net.JoinHostPort(host, port) + strings.TrimSuffix(u.Path, "/")}, nil
}

// refuseSSH: the processes are on the other machine, and so is all the evidence.
// The judgement can be made here from a capture taken there.
func refuseSSH(at endpoint) error {
	if !strings.HasPrefix(at.host, "ssh://") {
		return nil
	}
	where := at.host
	if at.from != "" {
		where += " (" + at.from + ")"
	}
	ssh, ok := sshCommand(at.host)
	if !ok {
		return &Error{ExitCode: ExitNoEngine, Message: fmt.Sprintf("%s: run whystuck on that machine; the evidence is in its kernel", where)}
	}
	return &Error{ExitCode: ExitNoEngine, Message: fmt.Sprintf(
		"%s: the evidence is in that machine's kernel; run: %s whystuck capture NAME > file.json && whystuck --from file.json", where, ssh)}
}

// sshCommand is `ssh [-p PORT] [USER@]HOST`, false where it could not be pasted
// into a shell safely: a host "-oProxyCommand=..." would be an option.
func sshCommand(host string) (string, bool) {
	u, err := url.Parse(host)
	if err != nil || u.Hostname() == "" {
		return "", false
	}
	to := u.Hostname()
	if u.User != nil {
		to = u.User.Username() + "@" + to
	}
	if strings.HasPrefix(to, "-") || strings.Trim(to, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_:%") != "" {
		return "", false
	}
	if p := u.Port(); p != "" {
		return "ssh -p " + p + " " + to, true
	}
	return "ssh " + to, true
}
