package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The environment is put together as docker run does it.
func TestEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	long := strings.Repeat("x", 100_000)
	if err := os.WriteFile(file, []byte("# no\n\n  A=1\nHERE\nNOWHERE\nB=x=y # kept\r\nC="+long+"\nD=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string { return map[string]string{"HERE": "yes"}[name] }
	got, err := environment([]string{"A=2", "HERE", "NOWHERE", "EMPTY="}, []string{file}, getenv)
	want := []string{"A=1", "HERE=yes", "B=x=y # kept", "C=" + long, "D=1", "A=2", "HERE=yes", "EMPTY="}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%.300q, %v; want %.300q", got, err, want)
	}
}

// A seccomp profile goes to the engine as its text.
func TestSecurityOpts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "profile.json")
	if err := os.WriteFile(file, []byte("{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := securityOpts([]string{"seccomp=" + file, "seccomp=unconfined", "label=disable"})
	want := []string{`seccomp={"defaultAction":"SCMP_ACT_ALLOW"}`, "seccomp=unconfined", "label=disable"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
