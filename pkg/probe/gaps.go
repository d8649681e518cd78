package probe

import (
	"path/filepath"
	"strings"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// addGaps merges the gaps of a step into the target's. One gap stands for all
// of the same file and kind, under the first path: as an ordinary user every
// process of a container would give four, and nobody reads four hundred lines.
func addGaps(t *evidence.Target, gaps ...evidence.Gap) {
	for _, g := range gaps {
		if !hasGap(t.Gaps, g) {
			t.Gaps = append(t.Gaps, g)
		}
	}
}

func hasGap(list []evidence.Gap, g evidence.Gap) bool {
	for _, old := range list {
		if old.Kind == g.Kind && old.Matters == g.Matters && fileOf(old.Path) == fileOf(g.Path) {
			return true
		}
	}
	return false
}

// fileOf is the part of a path that names the kind of file: its base name, or
// the directory's for /proc/PID/fdinfo/7 and for /proc/PID itself.
func fileOf(path string) string {
	base := filepath.Base(path)
	if strings.Trim(base, "0123456789") == "" {
		dir := filepath.Base(filepath.Dir(path))
		return dir + "/N"
	}
	return base
}
