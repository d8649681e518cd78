package bed

import (
	"fmt"
	"os/exec"
	"testing"
)

// AtLeast reports whether the engines here are of this version or a later one: for
// what Docker itself does otherwise since then.
func AtLeast(t testing.TB, major, minor int) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dockerd", "--version").Output()
	if err != nil {
		t.Fatalf("asking dockerd for its version: %v", err)
	}
	var first, second int
	if _, err := fmt.Sscanf(string(out), "Docker version %d.%d", &first, &second); err != nil {
		t.Fatalf("dockerd --version says %q", out)
	}
	return first > major || first == major && second >= minor
}

// ForgottenExit is the exit code that an engine books an end with of which it knows
// nothing: 255, and from 24.0 on 0 (moby daemon/monitor.go handleContainerExit).
func ForgottenExit(t testing.TB) int {
	t.Helper()
	if AtLeast(t, 24, 0) {
		return 0
	}
	return 255
}
