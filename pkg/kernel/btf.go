package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The BTF format: https://docs.kernel.org/bpf/btf.html, include/uapi/linux/btf.h.
const (
	btfMagic     = 0xeb9f
	btfHeaderLen = 24
	btfTypeLen   = 12
)

const (
	kindInt = 1 + iota
	kindPtr
	kindArray
	kindStruct
	kindUnion
	kindEnum
	kindFwd
	kindTypedef
	kindVolatile
	kindConst
	kindRestrict
	kindFunc
	kindFuncProto
	kindVar
	kindDatasec
	kindFloat
	kindDeclTag
	kindTypeTag
	kindEnum64
)

// btfExtra is what follows a type's 12 bytes: a fixed part, and one part for each
// of its vlen members. A kind that is not here cannot be stepped over.
var btfExtra = [...]struct{ fixed, each int }{
	kindInt: {4, 0}, kindPtr: {}, kindArray: {12, 0}, kindStruct: {0, 12}, kindUnion: {0, 12},
	kindEnum: {0, 8}, kindFwd: {}, kindTypedef: {}, kindVolatile: {}, kindConst: {}, kindRestrict: {},
	kindFunc: {}, kindFuncProto: {0, 8}, kindVar: {4, 0}, kindDatasec: {0, 12}, kindFloat: {},
	kindDeclTag: {4, 0}, kindTypeTag: {}, kindEnum64: {0, 12},
}

var errBTF = errors.New("malformed BTF")

// mapBTF returns the file's bytes without copying them where the kernel allows
// it (Linux 6.16); release ends their use.
func mapBTF(path string) (raw []byte, release func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > 0 && st.Size() < 1<<28 {
		m, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_POPULATE)
		if err == nil {
			return m, func() { _ = unix.Munmap(m) }, nil
		}
	}
	raw, err = os.ReadFile(path)
	return raw, func() {}, err
}

// btfTable is the two sections of a BTF.
type btfTable struct {
	types   []byte
	strings []byte // ends in NUL
}

func parseBTF(raw []byte) (*btfTable, error) {
	if len(raw) < btfHeaderLen || binary.NativeEndian.Uint16(raw) != btfMagic {
		return nil, fmt.Errorf("%w: header", errBTF)
	}
	word := func(i int) uint64 { return uint64(binary.NativeEndian.Uint32(raw[i:])) }
	base := word(4)
	section := func(off, size uint64) []byte {
		if from := base + off; from+size <= uint64(len(raw)) {
			return raw[from : from+size]
		}
		return nil
	}
	b := &btfTable{types: section(word(8), word(12)), strings: section(word(16), word(20))}
	if n := len(b.strings); b.types == nil || n == 0 || b.strings[n-1] != 0 {
		return nil, fmt.Errorf("%w: sections", errBTF)
	}
	return b, nil
}

// btfType is the fixed part of one type.
type btfType struct {
	name       uint32
	kind, vlen int
	size       int // of the whole entry
}

func (b *btfTable) typeAt(off int) (btfType, error) {
	if off+btfTypeLen > len(b.types) {
		return btfType{}, fmt.Errorf("%w: type at %d", errBTF, off)
	}
	info := binary.NativeEndian.Uint32(b.types[off+4:])
	t := btfType{name: binary.NativeEndian.Uint32(b.types[off:]), kind: int(info >> 24 & 0x1f), vlen: int(info & 0xffff)}
	if t.kind == 0 || t.kind >= len(btfExtra) {
		return t, fmt.Errorf("%w: type at %d is of unknown kind %d", errBTF, off, t.kind)
	}
	t.size = btfTypeLen + btfExtra[t.kind].fixed + t.vlen*btfExtra[t.kind].each
	if off+t.size > len(b.types) {
		return t, fmt.Errorf("%w: type at %d is cut short", errBTF, off)
	}
	return t, nil
}

// named reports whether the string at off is want. The table ends in NUL.
func (b *btfTable) named(off uint32, want string) bool {
	end := uint64(off) + uint64(len(want))
	return end < uint64(len(b.strings)) && b.strings[end] == 0 && string(b.strings[off:end]) == want
}
