package inside

import "fmt"

// Bounds of a symbol search; node 25 has 112,000 local symbols, of which 2,800
// have the size looked for.
const (
	maxSymbols    = 1 << 20
	maxCandidates = 1 << 14
	maxChain      = 1 << 10 // symbols of one hash bucket
	scanChunk     = 4096    // symbols read at once
)

const (
	sttObject, sttFunc = 1, 2
)

// symbol is one defined symbol, its address in the running process.
type symbol struct {
	addr, size uint64
	kind       byte
}

// exported looks up names in .dynsym. Strip(1) keeps these. A name that is not
// there is not in the result.
func (img *image) exported(names ...string) (map[string]symbol, error) {
	dyn, ok := img.section(shtDynsym)
	if !ok || int(dyn.link) >= len(img.sections) {
		return nil, fmt.Errorf("no dynamic symbols: %w", errUnknown)
	}
	hash, ok := img.section(shtGNUHash)
	if !ok {
		return nil, fmt.Errorf("no .gnu.hash: %w", errUnknown)
	}
	g, err := newGNUHash(img, hash, dyn, img.sections[dyn.link])
	if err != nil {
		return nil, err
	}
	found := make(map[string]symbol, len(names))
	for _, name := range names {
		s, ok, err := g.find(name)
		if err != nil {
			return nil, err
		}
		if ok {
			found[name] = s
		}
	}
	return found, nil
}

// gnuHash is the .gnu.hash section: one bucket read and a short chain find a
// name among the 75,000 that node exports.
type gnuHash struct {
	img              *image
	dyn, str         section
	buckets, first   uint32 // first: the first symbol that is hashed
	bucketsAt, chain uint64 // file offsets
}

func newGNUHash(img *image, hash, dyn, str section) (*gnuHash, error) {
	h, err := img.bytes(hash.offset, 16)
	if err != nil {
		return nil, fmt.Errorf("reading .gnu.hash: %w", err)
	}
	g := &gnuHash{img: img, dyn: dyn, str: str, buckets: le32(h), first: le32(h[4:])}
	bloom := uint64(le32(h[8:]))
	g.bucketsAt = hash.offset + 16 + 8*bloom
	g.chain = g.bucketsAt + 4*uint64(g.buckets)
	if g.buckets == 0 || 16+8*bloom+4*uint64(g.buckets) > hash.size || hash.size > maxFile {
		return nil, fmt.Errorf(".gnu.hash of %d buckets: %w", g.buckets, errUnknown)
	}
	return g, nil
}

func (g *gnuHash) find(name string) (symbol, bool, error) {
	want := gnuHashOf(name)
	b, err := g.img.bytes(g.bucketsAt+4*uint64(want%g.buckets), 4)
	if err != nil {
		return symbol{}, false, fmt.Errorf("reading .gnu.hash: %w", err)
	}
	i := le32(b)
	if i < g.first { // an empty bucket
		return symbol{}, false, nil
	}
	for n := 0; n < maxChain; n++ {
		b, err := g.img.bytes(g.chain+4*uint64(i-g.first), 4)
		if err != nil {
			return symbol{}, false, fmt.Errorf("reading .gnu.hash: %w", err)
		}
		if h := le32(b); h|1 == want|1 {
			s, ok, err := g.img.symbolNamed(g.dyn, g.str, uint64(i), name)
			if err != nil || ok {
				return s, ok, err
			}
		}
		if le32(b)&1 != 0 { // the last of its bucket
			return symbol{}, false, nil
		}
		i++
	}
	return symbol{}, false, fmt.Errorf("chain of .gnu.hash without end: %w", errUnknown)
}

// gnuHashOf is the hash function of .gnu.hash (dl_new_hash in glibc).
func gnuHashOf(name string) uint32 {
	h := uint32(5381)
	for i := 0; i < len(name); i++ {
		h = h*33 + uint32(name[i])
	}
	return h
}

// symbolNamed reads symbol i of a table and says whether it is name, defined.
func (img *image) symbolNamed(table, str section, i uint64, name string) (symbol, bool, error) {
	if i >= table.size/symSize {
		return symbol{}, false, fmt.Errorf("symbol %d of %d: %w", i, table.size/symSize, errUnknown)
	}
	b, err := img.bytes(table.offset+i*symSize, symSize)
	if err != nil {
		return symbol{}, false, fmt.Errorf("reading symbol %d: %w", i, err)
	}
	if le16(b[6:]) == 0 { // SHN_UNDEF
		return symbol{}, false, nil
	}
	ok, err := img.isNamed(str, le32(b), name)
	return img.symbol(b), ok, err
}

func (img *image) symbol(b []byte) symbol {
	return symbol{kind: b[4] & 15, addr: img.bias + le64(b[8:]), size: le64(b[16:])}
}

func (img *image) isNamed(str section, offset uint32, name string) (bool, error) {
	if uint64(offset)+uint64(len(name)) >= str.size {
		return false, nil
	}
	b, err := img.bytes(str.offset+uint64(offset), uint64(len(name))+1)
	if err != nil {
		return false, fmt.Errorf("reading a symbol's name: %w", err)
	}
	return hasName(b, 0, name), nil
}

// hidden finds a data object of the given size in .symtab, which strip(1)
// removes. Only the names of symbols that fit in type and size are read: the
// table is read through once, the string table hardly at all. local: look only
// among the symbols that are static in their file, which come first.
func (img *image) hidden(name string, size uint64, local bool) (symbol, error) {
	tab, ok := img.section(shtSymtab)
	if !ok || int(tab.link) >= len(img.sections) || tab.entry != symSize {
		return symbol{}, fmt.Errorf("no symbol table: %w", errUnknown)
	}
	count := tab.size / symSize
	if local {
		count = min(count, uint64(tab.info))
	}
	if count > maxSymbols {
		return symbol{}, fmt.Errorf("%d symbols: %w", count, errUnknown)
	}
	search := candidateSearch{img: img, str: img.sections[tab.link], name: name, size: size}
	for i := uint64(0); i < count; i += scanChunk {
		chunk, err := img.bytes(tab.offset+i*symSize, min(scanChunk, count-i)*symSize)
		if err != nil {
			return symbol{}, fmt.Errorf("reading symbols: %w", err)
		}
		s, ok, err := search.in(chunk)
		if err != nil || ok {
			return s, err
		}
	}
	return symbol{}, fmt.Errorf("no symbol %s: %w", name, errUnknown)
}

// candidateSearch looks for one object by size, then name.
type candidateSearch struct {
	img  *image
	str  section
	name string
	size uint64
	seen int
}

func (c *candidateSearch) in(chunk []byte) (symbol, bool, error) {
	for ; len(chunk) >= symSize; chunk = chunk[symSize:] {
		if le64(chunk[16:]) != c.size || chunk[4]&15 != sttObject || le16(chunk[6:]) == 0 {
			continue
		}
		if c.seen++; c.seen > maxCandidates {
			return symbol{}, false, fmt.Errorf("%d symbols of size %d: %w", c.seen, c.size, errUnknown)
		}
		ok, err := c.img.isNamed(c.str, le32(chunk), c.name)
		if err != nil || ok {
			return c.img.symbol(chunk), ok, err
		}
	}
	return symbol{}, false, nil
}
