package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/engine"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// TestImageRun: the options of docker run that change what the container starts.
func TestImageRun(t *testing.T) {
	path := "/opt/bin"
	got := imageRun(&engine.Spec{Workdir: "/w", Env: []string{"PATH=/x", "A=1", "PATH=/opt/bin"}, Tmpfs: []string{"/run:size=1m"},
		Volumes: []string{"/here:/app:ro", "data:/data", "/anonymous"}})
	want := evidence.ImageRun{WorkingDir: "/w", Path: &path, Mounts: []string{"/app", "/data", "/anonymous", "/run"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRefuted: a container that ran is not said to have nothing to run.
func TestRefuted(t *testing.T) {
	for _, tt := range []struct {
		code string
		seen string // what went wrong
		want bool
	}{
		{"WS516", "WS104", true},
		{"WS516", "WS531", true},
		{"WS516", "WS530", false}, // exec format error, or an init that found nothing to start
		{"WS516", "WS533", false},
		{"WS505", "WS104", false},
	} {
		seen := &diagnose.Container{Findings: []diagnose.Finding{{Code: tt.seen}}}
		if got := refuted(diagnose.Finding{Code: tt.code}, seen); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
