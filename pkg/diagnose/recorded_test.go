package diagnose_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
)

var update = flag.Bool("update", false, "write testdata/*.want anew")

// TestUpdateIsOff: a golden test that always writes can never fail.
func TestUpdateIsOff(t *testing.T) {
	if *update {
		t.Error("-update is on: run again without it")
	}
}

// TestRecorded judges every recorded snapshot: captures of real containers of
// the truth bed and the hang bed, each of which was then really stopped. It
// demands the same answer after redaction.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded snapshots: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			s := read(t, file)
			got := answer(s)
			want := strings.TrimSuffix(file, ".json") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			expected, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(expected) {
				t.Errorf("got\n%swant\n%s", got, expected)
			}
			evidence.Redact(s)
			if redacted := answer(s); redacted != got {
				t.Errorf("after redaction\n%sbefore\n%s", redacted, got)
			}
		})
	}
}

func read(t *testing.T, file string) *evidence.Snapshot {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := evidence.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	catalog.Annotate(s)
	return s
}

// answer is what a report comes to, in a line a container.
func answer(s *evidence.Snapshot) string {
	timeout := 4 // as the beds stop
	var b strings.Builder
	for _, c := range diagnose.Judge(s, diagnose.Options{Timeout: &timeout}).Containers {
		var codes []string
		for _, f := range c.Findings {
			codes = append(codes, f.Code)
		}
		sort.Strings(codes)
		fmt.Fprintf(&b, "%s %s", c.Verdict, c.Confidence)
		if c.Stop != nil {
			fmt.Fprintf(&b, " exit %s after %s unheard %d", number(c.Stop.ExitCode), number(c.Stop.AfterSeconds), len(c.Stop.KilledUnheard))
		}
		fmt.Fprintf(&b, " %s\n", strings.Join(codes, " "))
	}
	return b.String()
}

// number writes what may not be known.
func number[T int | float64](p *T) string {
	if p == nil {
		return "?"
	}
	return fmt.Sprintf("%.3g", float64(*p))
}
