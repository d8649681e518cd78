package bed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

//go:embed siglab.c
var siglabSource []byte

// StaticProgram compiles siglab (siglab.c tells its modes), once per content of
// its source, and returns the path. It skips the test where there is no gcc.
func StaticProgram(t testing.TB) string {
	t.Helper()
	Require(t, "gcc")
	ctx, cancel := contextFor(2 * time.Minute)
	defer cancel()
	path, err := BuildStatic(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// BuildStatic is StaticProgram for programs that are no test.
func BuildStatic(ctx context.Context) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("siglab-%s-%x", runtime.GOARCH, sha256.Sum256(siglabSource)))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// Built beside its place and renamed, so that two tests can do it at a time.
	tmp, err := os.MkdirTemp(dir, "build")
	if err != nil {
		return "", fmt.Errorf("compiling siglab: %w", err)
	}
	defer os.RemoveAll(tmp)
	src, bin := filepath.Join(tmp, "siglab.c"), filepath.Join(tmp, "siglab")
	if err := os.WriteFile(src, siglabSource, 0o600); err != nil {
		return "", fmt.Errorf("compiling siglab: %w", err)
	}
	out, err := exec.CommandContext(ctx, "gcc", "-static", "-O1", "-Wall", "-Werror", "-pthread", "-o", bin, src).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compiling siglab: %w\n%s", err, out)
	}
	if err := os.Rename(bin, path); err != nil {
		return "", fmt.Errorf("compiling siglab: %w", err)
	}
	return path, nil
}

func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil { // no HOME, as in a bare CI container
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("cache-%d", os.Geteuid()))
	}
	dir = filepath.Join(dir, "whystuck")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	return dir, nil
}

// HostPrograms gives the files that put programs of this machine into an image,
// for Import: each at /bin/NAME with its interpreter and shared libraries at
// their own paths. "NAME=PROGRAM" gives it another name ("sh=dash").
func HostPrograms(ctx context.Context, names ...string) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range names {
		as, program, ok := strings.Cut(name, "=")
		if !ok {
			program = as
		}
		path, err := exec.LookPath(program)
		if err != nil {
			return nil, fmt.Errorf("finding %s: %w", program, err)
		}
		files["/bin/"+as] = path
		libs, err := libraries(ctx, path)
		if err != nil {
			return nil, err
		}
		for _, lib := range libs {
			files[lib] = lib
		}
	}
	return files, nil
}

// libraries asks ldd. A static program has none: ldd says "not a dynamic
// executable" and exits 1.
func libraries(ctx context.Context, path string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "ldd", path)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("not a dynamic executable")) {
			return nil, nil
		}
		return nil, fmt.Errorf("asking ldd for the libraries of %s: %w: %s", path, err, out)
	}
	var libs []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		// "libc.so.6 => /lib/…/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)"
		for _, field := range strings.Fields(s.Text()) {
			if strings.HasPrefix(field, "/") {
				libs = append(libs, field)
			}
		}
	}
	return libs, nil
}
