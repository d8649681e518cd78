package diagnose_test

import (
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

// A thread of dockerd on the container's files: one that waits for a busy disk for
// a moment is no trouble, and what one file waits for need not be in another's way.
func TestLogFile(t *testing.T) {
	moment := 40
	for name, c := range map[string]struct {
		change func(*evidence.LogPath, *evidence.Task)
		conf   diagnose.Confidence // "" for no finding
	}{
		"frozen":                {func(*evidence.LogPath, *evidence.Task) {}, diagnose.Likely},
		"frozen, another's":     {func(l *evidence.LogPath, _ *evidence.Task) { l.Beside = true }, diagnose.Assumed},
		"frozen for a moment":   {func(_ *evidence.LogPath, t *evidence.Task) { t.Again.SleptMillis = &moment }, diagnose.Assumed},
		"the disk":              {func(_ *evidence.LogPath, t *evidence.Task) { onDisk(t) }, diagnose.Assumed},
		"the disk, a moment":    {func(_ *evidence.LogPath, t *evidence.Task) { onDisk(t); t.Again.SleptMillis = &moment }, ""},
		"the disk, another's":   {func(l *evidence.LogPath, t *evidence.Task) { onDisk(t); l.Beside = true }, ""},
		"it has moved on since": {func(_ *evidence.LogPath, t *evidence.Task) { t.Again.Moved = true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, "testdata/log-frozen.json")
			tasks := s.Host.Engine.Parts[slices.IndexFunc(s.Host.Engine.Parts, func(p evidence.Part) bool { return p.Role == evidence.RoleDaemon })].Process.Tasks
			path := s.Targets[0].Log
			c.change(path, &tasks[slices.IndexFunc(tasks, func(t evidence.Task) bool { return t.TID == path.DaemonTID })])
			got := diagnose.Judge(s, diagnose.Options{}).Containers[0]
			found := slices.ContainsFunc(got.Findings, func(f diagnose.Finding) bool { return f.Code == "WS327" })
			if found != (c.conf != "") || found && (got.Verdict != diagnose.Stuck || got.Confidence != c.conf) || !found && got.Verdict != diagnose.Stops {
				t.Errorf("%s %s, WS327 %t; want %s", got.Verdict, got.Confidence, found, c.conf)
			}
		})
	}
}

// onDisk makes a task wait for a block device.
func onDisk(t *evidence.Task) { t.Stack = []string{"io_schedule", "bit_wait_io", "__wait_on_buffer"} }
