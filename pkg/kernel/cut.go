package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// cutter copies types out of one BTF into another.
type cutter struct {
	*btfTable
	at    []uint32          // offset in types by type id; at[0] (void) means nothing
	ids   map[uint32]uint32 // new id by old
	out   [][]byte          // the new types, id 1 first
	names []byte            // the new strings
}

// coreTypes returns a BTF that holds the structs and unions of the given names
// with all that they contain by value, and in which every pointer points to void;
// and the id that the function fn has in raw, 0 if it is not there.
//
// CO-RE compares nothing behind a pointer (bpf_core_fields_are_compat), so that
// relocations come out as they do with the whole; a test compares them. `bpftool
// gen min_core_btf` makes the same.
func coreTypes(raw []byte, structs []string, fn string) (cut []byte, fnID uint32, err error) {
	table, err := parseBTF(raw)
	if err != nil {
		return nil, 0, err
	}
	c := cutter{btfTable: table, ids: map[uint32]uint32{0: 0}, names: []byte{0}}
	roots, fnID, err := c.index(structs, fn)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range roots {
		if _, err := c.keep(id, 0); err != nil {
			return nil, 0, err
		}
	}
	return c.encode(), fnID, nil
}

// index notes where each type begins and finds the ids of the named ones. It goes
// over 150,000 types: names are compared by their first byte first.
func (c *cutter) index(structs []string, fn string) (roots []uint32, fnID uint32, err error) {
	var byFirst [256][]string
	for _, s := range structs {
		byFirst[s[0]] = append(byFirst[s[0]], s)
	}
	c.at = append(make([]uint32, 0, len(c.types)/16), math.MaxUint32)
	for off := 0; off < len(c.types); {
		t, err := c.typeAt(off)
		if err != nil {
			return nil, 0, err
		}
		id := uint32(len(c.at))
		c.at = append(c.at, uint32(off))
		off += t.size
		switch {
		case int64(t.name) >= int64(len(c.strings)):
		case t.kind == kindFunc && c.named(t.name, fn):
			fnID = id
		case t.kind == kindStruct || t.kind == kindUnion:
			for _, s := range byFirst[c.strings[t.name]] {
				if c.named(t.name, s) {
					roots = append(roots, id)
				}
			}
		}
	}
	return roots, fnID, nil
}

// maxNesting bounds how deep types contain each other, which in task_struct is
// about a dozen.
const maxNesting = 64

// keep copies type id and what it contains, and returns its new id.
func (c *cutter) keep(id uint32, depth int) (uint32, error) {
	if n, ok := c.ids[id]; ok {
		return n, nil
	}
	if id >= uint32(len(c.at)) || depth > maxNesting {
		return 0, fmt.Errorf("%w: type %d", errBTF, id)
	}
	t, err := c.typeAt(int(c.at[id]))
	if err != nil {
		return 0, err
	}
	from := int(c.at[id])
	body := bytes.Clone(c.types[from : from+t.size])
	if t.kind == kindEnum || t.kind == kindEnum64 { // its values are of no use here
		body = body[:btfTypeLen]
		put(body, 4, word(body, 4)&^0xffff)
	}
	c.out = append(c.out, body)
	n := uint32(len(c.out))
	c.ids[id] = n
	c.rename(body, 0)
	return n, c.follow(body, t, depth+1)
}

// follow keeps what a copied type contains and puts the new ids in its body.
func (c *cutter) follow(body []byte, t btfType, depth int) error {
	switch t.kind {
	case kindInt, kindFloat, kindFwd, kindEnum, kindEnum64:
		return nil
	case kindPtr:
		put(body, 8, 0)
		return nil
	case kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
		return c.renumber(body, depth, 8)
	case kindArray:
		return c.renumber(body, depth, btfTypeLen, btfTypeLen+4)
	case kindStruct, kindUnion:
		for m := btfTypeLen; m < len(body); m += 12 {
			c.rename(body, m)
			if err := c.renumber(body, depth, m+4); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%w: a type of kind %d within another", errBTF, t.kind)
}

func (c *cutter) renumber(body []byte, depth int, fields ...int) error {
	for _, f := range fields {
		n, err := c.keep(word(body, f), depth)
		if err != nil {
			return err
		}
		put(body, f, n)
	}
	return nil
}

// rename copies the string that the field at off names.
func (c *cutter) rename(body []byte, off int) {
	from := word(body, off)
	if from == 0 || from >= uint32(len(c.strings)) {
		put(body, off, 0)
		return
	}
	s := c.strings[from:]
	put(body, off, uint32(len(c.names)))
	c.names = append(c.names, s[:bytes.IndexByte(s, 0)+1]...)
}

func (c *cutter) encode() []byte {
	types := bytes.Join(c.out, nil)
	h := make([]byte, btfHeaderLen, btfHeaderLen+len(types)+len(c.names))
	binary.NativeEndian.PutUint16(h, btfMagic)
	h[2] = 1 // version
	put(h, 4, btfHeaderLen)
	put(h, 12, uint32(len(types)))
	put(h, 16, uint32(len(types)))
	put(h, 20, uint32(len(c.names)))
	return append(append(h, types...), c.names...)
}

func word(b []byte, off int) uint32   { return binary.NativeEndian.Uint32(b[off:]) }
func put(b []byte, off int, v uint32) { binary.NativeEndian.PutUint32(b[off:], v) }
