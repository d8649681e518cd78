package engine

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/scripts/bed"
)

// surroundings are Options with a home directory and environment of their own.
func surroundings(t *testing.T, env map[string]string) Options {
	t.Helper()
	return Options{
		HomeDir: t.TempDir(), ProcRoot: "/proc",
		Getenv: func(name string) string { return env[name] },
	}
}

func put(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func putContext(t *testing.T, dir, name, host string) {
	t.Helper()
	put(t, filepath.Join(dir, "contexts/meta", contextHash(name), "meta.json"),
		`{"Name":"`+name+`","Metadata":{},"Endpoints":{"docker":{"Host":"`+host+`","SkipTLSVerify":false}}}`)
}

func TestEndpointPrecedence(t *testing.T) {
	for name, c := range map[string]struct {
		host, context, current string
		env                    map[string]string
		want                   string
	}{
		"default":               {want: "unix:///var/run/docker.sock"},
		"host flag":             {host: "unix:///flag", env: map[string]string{"DOCKER_HOST": "unix:///env"}, want: "unix:///flag"},
		"host flag, context":    {host: "unix:///flag", env: map[string]string{"DOCKER_CONTEXT": "one"}, current: "two", want: "unix:///flag"},
		"context flag, host":    {context: "one", env: map[string]string{"DOCKER_HOST": "unix:///env"}, want: "unix:///one"},
		"context flag, env":     {context: "one", env: map[string]string{"DOCKER_CONTEXT": "two"}, want: "unix:///one"},
		"host before context":   {env: map[string]string{"DOCKER_HOST": "unix:///env", "DOCKER_CONTEXT": "one"}, current: "two", want: "unix:///env"},
		"context before config": {env: map[string]string{"DOCKER_CONTEXT": "one"}, current: "two", want: "unix:///one"},
		"config":                {current: "two", want: "unix:///two"},
		"config says default":   {current: "default", want: "unix:///var/run/docker.sock"},
		"context default":       {context: "default", env: map[string]string{"DOCKER_HOST": "unix:///env"}, want: "unix:///env"},
	} {
		t.Run(name, func(t *testing.T) {
			o := surroundings(t, c.env)
			o.Host, o.Context = c.host, c.context
			dir := filepath.Join(o.HomeDir, ".docker")
			putContext(t, dir, "one", "unix:///one")
			putContext(t, dir, "two", "unix:///two")
			put(t, filepath.Join(dir, "config.json"), `{"auths":{},"currentContext":"`+c.current+`"}`)
			at, err := findEndpoint(o)
			if err != nil {
				t.Fatal(err)
			}
			if at.host != c.want {
				t.Errorf("got %s, want %s", at.host, c.want)
			}
		})
	}
}

// The docker CLI itself says which context it takes.
func TestEndpointPrecedenceIsDockers(t *testing.T) {
	bed.Require(t, "docker")
	for _, env := range []map[string]string{
		{}, {"DOCKER_HOST": "unix:///env"}, {"DOCKER_CONTEXT": "one"}, {"DOCKER_HOST": "unix:///env", "DOCKER_CONTEXT": "one"},
		{"current": "two"}, {"current": "two", "DOCKER_CONTEXT": "one"}, {"current": "two", "DOCKER_HOST": "unix:///env"},
	} {
		o := surroundings(t, env)
		dir := filepath.Join(o.HomeDir, ".docker")
		putContext(t, dir, "one", "unix:///one")
		putContext(t, dir, "two", "unix:///two")
		put(t, filepath.Join(dir, "config.json"), `{"currentContext":"`+env["current"]+`"}`)
		cmd := exec.Command("docker", "context", "show")
		cmd.Env = []string{"HOME=" + o.HomeDir, "PATH=" + os.Getenv("PATH")}
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		at, err := findEndpoint(o)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"one": "unix:///one", "two": "unix:///two", "default": "unix://" + defaultSocket}[strings.TrimSpace(string(out))]
		if h := env["DOCKER_HOST"]; want == "unix://"+defaultSocket && h != "" {
			want = h
		}
		if at.host != want {
			t.Errorf("with %v: got %s, docker takes the context %s, which is %s", env, at.host, out, want)
		}
	}
}

func TestParseHost(t *testing.T) {
	for text, want := range map[string]string{
		"unix:///run/x.sock":    "unix:///run/x.sock",
		"unix://":               "unix:///var/run/docker.sock",
		" unix:///a ":           "unix:///a",
		"tcp://h:1":             "tcp://h:1",
		"tcp://h":               "tcp://h:2375",
		"tcp://":                "tcp://localhost:2375",
		"h:99":                  "tcp://h:99",
		":99":                   "tcp://localhost:99",
		"tcp://[::1]:5/v":       "tcp://[::1]:5/v",
		"ssh://u@h":             "ssh://u@h",
		"npipe:////./pipe/x":    "",
		"fd://":                 "",
		"/var/run/docker.sock":  "",
		"tcp://h:0":             "",
		"tcp://h:x":             "",
		"tcp://h:99999":         "",
		"https://h":             "",
		"tcp://bad\x7fhost:2":   "",
		"unknown://h":           "",
		"tcp://u@h:2375@h:2375": "tcp://h:2375",
	} {
		at, err := parseHost(text, false)
		if at.host != want || (err == nil) != (want != "") {
			t.Errorf("parseHost(%q) = %q, %v; want %q", text, at.host, err, want)
		}
	}
	if at, _ := parseHost("tcp://h", true); at.host != "tcp://h:2376" {
		t.Errorf("with TLS: %s", at.host)
	}
}

func TestEndpointErrors(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(o *Options, dir string)
		env     map[string]string
		code    int
		says    string
	}{
		"both": {func(o *Options, _ string) { o.Host, o.Context = "unix:///a", "b" }, nil, 2, "not both"},
		"no such context": {func(o *Options, _ string) { o.Context = "nope" }, nil, 2,
			`context "nope" (from -c): no such docker context; ` + "`docker context ls`"},
		"no such context in config": {func(_ *Options, dir string) { put(t, dir+"/config.json", `{"currentContext":"gone"}`) }, nil, 2, "config.json): no such docker context"},
		"broken config":             {func(_ *Options, dir string) { put(t, dir+"/config.json", `{"currentContext":`) }, nil, 2, "-H or -c"},
		"config is a directory":     {func(_ *Options, dir string) { put(t, dir+"/config.json/x", "") }, nil, 2, "-H or -c"},
		"broken context": {func(o *Options, dir string) {
			o.Context = "x"
			put(t, dir+"/contexts/meta/"+contextHash("x")+"/meta.json", `{`)
		}, nil, 2, "cannot read the docker context"},
		"context of kubernetes": {func(o *Options, dir string) {
			o.Context = "x"
			put(t, dir+"/contexts/meta/"+contextHash("x")+"/meta.json", `{"Endpoints":{"kubernetes":{"Host":"h"}}}`)
		}, nil, 2, "no docker endpoint"},
		"path":           {func(o *Options, _ string) { o.Host = "/run/d.sock" }, nil, 2, "write unix:///run/d.sock"},
		"bad host":       {nil, map[string]string{"DOCKER_HOST": "tcp://h:x"}, 2, "DOCKER_HOST: "},
		"ssh":            {nil, map[string]string{"DOCKER_HOST": "ssh://me@box:2222/run/d.sock"}, 4, "run: ssh -p 2222 me@box whystuck capture NAME > file.json && whystuck --from file.json"},
		"ssh of context": {func(o *Options, dir string) { o.Context = "r"; putContext(t, dir, "r", "ssh://box") }, nil, 4, `(context "r"): the evidence is in that machine's kernel; run: ssh box whystuck`},
		"hostile ssh":    {func(o *Options, _ string) { o.Host = "ssh://-oProxyCommand=x" }, nil, 4, "run whystuck on that machine"},
		"no certificate": {nil, map[string]string{"DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/dev/null"}, 2, "reading the"},
		"long socket":    {func(o *Options, _ string) { o.Host = "unix:///" + strings.Repeat("x", 200) }, nil, 2, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			o := surroundings(t, c.env)
			if c.prepare != nil {
				c.prepare(&o, filepath.Join(o.HomeDir, ".docker"))
			}
			_, err := Open(t.Context(), o)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.ExitCode != c.code || !strings.Contains(e.Message, c.says) || strings.Contains(e.Message, "\n") {
				t.Errorf("got %d %q, want %d and %q", e.ExitCode, e.Message, c.code, c.says)
			}
		})
	}
}

func TestTLSChoice(t *testing.T) {
	o := surroundings(t, map[string]string{"DOCKER_HOST": "tcp://h", "DOCKER_CERT_PATH": "/certs"})
	at, err := findEndpoint(o)
	if err != nil || at.tls != nil || at.host != "tcp://h:2375" {
		t.Errorf("a certificate path alone turned on TLS, which docker does not: %+v, %v", at, err)
	}
	o = surroundings(t, map[string]string{"DOCKER_HOST": "tcp://h", "DOCKER_CERT_PATH": "/certs", "DOCKER_TLS_VERIFY": "0"})
	at, err = findEndpoint(o)
	if err != nil || at.tls == nil || *at.tls != (tlsFiles{dir: "/certs"}) || at.host != "tcp://h:2376" {
		t.Errorf("DOCKER_TLS_VERIFY=0 is on for docker: %+v, %v", at, err)
	}
	o = surroundings(t, map[string]string{"DOCKER_HOST": "tcp://h", "DOCKER_TLS": "1", "DOCKER_CONFIG": "/conf"})
	at, err = findEndpoint(o)
	if err != nil || at.tls == nil || *at.tls != (tlsFiles{dir: "/conf", skipVerify: true}) {
		t.Errorf("DOCKER_TLS without a path: %+v, %v", at, err)
	}
	o = surroundings(t, map[string]string{"DOCKER_API_VERSION": "v1.40"})
	o.Context = "r"
	dir := filepath.Join(o.HomeDir, ".docker")
	putContext(t, dir, "r", "tcp://h:1")
	put(t, filepath.Join(dir, "contexts/tls", contextHash("r"), "docker/ca.pem"), "x")
	at, err = findEndpoint(o)
	if err != nil || at.tls == nil || !strings.HasSuffix(at.tls.dir, "/docker") || at.apiVersion != "1.40" {
		t.Errorf("the TLS directory of a context: %+v, %v", at, err)
	}
	if _, err := at.tls.config(); err == nil || !strings.Contains(err.Error(), "no certificate in") {
		t.Errorf("a CA file that is none: %v", err)
	}
}

// What `docker context create` writes is what we read.
func TestContextOfDockerCLI(t *testing.T) {
	bed.Require(t, "docker")
	o := surroundings(t, nil)
	cmd := exec.Command("docker", "context", "create", "far.one", "--docker", "host=tcp://h:2376,skip-tls-verify=true")
	cmd.Env = []string{"HOME=" + o.HomeDir, "PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o.Context = "far.one"
	at, err := findEndpoint(o)
	if err != nil || at.host != "tcp://h:2376" || at.tls == nil || !at.tls.skipVerify {
		b, _ := json.Marshal(at.host)
		t.Errorf("got %s, %+v, %v", b, at.tls, err)
	}
}

func TestLocal(t *testing.T) {
	for host, want := range map[string]bool{"unix:///x": true, "tcp://localhost:1": true, "tcp://127.0.0.1:1": true, "tcp://[::1]:1": true, "tcp://10.0.0.1:1": false, "tcp://h:1": false} {
		at, err := parseHost(host, false)
		if err != nil || at.local() != want {
			t.Errorf("%s: local is %v, want %v (%v)", host, at.local(), want, err)
		}
	}
}
