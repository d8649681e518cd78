package inside

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// fakeMemory is a fake process: pieces by address. Reads inside one piece work, all
// others fail as EFAULT does.
type fakeMemory map[uint64][]byte

func (m fakeMemory) peek(addr uint64, n int) ([]byte, error) {
	for at, piece := range m {
		if addr >= at && addr-at < uint64(len(piece)) && uint64(n) <= uint64(len(piece))-(addr-at) {
			return piece[addr-at:][:n], nil
		}
	}
	return nil, fmt.Errorf("bad address %#x", addr)
}

// words lays out 64-bit words at byte offsets.

func words(size int, at map[int]uint64) []byte {
	out := make([]byte, size)
	for offset, v := range at {
		binary.LittleEndian.PutUint64(out[offset:], v)
	}
	return out
}

func caught(n ...int) *evidence.Process {
	return &evidence.Process{Signals: &evidence.Signals{Caught: evidence.SetOf(n...)}}
}

// handle is a uv_signal_t.

func handle(signum, left, right, parent uint64) []byte {
	return words(uvHandleSize, map[int]uint64{8: 0x10, 16: 16, 104: signum, 112: left, 120: right, 128: parent})
}

func TestNodeTree(t *testing.T) {
	const tree, a, b, c = 0x1000, 0x2000, 0x3000, 0x4000
	head := func(root uint64) []byte { return words(8, map[int]uint64{0: root}) }
	good := fakeMemory{tree: head(b), a: handle(1, 0, 0, b), b: handle(15, a, c, 0), c: handle(15, 0, 0, b)}
	for name, m := range map[string]fakeMemory{
		"cycle":         {tree: head(a), a: handle(1, a, 0, 0)},
		"long cycle":    {tree: head(a), a: handle(1, b, 0, 0), b: handle(1, a, 0, a)},
		"no parent":     {tree: head(b), a: handle(1, 0, 0, 0), b: handle(15, a, 0, 0)},
		"out of order":  {tree: head(b), a: handle(15, 0, 0, b), b: handle(2, a, 0, 0)},
		"signal 0":      {tree: head(a), a: handle(0, 0, 0, 0)},
		"signal 65":     {tree: head(a), a: handle(65, 0, 0, 0)},
		"not mapped":    {tree: head(a)},
		"misaligned":    {tree: head(a + 4), a: make([]byte, 999)},
		"another type":  {tree: head(a), a: words(uvHandleSize, map[int]uint64{8: 1, 16: 13, 104: 15})},
		"no tree":       {},
		"another color": {tree: head(a), a: words(uvHandleSize, map[int]uint64{8: 1, 16: 16, 104: 15, 136: 7})},
	} {
		if got, err := nodeFrom(tree, m, caught(1, 2, 15)); got != nil || err == nil {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	got, err := nodeFrom(tree, good, caught(1, 15))
	if err != nil || !slices.Equal(got.UserHandlers, []int{1, 15}) {
		t.Errorf("tree: %+v %v", got, err)
	}
	got, err = nodeFrom(tree, fakeMemory{tree: head(0)}, caught(15))
	if err != nil || got.UserHandlers == nil || len(got.UserHandlers) != 0 {
		t.Errorf("empty tree: %+v %v", got, err)
	}
	// A signal that listens but is not caught (any more) has no handler.
	if got, err = nodeFrom(tree, good, caught(1)); err != nil || !slices.Equal(got.UserHandlers, []int{1}) {
		t.Errorf("not caught: %+v %v", got, err)
	}
}

// bashVars is a bash's memory: one page of variables.

func bashVars(traps map[int]uint64, ints map[string]uint32) (map[string]symbol, fakeMemory) {
	syms := map[string]symbol{
		"trap_list": {0x1000, 8 * bashTrapList, sttObject}, "initialize_traps": {0x9990, 9, sttFunc}, "wait_builtin": {0x9000, 9, sttFunc},
		"subshell_environment": {0x1400, 4, sttObject}, "running_trap": {0x1404, 4, sttObject}, "wait_intr_flag": {0x1408, 4, sttObject},
		"executing_builtin": {0x140c, 4, sttObject}, "interactive": {0x1418, 4, sttObject}, "waiting_for_child": {0x141c, 4, sttObject}, "this_shell_builtin": {0x1410, 8, sttObject},
	}
	page := make([]byte, 0x1000)
	for n, v := range traps {
		binary.LittleEndian.PutUint64(page[8*n:], v)
	}
	for name, v := range ints {
		binary.LittleEndian.PutUint32(page[syms[name].addr-0x1000:], v)
	}
	return syms, fakeMemory{0x1000: page, 0x5000: append([]byte("exit 3\x00"), make([]byte, 300)...)}
}

func TestBashFrom(t *testing.T) {
	p := func(call string) *evidence.Process {
		return &evidence.Process{PID: 5, Signals: &evidence.Signals{Caught: evidence.SetOf(2, 15), Ignored: evidence.SetOf(1)},
			Tasks: []evidence.Task{{TID: 5, State: "S", Syscall: &evidence.Syscall{Name: call, Args: make([]uint64, 6)}}}}
	}
	traps := map[int]uint64{0: 0x5000, 1: 1, 2: 0x9990, 3: 0, 10: 0x5000, 12: 1, 15: 0x5000}
	syms, m := bashVars(traps, map[string]uint32{"running_trap": 16})
	got, err := bashFrom(syms, m, p("wait4"))
	if err != nil || len(got.Traps) != 3 || got.Traps["EXIT"].Text != "exit 3" || got.Traps["SIGTERM"].Text != "exit 3" || !got.Traps["SIGHUP"].Ignored || got.Running != "SIGTERM" || *got.Waiting {
		t.Errorf("traps: %+v %v", got, err)
	}
	syms, m = bashVars(traps, map[string]uint32{"subshell_environment": resetTrap | 1, "wait_intr_flag": 1, "this_shell_builtin": 0x9000})
	got, err = bashFrom(syms, m, p("wait4"))
	if err != nil || len(got.Traps) != 1 || !*got.Waiting {
		t.Errorf("subshell: %+v %v", got, err)
	}
	if got, err = bashFrom(syms, m, p("futex")); err != nil || got.Waiting != nil || got.Reading != nil {
		t.Errorf("another call: %+v %v", got, err)
	}
	for _, c := range []struct {
		call    string
		ints    map[string]uint32
		reading string
	}{
		{"read", map[string]uint32{"executing_builtin": 1}, "true"},
		{"pselect6", map[string]uint32{"executing_builtin": 2, "interactive": 1}, "true"},
		{"read", nil, "false"},
		{"read", map[string]uint32{"interactive": 1}, "nil"},
		{"pselect6", nil, "nil"},
	} {
		syms, m := bashVars(nil, c.ints)
		got, err := bashFrom(syms, m, p(c.call))
		reading := "nil"
		if err == nil && got.Reading != nil {
			reading = fmt.Sprint(*got.Reading)
		}
		if err != nil || reading != c.reading {
			t.Errorf("%s %v: %s, want %s; %v", c.call, c.ints, reading, c.reading, err)
		}
	}
	syms, m = bashVars(nil, nil)
	delete(syms, "waiting_for_child")
	if got, err := bashFrom(syms, m, p("read")); err != nil || got.Reading != nil {
		t.Errorf("read of bash before 5.1: %+v %v", got, err)
	}
	for _, name := range []string{"trap_list", "initialize_traps", "wait_builtin", "wait_intr_flag", "subshell_environment", "running_trap", "this_shell_builtin"} {
		syms, m := bashVars(nil, map[string]uint32{"wait_intr_flag": 1})
		delete(syms, name)
		if got, err := bashFrom(syms, m, p("wait4")); !errors.Is(err, errUnknown) {
			t.Errorf("without %s: %+v %v", name, got, err)
		}
	}
	syms, m = bashVars(map[int]uint64{15: 0xdead000}, nil)
	if got, err := bashFrom(syms, m, p("wait4")); got != nil || err == nil {
		t.Errorf("wild pointer: %+v %v", got, err)
	}
}

func TestPHPFrom(t *testing.T) {
	table := func(active uint64, at map[int]uint64) fakeMemory {
		g := words(zendSize, map[int]uint64{8: active << 32})
		for n, v := range at {
			binary.LittleEndian.PutUint64(g[zendHandlers+zendEntry*(n-1)+zendHandler:], v)
		}
		return fakeMemory{0x1000: g}
	}
	got, err := phpFrom(0x1000, table(1, map[int]uint64{2: 1, 15: 0x550000, 10: 0x550000, 27: 0x560000, 64: 0x550000}), caught(15, 27, 64))
	if err != nil || !slices.Equal(got.UserHandlers, []int{15, 64}) {
		t.Errorf("%+v %v", got, err)
	}
	for name, m := range map[string]fakeMemory{
		"between requests": table(0, nil), "another layout": table(0x7fff0000, nil), "wild handler": table(1, map[int]uint64{3: 77}), "not mapped": {},
	} {
		if got, err := phpFrom(0x1000, m, caught(15)); got != nil || err == nil {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestParseGoSig(t *testing.T) {
	good := words(goSigSize, map[int]uint64{20: 1 << 15, 32: 0, 56: 1, 64: 1})
	good[goIgnored] = 1 << 2
	wanted, ignored, err := parseGoSig(good)
	if err != nil || wanted != evidence.SetOf(15) || ignored != evidence.SetOf(2) {
		t.Errorf("%s %s %v", wanted, ignored, err)
	}
	for name, change := range map[string]func([]byte){
		"state": func(b []byte) { b[goState] = 3 }, "in use": func(b []byte) { b[goInUse] = 2 },
		"signal 66": func(b []byte) { b[goWanted+8] = 4 }, "wanted, not in use": func(b []byte) { b[goInUse] = 0 },
		"wanted and ignored": func(b []byte) { b[goIgnored+1] = 0x80 },
	} {
		bad := bytes.Clone(good)
		change(bad)
		if _, _, err := parseGoSig(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for version, want := range map[string]int{"go1.22.1": 22, "go1.26.8 X:boringcrypto": 26, "go1.20": 20, "go1.27rc1": 27, "devel go1.28-abc": -1, "go2.1": -1, "": -1, "go1.99999999999999999999": -1} {
		if got := goMinor(version); got != want {
			t.Errorf("%q: %d, want %d", version, got, want)
		}
	}
}

// TestImage reads real files of this machine as if they were running.

// ownELF is bash's file with its own entry and program header count.

// TestCorruptImage turns every byte that leads the reader somewhere into others:

// each try ends with an answer or an error, and within its budget of reads.

// tryImage asks everything of a file that any reader asks.
