package kernel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Bounds on what a container's file can make us read. The largest table in common
// use is node's, of some 10 MB.
const (
	maxSections = 1024
	maxSegments = 256
	maxRead     = 96 << 20 // bytes in all
	maxName     = 512
)

var errELF = errors.New("not an ELF file that can be read")

// symbolCache remembers names by file: the workers of a server share one.
type symbolCache struct {
	mu    sync.Mutex
	names map[symbolKey]string
}

type symbolKey struct {
	dev, ino uint64
	mtime    unix.Timespec
	offset   uint64
}

// lookup names the function at a file's offset, "" when it has no symbols there or
// is no ELF file.
func (c *symbolCache) lookup(ctx context.Context, f *os.File, offset uint64) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", fmt.Errorf("looking at %q: %w", f.Name(), err)
	}
	key := symbolKey{dev: uint64(st.Dev), ino: st.Ino, mtime: st.Mtim, offset: offset}
	c.mu.Lock()
	name, known := c.names[key]
	c.mu.Unlock()
	if known {
		return name, nil
	}
	name, err := symbolAt(ctx, f, offset)
	if err != nil && !errors.Is(err, errELF) {
		return "", fmt.Errorf("reading symbols of %q: %w", f.Name(), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names == nil {
		c.names = map[symbolKey]string{}
	}
	c.names[key] = name
	return name, nil
}

// symbolAt names the function that holds the byte at offset of an ELF file, ""
// when none does. It keeps no table: memory stays at one chunk however large the
// file is. debug/elf would read whole sections of the size that the file claims.
//
// 64-bit little-endian files only; another is errELF.
func symbolAt(ctx context.Context, r io.ReaderAt, offset uint64) (string, error) {
	img := elfFile{ctx: ctx, r: r, left: maxRead}
	if err := img.readHeader(); err != nil {
		return "", err
	}
	addr, err := img.addressOf(offset)
	if err != nil {
		return "", err
	}
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		name, err := img.search(kind, addr)
		if name != "" || err != nil {
			return name, err
		}
	}
	return "", nil
}

type elfFile struct {
	ctx      context.Context
	r        io.ReaderAt
	left     int // bytes that may still be read
	header   elf.Header64
	sections []elf.Section64
}

func (e *elfFile) readHeader() error {
	if err := e.read(0, &e.header); err != nil {
		return err
	}
	h := &e.header
	is64 := h.Ident[elf.EI_CLASS] == byte(elf.ELFCLASS64) && h.Ident[elf.EI_DATA] == byte(elf.ELFDATA2LSB)
	sized := h.Shentsize == uint16(binary.Size(elf.Section64{})) && h.Phentsize == uint16(binary.Size(elf.Prog64{}))
	if !bytes.HasPrefix(h.Ident[:], []byte(elf.ELFMAG)) || !is64 || !sized || h.Shnum > maxSections || h.Phnum > maxSegments {
		return errELF
	}
	e.sections = make([]elf.Section64, h.Shnum)
	return e.read(h.Shoff, e.sections)
}

// addressOf turns a file offset into the address that symbols are given in.
func (e *elfFile) addressOf(offset uint64) (uint64, error) {
	segments := make([]elf.Prog64, e.header.Phnum)
	if err := e.read(e.header.Phoff, segments); err != nil {
		return 0, err
	}
	for _, s := range segments {
		if elf.ProgType(s.Type) == elf.PT_LOAD && offset >= s.Off && offset-s.Off < s.Filesz {
			return offset - s.Off + s.Vaddr, nil
		}
	}
	return 0, errELF
}

// search looks through the tables of one kind for the function that holds addr.
func (e *elfFile) search(kind elf.SectionType, addr uint64) (string, error) {
	for _, table := range e.sections {
		if elf.SectionType(table.Type) != kind || table.Link >= uint32(len(e.sections)) {
			continue
		}
		best, found, err := e.bestSymbol(table, addr)
		if err != nil {
			return "", err
		}
		if found {
			return e.name(e.sections[table.Link], best.Name)
		}
	}
	return "", nil
}

// symbolsAtOnce is how many entries are read in one go.
const symbolsAtOnce = 2048

// bestSymbol finds the function that holds addr; of several names for it the
// global one, as linkers do.
func (e *elfFile) bestSymbol(table elf.Section64, addr uint64) (best elf.Sym64, found bool, err error) {
	chunk := make([]byte, symbolsAtOnce*elf.Sym64Size)
	for done := uint64(0); table.Size-done >= elf.Sym64Size; {
		n := min(uint64(len(chunk)), (table.Size-done)/elf.Sym64Size*elf.Sym64Size)
		if err := e.bytes(table.Off+done, chunk[:n]); err != nil {
			return best, false, err
		}
		done += n
		for b := chunk[:n]; len(b) > 0; b = b[elf.Sym64Size:] {
			if s := decodeSymbol(b); holds(s, addr) && (!found || rank(s) > rank(best)) {
				best, found = s, true
			}
		}
	}
	return best, found, nil
}

func decodeSymbol(b []byte) elf.Sym64 {
	le := binary.LittleEndian
	return elf.Sym64{Name: le.Uint32(b), Info: b[4], Shndx: le.Uint16(b[6:]), Value: le.Uint64(b[8:]), Size: le.Uint64(b[16:])}
}

// holds: assembly often gives its functions no size.
func holds(s elf.Sym64, addr uint64) bool {
	if s.Shndx == uint16(elf.SHN_UNDEF) || elf.ST_TYPE(s.Info) != elf.STT_FUNC {
		return false
	}
	return addr >= s.Value && addr-s.Value < max(s.Size, 1)
}

func rank(s elf.Sym64) int {
	switch elf.ST_BIND(s.Info) {
	case elf.STB_GLOBAL:
		return 2
	case elf.STB_WEAK:
		return 1
	}
	return 0
}

// name reads a string of a string table, cut to maxName bytes.
func (e *elfFile) name(table elf.Section64, at uint32) (string, error) {
	if uint64(at) >= table.Size {
		return "", errELF
	}
	b := make([]byte, min(maxName, table.Size-uint64(at)))
	if err := e.bytes(table.Off+uint64(at), b); err != nil {
		return "", err
	}
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b), nil
}

// read decodes a struct, or a slice of them, at a file offset.
func (e *elfFile) read(off uint64, into any) error {
	b := make([]byte, binary.Size(into))
	if err := e.bytes(off, b); err != nil {
		return err
	}
	_, err := binary.Decode(b, binary.LittleEndian, into)
	return err
}

// bytes fills b from a file offset; errELF when the file has not so
// many there or has made us read enough.
func (e *elfFile) bytes(off uint64, b []byte) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if off > maxFileSize || len(b) > e.left {
		return errELF
	}
	e.left -= len(b)
	_, err := e.r.ReadAt(b, int64(off))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errELF
	}
	return err
}
