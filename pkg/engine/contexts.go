package engine

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// defaultContext is docker's name for "no context": the environment decides.
const defaultContext = "default"

func configDir(o Options) string {
	if dir := o.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(o.HomeDir, ".docker")
}

// currentContext is what `docker context use` wrote, defaultContext when there
// is no such file. A file that cannot be read is an error: to ask another engine
// than docker would is worse than to ask none.
func currentContext(o Options) (string, error) {
	file := filepath.Join(configDir(o), "config.json")
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	err := readJSON(file, &config)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return defaultContext, nil
	case err != nil:
		return "", usage(fmt.Sprintf("cannot tell which docker context is in use: %v; name the engine with -H or -c", err), err)
	case config.CurrentContext == "":
		return defaultContext, nil
	}
	return config.CurrentContext, nil
}

// contextMeta is contexts/meta/<sha256 of the name>/meta.json.
type contextMeta struct {
	Name      string
	Endpoints map[string]struct {
		Host          string
		SkipTLSVerify bool
	}
}

// contextEndpoint is the docker endpoint of a named context; by says who named it.
func contextEndpoint(o Options, name, by string) (endpoint, error) {
	if name == defaultContext {
		if host := o.Getenv("DOCKER_HOST"); host != "" {
			return plainEndpoint(o, host, "DOCKER_HOST")
		}
		return plainEndpoint(o, "unix://"+defaultSocket, "")
	}
	meta, err := readContext(o, name)
	if err != nil {
		why := "no such docker context"
		if !errors.Is(err, fs.ErrNotExist) {
			why = "cannot read the docker context: " + err.Error()
		}
		return endpoint{}, usage(fmt.Sprintf("context %q (from %s): %s; `docker context ls` lists them", name, by, why), err)
	}
	from := fmt.Sprintf("context %q", name)
	docker, ok := meta.Endpoints["docker"]
	if !ok || docker.Host == "" {
		return endpoint{}, usage(from+" has no docker endpoint; `docker context ls` lists those that have", nil)
	}
	tls := contextTLS(o, name, docker.SkipTLSVerify)
	at, err := parseHost(docker.Host, tls != nil)
	if err != nil {
		return endpoint{}, usage(fmt.Sprintf("%s: %v", from, err), err)
	}
	at.from = from
	if at.socket == "" {
		at.tls = tls
	}
	return at, refuseSSH(at)
}

func readContext(o Options, name string) (contextMeta, error) {
	var meta contextMeta
	err := readJSON(filepath.Join(configDir(o), "contexts", "meta", contextHash(name), "meta.json"), &meta)
	return meta, err
}

// contextTLS is the context's TLS material; nil when it has none.
func contextTLS(o Options, name string, skipVerify bool) *tlsFiles {
	dir := filepath.Join(configDir(o), "contexts", "tls", contextHash(name), "docker")
	if _, err := os.Stat(dir); err != nil && !skipVerify {
		return nil
	}
	return &tlsFiles{dir: dir, skipVerify: skipVerify}
}

// contextHash is the directory that docker/cli gives to a context, so that any
// name is a safe file name.
func contextHash(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(name))) }

// maxConfig bounds what is read of a configuration file.
const maxConfig = 4 << 20

func readJSON(file string, into any) error {
	b, err := tree{}.read(file, maxConfig)
	if err != nil {
		return err // names the file already
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	return nil
}
