package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFindGroup: a container whose init is gone is found where the runtime has
// recorded it, and nowhere that has not its id.
func TestFindGroup(t *testing.T) {
	id := strings.Repeat("ab", 32)
	sys := t.TempDir()
	for _, dir := range []string{"/unified/own/" + id, "/unified/other"} {
		if err := os.MkdirAll(filepath.Join(sys, "fs/cgroup", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := New(Config{Proc: t.TempDir(), Sys: sys})
	for recorded, want := range map[string]string{
		"/own/" + id: "/own/" + id, "/own/" + id + "/init": "/own/" + id, "/other": "", "/gone/" + id: "", "": "",
	} {
		if got := p.findGroup(nil, id, recorded).path; got != want {
			t.Errorf("%q: %q, want %q", recorded, got, want)
		}
	}
}
