package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// smallELF is one segment (file 0x1000 at address 0x401000) and three functions.
func smallELF() []byte {
	le := binary.LittleEndian
	str := []byte("\x00local\x00global\x00bare\x00")
	sym := func(name uint32, bind elf.SymBind, value, size uint64) elf.Sym64 {
		return elf.Sym64{Name: name, Info: elf.ST_INFO(bind, elf.STT_FUNC), Shndx: 1, Value: value, Size: size}
	}
	syms := []elf.Sym64{
		{}, sym(1, elf.STB_LOCAL, 0x401010, 16), sym(7, elf.STB_GLOBAL, 0x401010, 8), sym(14, elf.STB_GLOBAL, 0x401040, 0),
		sym(1, elf.STB_LOCAL, 0xffffffffffffffff, 99),
	}
	const head, seg, sec = 64, 56, 64
	symAt := uint64(head + seg + 3*sec)
	strAt := symAt + uint64(len(syms))*elf.Sym64Size
	h := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
		Phoff: head, Phentsize: seg, Phnum: 1, Shoff: head + seg, Shentsize: sec, Shnum: 3,
	}
	var b bytes.Buffer
	for _, part := range []any{
		h,
		elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 0x1000, Vaddr: 0x401000, Filesz: 0x1000},
		elf.Section64{},
		elf.Section64{Type: uint32(elf.SHT_SYMTAB), Off: symAt, Size: uint64(len(syms)) * elf.Sym64Size, Link: 2},
		elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: strAt, Size: uint64(len(str))},
		syms, str,
	} {
		_ = binary.Write(&b, le, part)
	}
	return b.Bytes()
}

func TestSymbolAt(t *testing.T) {
	for offset, want := range map[uint64]string{
		0x1010: "global", 0x1017: "global", // of two names for it
		0x1018: "local", 0x101f: "local", // the longer one
		0x100f: "", 0x1020: "",
		0x1040: "bare", 0x1041: "", // without a size
	} {
		got, err := symbolAt(context.Background(), bytes.NewReader(smallELF()), offset)
		if err != nil || got != want {
			t.Errorf("%#x: %q, %v, want %q", offset, got, err, want)
		}
	}
}

func TestSymbolAtRefuses(t *testing.T) {
	damage := map[string]func(b []byte){
		"no ELF":            func(b []byte) { b[1] = 'X' },
		"32 bit":            func(b []byte) { b[4] = 1 },
		"too many sections": func(b []byte) { b[60], b[61] = 0xff, 0xff },
		"sections far off":  func(b []byte) { b[46] = 0xff },
		"endless table":     func(b []byte) { binary.LittleEndian.PutUint64(b[64+56+64+32:], 1<<62) },
		"no such strings":   func(b []byte) { binary.LittleEndian.PutUint64(b[64+56+128+24:], 1<<40) },
		"code not mapped":   func(b []byte) { b[64] = 9 },
	}
	for name, do := range damage {
		b := smallELF()
		do(b)
		if s, err := symbolAt(context.Background(), bytes.NewReader(b), 0x1010); !errors.Is(err, errELF) || s != "" {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := symbolAt(ctx, bytes.NewReader(smallELF()), 0x1010); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The functions that a shell exports, as debug/elf reads them.
func TestSymbolAtRealFile(t *testing.T) {
	path, err := exec.LookPath("bash")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ref, err := elf.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	syms, err := ref.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	at := map[uint64]map[string]bool{} // aliases share an address
	for _, s := range syms {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Section != elf.SHN_UNDEF && s.Size > 0 {
			if at[s.Value] == nil {
				at[s.Value] = map[string]bool{}
			}
			at[s.Value][s.Name] = true
		}
	}
	checked := 0
	for addr, names := range at {
		if checked++; checked > 50 {
			break
		}
		got, err := symbolAt(context.Background(), f, fileOffset(ref, addr))
		if err != nil || !names[got] {
			t.Errorf("%#x: %q, %v, want one of %v", addr, got, err, names)
		}
	}
	if checked == 0 {
		t.Error("nothing was checked")
	}
}

func fileOffset(f *elf.File, addr uint64) uint64 {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr < p.Vaddr+p.Filesz {
			return addr - p.Vaddr + p.Off
		}
	}
	return 0
}

func FuzzSymbolAt(f *testing.F) {
	f.Add(smallELF(), uint64(0x1010))
	f.Fuzz(func(t *testing.T, b []byte, offset uint64) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		name, err := symbolAt(ctx, bytes.NewReader(b), offset)
		if len(name) > maxName || name != "" && err != nil {
			t.Errorf("%q, %v", name, err)
		}
	})
}
