package inside

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// memory is a fake process: pieces by address. Reads inside one piece work, all
// others fail as EFAULT does.
type memory map[uint64][]byte

func (m memory) peek(addr uint64, n int) ([]byte, error) {
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

func TestParseStat(t *testing.T) {
	rest := " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2"
	for text, want := range map[string]struct {
		state byte
		start uint64
	}{
		"12 (bash) S" + rest:      {'S', 98765},
		"12 (a) R (b c) D" + rest: {'D', 98765},
		"12 (\n) S\n) Z" + rest:   {'Z', 98765},
	} {
		state, start, err := parseStat([]byte(text))
		if err != nil || state != want.state || start != want.start {
			t.Errorf("%q: %c %d %v", text, state, start, err)
		}
	}
	for _, text := range []string{"", "12", "12 (bash", "12 (bash)", "12 (bash) S 1 2", "12 (bash) SS" + rest, strings.Replace("1 (b) S"+rest, "98765", "x", 1)} {
		if _, _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestMountType(t *testing.T) {
	const mounts = `22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a
23 22 0:21 / /proc rw - proc proc rw
24 22 0:44 / /data\040- rw master:2 shared:9 - fuse.sshfs host:/ rw
25 22 259:1 / /disk rw - ext4 /dev/nvme0n1p1 rw
junk
26 22 0:50 / /short
`
	for _, c := range []struct{ id, dev, want string }{
		{"22", "0:20", "overlay"},
		{"24", "9:9", "fuse.sshfs"},
		{"", "259:1", "ext4"},
		{"", "0:44", "fuse.sshfs"},
		{"26", "", ""},
		{"99", "0:20", ""},
		{"", "8:8", ""},
	} {
		if got := mountType([]byte(mounts), c.id, c.dev); got != c.want {
			t.Errorf("mount %q %q: %q, want %q", c.id, c.dev, got, c.want)
		}
	}
	for _, bad := range []string{"", "fuse", "fuse.sshfs", "nfs", "nfs4", "cifs", "9p", "virtiofs", "ceph", "proc"} {
		if localTypes[bad] {
			t.Errorf("%q counts as local", bad)
		}
	}
}

func TestProgramHint(t *testing.T) {
	golike := ^evidence.SigSet(0)
	for _, c := range []struct {
		p    evidence.Process
		want string
	}{
		{evidence.Process{Exe: "/usr/bin/bash"}, programBash},
		{evidence.Process{Exe: "/bin/sh (deleted)"}, programBash},
		{evidence.Process{Argv: []string{"-bash"}}, programBash},
		{evidence.Process{Exe: "/bin/dash", Argv: []string{"bash"}}, ""},
		{evidence.Process{Exe: "/bin/busybox", Argv: []string{"sh"}}, ""},
		{evidence.Process{Exe: "/usr/local/bin/node"}, programNode},
		{evidence.Process{Exe: "/usr/bin/nodejs"}, programNode},
		{evidence.Process{Exe: "/usr/bin/php8.2"}, programPHP},
		{evidence.Process{Exe: "/usr/sbin/php-fpm8.2"}, ""},
		{evidence.Process{Exe: "/app", Signals: &evidence.Signals{Caught: golike}}, programGo},
		{evidence.Process{Exe: "/app", Signals: &evidence.Signals{}}, ""},
		{evidence.Process{}, ""},
	} {
		if got := programHint(&c.p); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.p.Exe, c.p.Argv, got, c.want)
		}
	}
}

func TestUntouchable(t *testing.T) {
	for _, c := range []struct {
		p  evidence.Process
		ok bool
	}{
		{evidence.Process{State: "S"}, true},
		{evidence.Process{State: "R"}, true},
		{evidence.Process{State: "S", Flags: 0x400100}, true},
		{evidence.Process{State: "S", Flags: 0x4}, false},
		{evidence.Process{State: "R", Flags: 0x400}, false},
		{evidence.Process{State: "S", Tasks: []evidence.Task{{State: "S"}, {TID: 7, State: "D"}}}, false},
		{evidence.Process{State: "D"}, false},
		{evidence.Process{PID: 7, State: "D", Tasks: []evidence.Task{{TID: 7, State: "D", Again: &evidence.SecondLook{State: "S"}}}}, true},
		{evidence.Process{PID: 7, State: "D", Tasks: []evidence.Task{{TID: 7, State: "D", Again: &evidence.SecondLook{State: "D", Moved: true}}}}, false},
		{evidence.Process{PID: 7, State: "S", Tasks: []evidence.Task{{TID: 8, State: "D", Again: &evidence.SecondLook{State: "R"}}}}, true},
		{evidence.Process{State: "T"}, false},
		{evidence.Process{State: "t"}, false},
		{evidence.Process{State: "Z"}, false},
		{evidence.Process{}, false},
	} {
		if got := untouchable(&c.p); (got == "") != c.ok {
			t.Errorf("%+v: %q", c.p, got)
		}
	}
}

func TestAuxv(t *testing.T) {
	good := words(64, map[int]uint64{0: 5, 8: 13, 16: 9, 24: 0x401000})
	if entry, phnum, err := parseAuxv(good); entry != 0x401000 || phnum != 13 || err != nil {
		t.Errorf("%#x %d %v", entry, phnum, err)
	}
	for _, bad := range [][]byte{nil, good[:15], good[:16], words(48, map[int]uint64{16: 9, 24: 1})} {
		if _, _, err := parseAuxv(bad); err == nil {
			t.Errorf("%x: no error", bad)
		}
	}
}

// handle is a uv_signal_t.
func handle(signum, left, right, parent uint64) []byte {
	return words(uvHandleSize, map[int]uint64{8: 0x10, 16: 16, 104: signum, 112: left, 120: right, 128: parent})
}

func TestNodeTree(t *testing.T) {
	const tree, a, b, c = 0x1000, 0x2000, 0x3000, 0x4000
	head := func(root uint64) []byte { return words(8, map[int]uint64{0: root}) }
	good := memory{tree: head(b), a: handle(1, 0, 0, b), b: handle(15, a, c, 0), c: handle(15, 0, 0, b)}
	for name, m := range map[string]memory{
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
	got, err = nodeFrom(tree, memory{tree: head(0)}, caught(15))
	if err != nil || got.UserHandlers == nil || len(got.UserHandlers) != 0 {
		t.Errorf("empty tree: %+v %v", got, err)
	}
	// A signal that listens but is not caught (any more) has no handler.
	if got, err = nodeFrom(tree, good, caught(1)); err != nil || !slices.Equal(got.UserHandlers, []int{1}) {
		t.Errorf("not caught: %+v %v", got, err)
	}
}

// bashVars is a bash's memory: one page of variables.
func bashVars(traps map[int]uint64, ints map[string]uint32) (map[string]symbol, memory) {
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
	return syms, memory{0x1000: page, 0x5000: append([]byte("exit 3\x00"), make([]byte, 300)...)}
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
	table := func(active uint64, at map[int]uint64) memory {
		g := words(zendSize, map[int]uint64{8: active << 32})
		for n, v := range at {
			binary.LittleEndian.PutUint64(g[zendHandlers+zendEntry*(n-1)+zendHandler:], v)
		}
		return memory{0x1000: g}
	}
	got, err := phpFrom(0x1000, table(1, map[int]uint64{2: 1, 15: 0x550000, 10: 0x550000, 27: 0x560000, 64: 0x550000}), caught(15, 27, 64))
	if err != nil || !slices.Equal(got.UserHandlers, []int{15, 64}) {
		t.Errorf("%+v %v", got, err)
	}
	for name, m := range map[string]memory{
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

func TestSets(t *testing.T) {
	m := memory{0x1000: {3, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0}}
	poll, err := pollSet(m, 0x1000, 3)
	if err != nil || !poll(3) || poll(4) || poll(0) {
		t.Errorf("poll: %v", err)
	}
	sel, err := selectSet(m, 10, 0x1000)
	if err != nil || !sel(0) || !sel(1) || sel(2) || sel(11) || sel(-1) || sel(1<<40) {
		t.Errorf("select: %v", err)
	}
	for _, n := range []uint64{4, 5000, 1 << 63, ^uint64(0)} {
		if _, err := pollSet(m, 0x1000, n); err == nil {
			t.Errorf("poll of %d: no error", n)
		}
	}
	for _, n := range []uint64{1000, 1 << 40, ^uint64(0)} {
		if _, err := selectSet(m, n, 0x1000); err == nil {
			t.Errorf("select of %d: no error", n)
		}
	}
	if set, err := selectSet(m, 5, 0); err != nil || set(1) {
		t.Errorf("select without a set: %v", err)
	}
}

func TestIsCall(t *testing.T) {
	s := &evidence.Syscall{NR: 128, Args: []uint64{0x7ffe0010, 0, 0, 8, 0, 0xffffffffffffffff}}
	for line, want := range map[string]bool{
		"128 0x7ffe0010 0x0 0x0 0x8 0x0 0xffffffffffffffff 0x7ffd 0x7f00\n": true,
		"128 0x7ffe0010 0x0 0x0 0x8 0x0 0xfffffffffffffff 0x7ffd 0x7f00\n":  false,
		"128 0x7ffe0018 0x0 0x0 0x8 0x0 0xffffffffffffffff 0x7ffd 0x7f00\n": false,
		"running\n": false, "": false, "1280x7ffe0010": false,
	} {
		if got := isCall([]byte(line), s); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

// TestImage reads real files of this machine as if they were running.
func TestImage(t *testing.T) {
	data, entry, phnum := ownELF(t)
	img, err := parseImage(bytes.NewReader(data), entry+0x555500000000, phnum)
	if err != nil || img.bias != 0x555500000000 {
		t.Fatalf("%+v %v", img, err)
	}
	for name, change := range map[string]struct{ entry, phnum uint64 }{"entry": {entry + 1, phnum}, "program headers": {entry, phnum + 1}} {
		if _, err := parseImage(bytes.NewReader(data), change.entry, change.phnum); !errors.Is(err, errUnknown) {
			t.Errorf("%s does not fit: %v", name, err)
		}
	}
	syms, err := img.exported("trap_list", "wait_builtin", "no_such_name", "")
	if err != nil || len(syms) != 2 || syms["trap_list"].size != 8*bashTrapList || syms["wait_builtin"].kind != sttFunc {
		t.Errorf("%+v %v", syms, err)
	}
	if _, ok := img.named(".dynsym"); !ok {
		t.Error("no .dynsym")
	}
	if _, ok := img.named("dynsym"); ok {
		t.Error("found by the end of a name")
	}
}

// ownELF is bash's file with its own entry and program header count.
func ownELF(t testing.TB) (data []byte, entry, phnum uint64) {
	t.Helper()
	data, err := os.ReadFile("/bin/bash")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return data, le64(data[24:]), uint64(le16(data[56:]))
}

// TestCorruptImage turns every byte that leads the reader somewhere into others:
// each try ends with an answer or an error, and within its budget of reads.
func TestCorruptImage(t *testing.T) {
	data, entry, phnum := ownELF(t)
	at := []int{}
	for i := 0; i < ehdrSize; i++ {
		at = append(at, i)
	}
	shoff, count := int(le64(data[40:])), int(le16(data[60:]))
	for i := 0; i < count*shdrSize; i++ {
		at = append(at, shoff+i)
	}
	img, err := parseImage(bytes.NewReader(data), entry, phnum)
	if err != nil {
		t.Fatal(err)
	}
	hash, _ := img.section(shtGNUHash)
	for i := 0; i < 16; i++ {
		at = append(at, int(hash.offset)+i)
	}
	for _, i := range at {
		old := data[i]
		for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff, old + 1} {
			data[i] = v
			tryImage(data, entry, phnum)
		}
		data[i] = old
	}
	for n := 0; n < len(data); n += 997 {
		tryImage(data[:n], entry, phnum)
	}
}

// tryImage asks everything of a file that any reader asks.
func tryImage(data []byte, entry, phnum uint64) {
	r := &boundedFile{f: bytes.NewReader(data), ctx: context.Background(), left: maxFile}
	img, err := parseImage(r, entry, phnum)
	if err != nil {
		return
	}
	m := memory{}
	_, _ = readBash(img, m, caught(15))
	_, _ = readNode(img, m, caught(15))
	_, _ = readPHP(img, m, caught(15))
	_, _ = readGo(img, m)
	_, _ = img.hidden("runtime.sig", 72, false)
	_, _ = img.exported("trap_list")
}

func TestBoundedFile(t *testing.T) {
	r := &boundedFile{f: bytes.NewReader(make([]byte, 100)), ctx: context.Background(), left: 10}
	buf := make([]byte, 8)
	if _, err := r.ReadAt(buf, 0); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadAt(buf, 0); !errors.Is(err, errUnknown) {
		t.Errorf("over budget: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r = &boundedFile{f: bytes.NewReader(make([]byte, 100)), ctx: ctx, left: 100}
	if _, err := r.ReadAt(buf, 0); !errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		t.Errorf("cancelled: %v", err)
	}
}
