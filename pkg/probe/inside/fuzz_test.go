package inside

import (
	"bytes"
	"testing"

	"github.com/whystuck/whystuck/pkg/evidence"
)

// FuzzImage: a program file is whatever a container says it is.
func FuzzImage(f *testing.F) {
	data, entry, phnum := ownELF(f)
	f.Add(data[:4096], entry, phnum)
	f.Add(smallELF(), uint64(0x1000), uint64(1))
	f.Fuzz(func(_ *testing.T, data []byte, entry, phnum uint64) {
		tryImage(data, entry, phnum)
		if len(data) < ehdrSize {
			return
		}
		// A header that fits opens the door to all that lies behind it.
		data = bytes.Clone(data)
		copy(data, smallELF()[:20])
		data[58], data[59] = shdrSize, 0
		tryImage(data, le64(data[24:]), uint64(le16(data[56:])))
	})
}

// smallELF has one of each section that is followed, in a few hundred bytes, so
// that a fuzzer reaches all of them.
func smallELF() []byte {
	b := make([]byte, 1024)
	copy(b, "\x7fELF\x02\x01\x01")
	put := func(at int, size int, v uint64) {
		for i := 0; i < size; i++ {
			b[at+i] = byte(v >> (8 * i))
		}
	}
	put(16, 2, etDyn)
	put(18, 2, uint64(machine()))
	put(24, 8, 0x1000)
	put(40, 8, 64)
	put(56, 2, 1)
	put(58, 2, shdrSize)
	put(60, 2, 5)
	put(62, 2, 3)
	section := func(i int, name, kind, offset, size, link, info uint64) {
		at := 64 + i*shdrSize
		put(at, 4, name)
		put(at+4, 4, kind)
		put(at+24, 8, offset)
		put(at+32, 8, size)
		put(at+40, 4, link)
		put(at+44, 4, info)
		put(at+56, 8, symSize)
	}
	section(0, 1, shtGNUHash, 400, 40, 1, 0)
	section(1, 0, shtDynsym, 448, 48, 3, 1)
	section(2, 0, shtSymtab, 448, 48, 3, 2)
	section(3, 0, 3, 512, 64, 0, 0)
	section(4, 40, 1, 600, 100, 0, 0)
	put(400, 4, 1) // one bucket
	put(404, 4, 1)
	put(408, 4, 1)
	put(424, 4, 1)                                // symbol 1
	put(428, 4, uint64(gnuHashOf("trap_list"))|1) // chain
	put(472, 4, 1)                                // st_name
	put(476, 1, sttObject)                        // st_info
	put(478, 2, 1)                                // st_shndx
	put(488, 8, goSigSize)                        // st_size
	copy(b[512:], "\x00trap_list\x00runtime.sig\x00")
	copy(b[552:], ".go.buildinfo\x00")
	copy(b[600:], "\xff Go buildinf:\x08\x02")
	return b
}

// TestSmallELF: the seed is what it says, or the fuzzer would stop at the door.
func TestSmallELF(t *testing.T) {
	r := bytes.NewReader(smallELF())
	img, err := parseImage(r, 0x1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if syms, err := img.exported("trap_list"); err != nil || len(syms) != 1 {
		t.Errorf("exported: %v %v", syms, err)
	}
	if s, err := img.hidden("trap_list", goSigSize, false); err != nil || s.size != goSigSize {
		t.Errorf("hidden: %v %v", s, err)
	}
	if _, ok := img.named(".go.buildinfo"); !ok {
		t.Error("no .go.buildinfo")
	}
}

// fuzzMemory is a memory that is one repeated block: every pointer leads
// somewhere, round and round.
type fuzzMemory []byte

func (m fuzzMemory) peek(addr uint64, n int) ([]byte, error) {
	out := make([]byte, n)
	for i := range out {
		if len(m) > 0 {
			out[i] = m[(addr+uint64(i))%uint64(len(m))]
		}
	}
	return out, nil
}

func FuzzMemory(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add(handle(15, 0x98, 0, 0), uint64(0x7fff))
	f.Add(words(zendSize, map[int]uint64{8: 1 << 32}), uint64(0x4002))
	f.Fuzz(func(t *testing.T, data []byte, caughtSet uint64) {
		m := fuzzMemory(data)
		p := &evidence.Process{PID: 1, Signals: &evidence.Signals{Caught: evidence.SigSet(caughtSet), Ignored: ^evidence.SigSet(caughtSet)},
			Tasks: []evidence.Task{{TID: 1, State: "S", Syscall: &evidence.Syscall{Name: "wait4"}}}}
		if n, err := nodeFrom(0, m, p); (n == nil) == (err == nil) {
			t.Errorf("node: %+v %v", n, err)
		}
		if n, err := phpFrom(0, m, p); (n == nil) == (err == nil) {
			t.Errorf("php: %+v %v", n, err)
		}
		syms, _ := bashVars(nil, nil)
		b, err := bashFrom(syms, m, p)
		if (b == nil) == (err == nil) {
			t.Errorf("bash: %+v %v", b, err)
		}
		if b != nil {
			for name, trap := range b.Traps {
				if len(trap.Text) > 3*maxTrap {
					t.Errorf("trap %s of %d bytes", name, len(trap.Text))
				}
			}
		}
		if len(data) >= goSigSize {
			_, _, _ = parseGoSig(data[:goSigSize])
		}
		for _, call := range []string{"poll", "pselect6"} {
			if set, err := polledSet(m, &evidence.Syscall{Name: call, Args: []uint64{caughtSet, caughtSet}}); err == nil {
				set(5)
			}
		}
	})
}

func FuzzProc(f *testing.F) {
	f.Add([]byte("12 (a) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2"))
	f.Add([]byte("22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw\n"))
	f.Add([]byte("128 0x7ffe0010 0x0 0x0 0x8 0x0 0x0 0x7ffd 0x7f00\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _, _ = parseStat(data)
		_ = mountType(data, "22", "0:20")
		_ = mountType(data, "", "0:20")
		_, _, _ = parseAuxv(data)
		_ = isCall(data, &evidence.Syscall{NR: 128, Args: []uint64{1, 2}})
		_ = goMinor(string(data))
	})
}
