package bed

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
)

// Since reports whether the engines here are of this version or a later one: for
// what Docker itself does otherwise since then.
func Since(ctx context.Context, major, minor int) (bool, error) {
	out, err := exec.CommandContext(ctx, "dockerd", "--version").Output()
	if err != nil {
		return false, fmt.Errorf("asking dockerd for its version: %w", err)
	}
	var first, second int
	if _, err := fmt.Sscanf(string(out), "Docker version %d.%d", &first, &second); err != nil {
		return false, fmt.Errorf("dockerd --version says %q", out)
	}
	return first > major || first == major && second >= minor, nil
}

// AtLeast is Since for a test.
func AtLeast(t testing.TB, major, minor int) bool {
	t.Helper()
	since, err := Since(t.Context(), major, minor)
	if err != nil {
		t.Fatal(err)
	}
	return since
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
