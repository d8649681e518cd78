package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// hub is the name under which `docker login` keeps Docker Hub's credentials.
const hub = "https://index.docker.io/v1/"

// dockerConfig is what config.json says about credentials.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"` // base64 of user:password
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`
}

// registryAuth is what `docker login` left for an image's registry, as the engine
// takes it; "" when there is nothing.
func registryAuth(ctx context.Context, o Options, ref string) (string, error) {
	var config dockerConfig
	err := readJSON(filepath.Join(configDir(o), "config.json"), &config)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	server := registryOf(ref)
	if helper := config.helper(server); helper != "" {
		return askHelper(ctx, helper, server)
	}
	kept, ok := config.Auths[server]
	if !ok {
		return "", nil
	}
	plain, err := base64.StdEncoding.DecodeString(kept.Auth)
	if err != nil {
		return "", fmt.Errorf("decoding what docker login has kept for %s: %w", server, err)
	}
	user, password, _ := strings.Cut(string(plain), ":")
	return authHeader(user, strings.TrimRight(password, "\x00"), kept.IdentityToken, server), nil
}

func (c *dockerConfig) helper(server string) string {
	if h := c.CredHelpers[server]; h != "" {
		return h
	}
	return c.CredsStore
}

// registryOf is the registry in an image's name: its first part if that looks
// like a host (distribution/reference's rule), else Docker Hub.
func registryOf(ref string) string {
	first, _, ok := strings.Cut(ref, "/")
	if !ok || !strings.ContainsAny(first, ".:") && first != "localhost" || first == "docker.io" || first == "index.docker.io" {
		return hub
	}
	return first
}

// helperTime is what a credential helper gets: one that asks a person, where there
// is none, would never end.
const helperTime = 30 * time.Second

// askHelper runs docker-credential-NAME get. One that has nothing says so and
// fails: the pull is tried without then.
func askHelper(ctx context.Context, name, server string) (string, error) {
	if strings.ContainsAny(name, "/ ") {
		return "", fmt.Errorf("the credential helper %q has no proper name", name)
	}
	ctx, cancel := context.WithTimeout(ctx, helperTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.WaitDelay = time.Second // what it has started may keep its output open
	cmd.Stdin = strings.NewReader(server)
	out, err := cmd.Output()
	if err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) && bytes.Contains(out, []byte("not found")) {
			return "", nil
		}
		return "", fmt.Errorf("asking docker-credential-%s: %w", name, err)
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out, &got); err != nil {
		return "", fmt.Errorf("reading the answer of docker-credential-%s: %w", name, err)
	}
	if got.Username == "<token>" {
		return authHeader("", "", got.Secret, server), nil
	}
	return authHeader(got.Username, got.Secret, "", server), nil
}
