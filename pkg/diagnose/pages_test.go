package diagnose_test

import (
	"strings"
	"testing"

	"github.com/whystuck/whystuck/docs"
	"github.com/whystuck/whystuck/pkg/diagnose"
)

// TestPages: every rule has its page, under the same title.
func TestPages(t *testing.T) {
	for code, title := range diagnose.Titles() {
		if got := docs.Title(code); !strings.Contains(got, title) {
			t.Errorf("%s: page says %q, rule says %q", code, got, title)
		}
	}
}
