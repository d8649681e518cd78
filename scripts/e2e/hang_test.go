package e2e

import (
	"testing"

	"github.com/whystuck/whystuck/scripts/bed/silent"
)

// newHang mounts a file system that does not answer. It is released and unmounted
// with the test.
func newHang(t *testing.T) *silent.Mount {
	t.Helper()
	m, err := silent.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
