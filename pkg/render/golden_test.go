package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whystuck/whystuck/pkg/diagnose"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing")

// TestUpdateIsOff keeps a run that compares nothing from passing for a test.
func TestUpdateIsOff(t *testing.T) {
	if *update {
		t.Fatal("-update is on: the golden files were written, not compared; look at them and run again without it")
	}
}

// golden compares with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), write it with -update if this is right:\n%s", path, diff)
	}
}

type printer func(io.Writer, diagnose.Report, Options) error

// printed is what a format writes for a report.
func printed(t *testing.T, f printer, r diagnose.Report, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	tests := []struct {
		file   string
		report diagnose.Report
		format printer
		o      Options
	}{
		{"killed-shell.txt", report(killedShell()), Text, Options{}},
		{"killed-shell-60.txt", report(killedShell()), Text, Options{Width: 60}},
		{"killed-shell-140.txt", report(killedShell()), Text, Options{Width: 140}},
		{"killed-shell-color.txt", report(killedShell()), Text, Options{Width: 80, Color: true}},
		{"killed-shell.json", report(killedShell()), JSON, Options{}},
		{"stops.txt", report(stops()), Text, Options{Width: 80}},
		{"stops-signal.txt", report(withSignal(stops())), Text, Options{Width: 80}},
		{"stuck-fuse.txt", report(stuckFUSE()), Text, Options{Width: 80}},
		{"stop-running.txt", report(stopRunningNow()), Text, Options{Width: 80}},
		{"unknown.txt", report(unknown()), Text, Options{Width: 80}},
		{"unknown-no-trunc.txt", report(unknown()), Text, Options{Width: 80, NoTrunc: true}},
		{"not-running.txt", report(notRunning()), Text, Options{Width: 80}},
		{"not-running.json", report(notRunning()), JSON, Options{}},
		{"pidns.txt", report(pidns()), Text, Options{Width: 100}},
		{"hostile.txt", report(hostile()), Text, Options{Width: 80}},
		{"hostile.json", report(hostile()), JSON, Options{}},
		{"wide.txt", report(wideNames()), Text, Options{Width: 80}},
		{"many.txt", report(many()), Text, Options{Width: 100}},
		{"many-no-trunc.txt", report(many()), Text, Options{Width: 100, NoTrunc: true}},
		{"several.txt", several(), Text, Options{Width: 100}},
		{"several-60.txt", several(), Text, Options{Width: 60}},
		{"images.txt", images(), Image, Options{Width: 100}},
		{"images-60.txt", images(), Image, Options{Width: 60}},
		{"image.txt", report(images().Containers[1]), Image, Options{Width: 80}},
		{"empty.json", diagnose.Report{Schema: 1}, JSON, Options{}},
		{"template.txt", several(), Template(`{{.Name}}\t{{.Verdict}}\t{{with .Stop}}{{.TimeoutSeconds}}{{end}}`), Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			golden(t, tt.file, printed(t, tt.format, tt.report, tt.o))
		})
	}
}
