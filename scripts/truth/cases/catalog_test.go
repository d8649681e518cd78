package cases

import (
	"testing"

	"github.com/whystuck/whystuck/pkg/catalog"
)

// unmeasured are catalog rows for programs that Debian does not serve: they say
// less, and nothing about their own signals is ever more than assumed.
var unmeasured = map[string]bool{
	"dotnet": true, "deno": true, "bun": true, "mono": true, "guile": true, "rscript": true, "pause": true, "varnishd": true,
}

// TestCatalogIsMeasured: every other row of the catalog names a case of this bed.
func TestCatalogIsMeasured(t *testing.T) {
	names := map[string]bool{}
	for _, c := range All() {
		names[c.Name] = true
	}
	for _, p := range catalog.Programs() {
		if !names[p.Case] && !unmeasured[p.ID] {
			t.Errorf("row %s names the case %q, which does not exist", p.ID, p.Case)
		}
		if names[p.Case] && unmeasured[p.ID] {
			t.Errorf("row %s is measured by %s", p.ID, p.Case)
		}
	}
}
