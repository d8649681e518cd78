package inside

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
)

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

func ownELF(t testing.TB) (data []byte, entry, phnum uint64) {
	t.Helper()
	data, err := os.ReadFile("/bin/bash")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return data, le64(data[24:]), uint64(le16(data[56:]))
}

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

func tryImage(data []byte, entry, phnum uint64) {
	r := &boundedFile{f: bytes.NewReader(data), ctx: context.Background(), left: maxFile}
	img, err := parseImage(r, entry, phnum)
	if err != nil {
		return
	}
	m := fakeMemory{}
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
