package inside

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
)

// Parts of the ELF format (elf(5)), 64 bits, little endian. debug/elf reads
// whole symbol tables into memory, a hundred megabytes for node; this looks up
// single names where they lie.
const (
	ehdrSize, shdrSize, symSize = 64, 64, 24

	etExec, etDyn = 2, 3

	shtSymtab, shtDynsym, shtGNUHash = 2, 11, 0x6ffffff6

	maxSections = 4096
)

// Auxiliary vector entries (getauxval(3)).
const (
	atNull, atPhnum, atEntry = 0, 5, 9
)

// section is one section header.
type section struct {
	name                     uint32
	kind                     uint32
	link, info               uint32
	offset, size, entry, adr uint64
}

// image is the ELF file of a running program and where it was loaded.
type image struct {
	r        io.ReaderAt
	bias     uint64 // what is added to a symbol's value; 0 unless PIE
	sections []section
	shstrndx int
}

// newImage reads the section headers of a program file and takes the load
// address from the process: AT_ENTRY is where e_entry came to lie. The vector is
// a copy the kernel keeps (mm->saved_auxv); maps would take the mmap lock.
func newImage(r io.ReaderAt, t *target) (*image, error) {
	entry, phnum, err := parseAuxv(t.auxv)
	if err != nil {
		return nil, err
	}
	return parseImage(r, entry, phnum)
}

// parseAuxv takes AT_ENTRY and AT_PHNUM from an auxiliary vector of 64-bit words.
func parseAuxv(auxv []byte) (entry, phnum uint64, err error) {
	for ; len(auxv) >= 16 && le64(auxv) != atNull; auxv = auxv[16:] {
		value := le64(auxv[8:])
		switch le64(auxv) {
		case atEntry:
			entry = value
		case atPhnum:
			phnum = value
		}
	}
	if entry == 0 || phnum == 0 {
		return 0, 0, fmt.Errorf("auxiliary vector without entry: %w", errUnknown)
	}
	return entry, phnum, nil
}

// parseImage reads ELF and section headers. entry and phnum are those of the
// process: a file that does not fit them is not what runs.
func parseImage(r io.ReaderAt, entry, phnum uint64) (*image, error) {
	h := make([]byte, ehdrSize)
	if _, err := r.ReadAt(h, 0); err != nil {
		return nil, fmt.Errorf("reading ELF header: %w", noEOF(err))
	}
	const class64, little = 2, 1
	if string(h[:4]) != "\x7fELF" || h[4] != class64 || h[5] != little || le16(h[18:]) != machine() {
		return nil, fmt.Errorf("not a 64-bit ELF file of this machine: %w", errUnknown)
	}
	img := &image{r: r, bias: entry - le64(h[24:]), shstrndx: int(le16(h[62:]))}
	typ := le16(h[16:])
	if typ != etExec && typ != etDyn || typ == etExec && img.bias != 0 || img.bias%4096 != 0 || uint64(le16(h[56:])) != phnum {
		return nil, fmt.Errorf("file and process do not fit: %w", errUnknown)
	}
	offset, count := le64(h[40:]), int(le16(h[60:]))
	if le16(h[58:]) != shdrSize || count == 0 || count > maxSections {
		return nil, fmt.Errorf("%d section headers: %w", count, errUnknown)
	}
	table, err := img.bytes(offset, uint64(count)*shdrSize)
	if err != nil {
		return nil, fmt.Errorf("reading section headers: %w", err)
	}
	for ; len(table) > 0; table = table[shdrSize:] {
		img.sections = append(img.sections, parseSection(table))
	}
	return img, nil
}

func parseSection(b []byte) section {
	return section{
		name: le32(b), kind: le32(b[4:]), adr: le64(b[16:]), offset: le64(b[24:]), size: le64(b[32:]),
		link: le32(b[40:]), info: le32(b[44:]), entry: le64(b[56:]),
	}
}

// machine is the e_machine of the programs this kernel runs natively; the
// layouts that the readers know hold for these. No file has 0xffff.
func machine() uint16 {
	switch runtime.GOARCH {
	case "amd64":
		return 62 // EM_X86_64
	case "arm64":
		return 183 // EM_AARCH64
	}
	return 0xffff
}

// bytes reads n bytes of the file, all of them or none.
func (img *image) bytes(offset, n uint64) ([]byte, error) {
	if n > maxFile || offset > 1<<62 {
		return nil, fmt.Errorf("%d bytes at %#x of the file: %w", n, offset, errUnknown)
	}
	buf := make([]byte, n)
	if _, err := img.r.ReadAt(buf, int64(offset)); err != nil {
		return nil, noEOF(err)
	}
	return buf, nil
}

// section finds a section by type.
func (img *image) section(kind uint32) (section, bool) {
	for _, s := range img.sections {
		if s.kind == kind {
			return s, true
		}
	}
	return section{}, false
}

// named finds a section by name.
func (img *image) named(name string) (section, bool) {
	if img.shstrndx >= len(img.sections) {
		return section{}, false
	}
	strs := img.sections[img.shstrndx]
	table, err := img.bytes(strs.offset, min(strs.size, 64<<10))
	if err != nil {
		return section{}, false
	}
	for _, s := range img.sections {
		if hasName(table, uint64(s.name), name) {
			return s, true
		}
	}
	return section{}, false
}

// hasName reports whether the string at offset of a string table is name.
func hasName(table []byte, offset uint64, name string) bool {
	end := offset + uint64(len(name))
	return end < uint64(len(table)) && string(table[offset:end]) == name && table[end] == 0
}

// noEOF makes a file that ends too early one that is not known.
func noEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("file ends too early: %w", errUnknown)
	}
	return err
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
