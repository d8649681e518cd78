package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/render"
)

// recorded gives every capture that the tests have: those of the judge, and the
// one in the script of --from.
func recorded(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	archive, err := txtar.ParseFile("testdata/script/from.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "shell.json" {
			all[f.Name] = f.Data
		}
	}
	names, err := filepath.Glob("../diagnose/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data[:min(len(data), 512)], []byte(evidence.SnapshotFormat)) {
			all[filepath.Base(name)] = data
		}
	}
	if len(all) == 0 {
		t.Fatal("no recorded snapshot found")
	}
	return all
}

// judgedFrom reads a capture as --from does and judges it.
func judgedFrom(t *testing.T, data []byte, redact bool) diagnose.Report {
	t.Helper()
	s, err := evidence.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Redacted {
		catalog.Annotate(s)
	}
	if redact {
		evidence.Redact(s)
		var b bytes.Buffer
		if err := evidence.Write(&b, s); err != nil {
			t.Fatal(err)
		}
		if s, err = evidence.Read(&b); err != nil {
			t.Fatal(err)
		}
	}
	return diagnose.Judge(s, diagnose.Options{Version: "test"})
}

// A redacted capture is judged like the whole one. The words may differ where
// they quoted what is gone, what is said may not.
func TestRedactionKeepsEveryVerdict(t *testing.T) {
	words := []cmp.Option{
		cmpopts.IgnoreFields(diagnose.Container{}, "Headline", "Processes", "Gaps"),
		cmpopts.IgnoreFields(diagnose.Finding{}, "Title", "Summary", "Evidence", "Fixes"),
		cmpopts.IgnoreFields(diagnose.Step{}, "Action", "Effect"),
		cmpopts.IgnoreFields(diagnose.Host{}, "Findings"),
		cmpopts.IgnoreFields(diagnose.Command{}, "Error"),
		cmpopts.IgnoreFields(diagnose.TargetError{}, "Message"),
	}
	for name, data := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(judgedFrom(t, data, false), judgedFrom(t, data, true), words...); diff != "" {
				t.Errorf("redaction changes the judgement (-whole +redacted):\n%s", diff)
			}
		})
	}
}

// FuzzFrom: --from takes a stranger's file. Whatever evidence is in it, judging
// and printing it ends without a panic.
func FuzzFrom(f *testing.F) {
	for _, data := range recorded(f) {
		f.Add(data, byte(15))
	}
	f.Add([]byte(`{"format":"whystuck-snapshot","schema":1,"targets":[{"kind":"container","processes":[{"pid":1}]}]}`), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, kill byte) {
		s, err := evidence.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		catalog.Annotate(s)
		r := diagnose.Judge(s, diagnose.Options{Kill: int(kill % 65)})
		for _, print := range []printer{render.Text, render.JSON} {
			if err := print(io.Discard, r, render.Options{}); err != nil && !strings.Contains(err.Error(), "year outside of range") {
				t.Fatal(err)
			}
		}
		if err := render.Signals(io.Discard, s, render.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}
