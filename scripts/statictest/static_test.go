package statictest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/smoke"
	"github.com/whystuck/whystuck/scripts/bed"
)

// scripts are the entrypoint scripts of the images.
var scripts = map[string]string{
	"/exec.sh":   "#!/bin/sh\nset -e\nexec \"$@\"\n",
	"/noexec.sh": "#!/bin/sh\nset -e\n\"$@\"\n",
	"/trap.sh":   "#!/bin/bash\ntrap 'exit 0' TERM\n/siglab handler\n",
	"/wait.sh":   "#!/bin/sh\n/siglab handler &\nwait\n",
	"/tail.sh":   "#!/bin/sh\n/siglab handler &\nsleep infinity\n",
	"/crlf.sh":   "#!/bin/sh\r\nexec /siglab handler\r\n",
	"/plain.sh":  "exit 7\n",
	"/ignore.sh": "#!/bin/sh\ntrap '' TERM\n/siglab handler\n",
}

// TestStatic reads real images by a real engine.
func TestStatic(t *testing.T) {
	bed.Require(t, "root", "docker", "gcc", "dash", "bash", "busybox", "tini")
	d := bed.StartDaemon(t)
	files := laboratory(t)
	e, err := engine.Open(t.Context(), engine.Options{Host: d.Host(), Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tests := []struct {
		name    string
		changes []string
		want    []string
	}{
		{"exec-form", []string{`ENTRYPOINT ["/siglab", "handler"]`}, nil},
		{"shell-form-dash", []string{`CMD /siglab handler`}, []string{"WS504 warning assumed"}},
		{"shell-form-bash", []string{`CMD ["/bin/bash", "-c", "/siglab handler"]`}, nil},
		{"shell-form-ash", []string{`CMD ["/bin/ash", "-c", "/siglab handler"]`}, nil},
		{"two-commands", []string{`CMD /siglab handler; true`}, []string{"WS504 error likely"}},
		{"script-exec", []string{`ENTRYPOINT ["/exec.sh"]`, `CMD ["/siglab", "handler"]`}, nil},
		{"script-no-exec", []string{`ENTRYPOINT ["/noexec.sh"]`, `CMD ["/siglab", "handler"]`}, []string{"WS505 error likely"}},
		{"script-trap", []string{`ENTRYPOINT ["/trap.sh"]`}, []string{"WS506 error likely"}},
		{"script-wait", []string{`ENTRYPOINT ["/wait.sh"]`}, []string{"WS507 error likely"}},
		{"script-tail", []string{`ENTRYPOINT ["/tail.sh"]`}, []string{"WS518 error likely"}},
		{"script-crlf", []string{`ENTRYPOINT ["/crlf.sh"]`}, []string{"WS516 error certain"}},
		{"script-ignore", []string{`ENTRYPOINT ["/ignore.sh"]`}, []string{"WS517 error likely"}},
		{"init", []string{`ENTRYPOINT ["tini", "--", "/siglab", "handler"]`}, []string{"WS510 info likely"}},
		{"init-script", []string{`ENTRYPOINT ["tini", "--", "/noexec.sh"]`, `CMD ["/siglab"]`}, []string{"WS505 warning likely", "WS510 info likely"}},
		{"brackets", []string{`CMD ['/siglab', 'handler']`}, []string{"WS511 error likely"}},
		{"sleep", []string{`CMD ["sleep", "infinity"]`}, []string{"WS514 error likely"}},
		{"foreign-signal", []string{`STOPSIGNAL SIGQUIT`, `CMD ["/siglab", "handler"]`}, []string{"WS509 warning assumed"}},
		{"inherited-signal", []string{`STOPSIGNAL SIGQUIT`, `CMD ["nginx"]`, `LABEL a=b`, `CMD ["/siglab", "handler"]`}, []string{"WS509 warning assumed"}},
		{"plain-text", []string{`ENTRYPOINT ["/plain.sh"]`}, []string{"WS516 error certain"}},
		{"plain-text-init", []string{`ENTRYPOINT ["tini", "--", "/plain.sh"]`}, []string{"WS510 info likely"}},
		{"directory-in-path", []string{`CMD ["lab", "nosuchmode"]`}, nil},
		{"kill", []string{`STOPSIGNAL SIGKILL`, `CMD ["/siglab", "handler"]`}, []string{"WS503 warning certain"}},
		{"absent", []string{`CMD ["/nowhere"]`}, []string{"WS516 error certain"}},
		{"none", nil, []string{"WS516 warning certain"}},
		{"volume", []string{`VOLUME /data`, `VOLUME /bin`, `ENTRYPOINT ["/siglab", "handler"]`}, nil},
		{"people", []string{`CMD ["bash"]`}, []string{"WS515 info likely"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			makeImage(t, d, tt.name, files, tt.changes)
			start := time.Now()
			c, err := smoke.Static(t.Context(), e, tt.name, evidence.ImageRun{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range c.Findings {
				got = append(got, f.Code+" "+f.Severity+" "+string(f.Confidence))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s\n%s %+v", diff, c.Headline, c.Gaps)
			}
			t.Logf("%s in %s", c.Headline, time.Since(start).Round(time.Millisecond))
		})
	}
	t.Run("as it runs", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		// runc 1.1 lets a text start and fail: what it says comes from the container.
		for name, want := range map[string]string{"plain-text": "exec format error", "plain-text-init": "exit code 7", "directory-in-path": "exit code 2", "absent": "exit code 127"} {
			_, errOut, code := d.Docker(ctx, "run", "--rm", "--network", "none", "--stop-timeout", "0", name)
			if got := fmt.Sprintf("%s exit code %d", errOut, code); !strings.Contains(got, want) || code == 0 {
				t.Errorf("%s: %s; want %s", name, got, want)
			}
		}
	})
	t.Run("absent image", func(t *testing.T) {
		if _, err := smoke.Static(t.Context(), e, "no-such-image", evidence.ImageRun{}, nil); !errors.Is(err, engine.ErrNoSuchImage) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer cancel()
		_, _ = smoke.Static(ctx, e, "script-exec", evidence.ImageRun{}, nil)
	})
	left(t, d)
}

// makeImage makes an image: by import, or where an instruction of a Dockerfile is
// needed, by the engine's own builder on top of an imported one.
func makeImage(t *testing.T, d *bed.Daemon, name string, files map[string]string, changes []string) {
	t.Helper()
	if !slices.ContainsFunc(changes, func(c string) bool { return strings.HasPrefix(c, "STOPSIGNAL") }) {
		if err := d.Import(t.Context(), name, files, changes...); err != nil {
			t.Fatal(err)
		}
		return
	}
	makeImage(t, d, name+"-base", files, nil)
	dir := t.TempDir()
	text := "FROM " + name + "-base\n" + strings.Join(changes, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := d.Docker(t.Context(), "build", "-q", "-t", name, dir); code != 0 {
		t.Fatalf("docker build: %s", errOut)
	}
}

// left: nothing that was made to read is still there, and no volume with it.
func left(t *testing.T, d *bed.Daemon) {
	t.Helper()
	for range 20 { // the engine may still be at a creation that was cut off
		containers, _, _ := d.Docker(t.Context(), "ps", "-aq")
		volumes, _, _ := d.Docker(t.Context(), "volume", "ls", "-q")
		if containers == "" && volumes == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	out, _, _ := d.Docker(t.Context(), "ps", "-a")
	t.Errorf("left behind:\n%s", out)
}

// laboratory is what is in all images: shells, inits, siglab and the scripts.
func laboratory(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{"/siglab": bed.StaticProgram(t), "/tmp/": "", "/data/x": bed.StaticProgram(t), "/usr/local/bin/lab/": "", "/usr/bin/lab": bed.StaticProgram(t)}
	for _, p := range []string{"sh=dash", "bash", "ash=busybox", "tini", "sleep"} {
		got, err := bed.HostPrograms(t.Context(), p)
		if errors.Is(err, exec.ErrNotFound) {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(files, got)
	}
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		host := filepath.Join(dir, strings.TrimPrefix(name, "/"))
		if err := os.WriteFile(host, []byte(scripts[name]), 0o755); err != nil {
			t.Fatal(err)
		}
		files[name] = host
	}
	return files
}
