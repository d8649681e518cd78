package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// block is a block of code of a page: ```language name.
var block = regexp.MustCompile("(?ms)^```(\\w+) ?(\\S*)\n(.*?)^```$")

// TestCIPage runs the commands of docs/ci.md over the files that it shows, and
// holds what they print against the page.
func TestCIPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	ran := 0
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		language, name, text := m[1], m[2], m[3]
		switch {
		case name != "":
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		case language == "console":
			command, want, _ := strings.Cut(text, "\n")
			args, ok := strings.CutPrefix(command, "$ whystuck ")
			if !ok {
				t.Fatalf("not a command of ours: %s", command)
			}
			var out, errs bytes.Buffer
			sys := Host("1.2.3-test")
			sys.Out, sys.Err = &out, &errs
			sys.Terminal = func() (int, bool) { return 0, false }
			Main(context.Background(), strings.Fields(args), sys)
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Errorf("%s (-page +program):\n%s%s", command, diff, errs.String())
			}
			ran++
		}
	}
	if ran < 2 {
		t.Errorf("only %d commands on the page: the test looks in the wrong place", ran)
	}
}
