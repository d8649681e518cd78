package engine

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// What docker run's words become for the engine.
func TestSpec(t *testing.T) {
	empty := ""
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spec Spec
		want []string // in the request as JSON
	}{
		{"nothing", Spec{Image: "a"}, []string{`"Image":"a"`, `"NetworkMode":"none"`, `"Entrypoint":null`, `"Cmd":null`}},
		{"published", Spec{Publish: []string{"127.0.0.1:8080:80/tcp"}}, []string{`"NetworkMode":"default"`, `"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]`, `"ExposedPorts":{"80/tcp":{}}`}},
		{"network", Spec{Network: "shop"}, []string{`"NetworkMode":"shop"`}},
		{"no entrypoint", Spec{Entrypoint: &empty}, []string{`"Entrypoint":[""]`}},
		{"volumes", Spec{Volumes: []string{"/a", "name:/b", "./x:/c:ro", "/h:/d"}}, []string{`"Volumes":{"/a":{}}`, `"Binds":["name:/b","` + here + `/x:/c:ro","/h:/d"]`}},
		{"tmpfs", Spec{Tmpfs: []string{"/run", "/tmp:size=1m"}}, []string{`"Tmpfs":{"/run":"","/tmp":"size=1m"}`}},
		{"devices", Spec{Devices: []string{"/dev/a", "/dev/a:r", "/dev/a:/dev/b", "/dev/a:/dev/b:rw"}}, []string{
			`{"PathOnHost":"/dev/a","PathInContainer":"/dev/a","CgroupPermissions":"rwm"},{"PathOnHost":"/dev/a","PathInContainer":"/dev/a","CgroupPermissions":"r"},` +
				`{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"rwm"},{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"rw"}`}},
		{"security", Spec{SecurityOpt: []string{"systempaths=unconfined", "apparmor=x"}}, []string{`"SecurityOpt":["apparmor=x"]`, `"MaskedPaths":[]`}},
		{"log", Spec{LogBytes: 1000}, []string{`"Type":"json-file"`, `"max-size":"1000"`}},
		{"platform", Spec{Platform: "linux/arm/v7"}, []string{`"architecture":"arm","os":"linux","variant":"v7"`}},
	}
	for _, tt := range tests {
		m, err := tt.spec.make()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		b, err := json.Marshal([]any{m.config, m.host, m.platform})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s: no %s in %s", tt.name, want, b)
			}
		}
	}
}

func TestRegistryOf(t *testing.T) {
	for ref, want := range map[string]string{
		"shop": hub, "acme/shop:1": hub, "docker.io/acme/shop": hub, "localhost/shop": "localhost", "localhost:5000/shop": "localhost:5000",
		"ghcr.io/acme/shop@sha256:00": "ghcr.io", "acme.example/shop": "acme.example",
	} {
		if got := registryOf(ref); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
}

// The credentials of docker login, in the file and by a helper.
func TestRegistryAuth(t *testing.T) {
	dir := t.TempDir()
	config := `{"auths": {"plain.example": {"auth": "bWU6c2VjcmV0"}, "token.example": {"identitytoken": "tok"}}, "credHelpers": {"helped.example": "ws-test", "empty.example": "ws-none", "sick.example": "ws-sick", "slow.example": "ws-slow"}}`
	if err := os.WriteFile(dir+"/config.json", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"ws-test": `read -r server; echo "{\"Username\": \"$1\", \"Secret\": \"of $server\"}"`,
		"ws-none": "echo credentials not found in native keychain; exit 1",
		"ws-sick": "echo broken; exit 1",
		"ws-slow": "sleep 25 & wait",
	} {
		if err := os.WriteFile(dir+"/docker-credential-"+name, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	o := Options{Getenv: func(name string) string { return map[string]string{"DOCKER_CONFIG": dir}[name] }}
	for ref, want := range map[string]string{
		"plain.example/x":  authHeader("me", "secret", "", "plain.example"),
		"token.example/x":  authHeader("", "", "tok", "token.example"),
		"helped.example/x": authHeader("get", "of helped.example", "", "helped.example"),
		"empty.example/x":  "",
		"none.example/x":   "",
	} {
		if got, err := registryAuth(t.Context(), o, ref); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", ref, got, err, want)
		}
	}
	if _, err := registryAuth(t.Context(), o, "sick.example/x"); err == nil {
		t.Error("a helper's failure was lost")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := registryAuth(ctx, o, "slow.example/x"); err == nil || time.Since(start) > 20*time.Second {
		t.Errorf("a helper that leaves its output open: %v after %s", err, time.Since(start))
	}
	o.Getenv = func(string) string { return "" }
	o.HomeDir = t.TempDir()
	if got, err := registryAuth(t.Context(), o, "shop"); got != "" || err != nil {
		t.Errorf("without a configuration: %q, %v", got, err)
	}
}
