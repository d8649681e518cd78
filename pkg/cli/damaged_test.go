package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/catalog"
	"github.com/whystuck/whystuck/pkg/diagnose"
	"github.com/whystuck/whystuck/pkg/evidence"
	"github.com/whystuck/whystuck/pkg/render"
)

// replacements are put in the place of every value of a capture, one at a time.
// Those of another type than the field's are refused by Read, which is fine.
var replacements = []any{nil, -1, 0, 1 << 40, "", "\x1b]0;x\a", true, false, []any{}, map[string]any{}}

// mutants is how many damaged captures are tried of each recorded one, evenly
// spread over all there are.
const mutants = 700

// Evidence with one value missing or absurd is judged and printed without a
// panic: captures come from other versions, other kernels and other people.
func TestDamagedEvidenceIsJudged(t *testing.T) {
	for name, data := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			var document any
			numbers := json.NewDecoder(bytes.NewReader(data))
			numbers.UseNumber() // addresses do not fit into a float
			if err := numbers.Decode(&document); err != nil {
				t.Fatal(err)
			}
			all := 0
			damage(document, func(any) {}, func() { all++ })
			at, tried, step := 0, 0, stride(all)
			damage(document, func(any) {}, func() {
				if at++; at%step != 0 {
					return
				}
				changed, err := json.Marshal(document)
				if err != nil {
					t.Fatal(err)
				}
				if s, err := evidence.Read(bytes.NewReader(changed)); err == nil {
					tried++
					survive(t, s, changed)
				}
			})
			if tried < 100 {
				t.Errorf("only %d damaged captures were readable: nothing has been tried", tried)
			}
		})
	}
}

// stride is the distance between the mutants that are tried. It shares no factor
// with the number of replacements, or the same ones would be tried everywhere.
func stride(all int) int {
	step := max(all/mutants, 1)
	for new(big.Int).GCD(nil, nil, big.NewInt(int64(step)), big.NewInt(int64(len(replacements)))).Int64() != 1 {
		step++
	}
	return step
}

// damage puts every replacement in the place of every value below v, calls try,
// and puts the old value back.
func damage(v any, set func(any), try func()) {
	for _, r := range replacements {
		set(r)
		try()
	}
	set(v)
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) { // the same mutants every time
			old := v[key]
			damage(old, func(value any) { v[key] = value }, try)
			v[key] = old
		}
	case []any:
		for i, old := range v {
			damage(old, func(value any) { v[i] = value }, try)
			v[i] = old
		}
	}
}

func survive(t *testing.T, s *evidence.Snapshot, document []byte) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Fatalf("panic: %v\non %s", v, document)
		}
	}()
	catalog.Annotate(s)
	for _, opt := range []diagnose.Options{{}, {Kill: evidence.SIGHUP}, {Signal: evidence.SIGRTMIN + 3}} {
		r := diagnose.Judge(s, opt)
		for _, c := range r.Containers {
			if c.Verdict == "" || c.Confidence == "" {
				t.Fatalf("no verdict or no confidence: %s", fmt.Sprint(c.Verdict, c.Confidence))
			}
		}
		if err := render.Text(io.Discard, r, render.Options{}); err != nil {
			t.Fatal(err)
		}
	}
}
