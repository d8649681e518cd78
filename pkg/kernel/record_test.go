package kernel

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func words(v ...any) []byte {
	var b bytes.Buffer
	for _, x := range v {
		_ = binary.Write(&b, binary.NativeEndian, x)
	}
	return b.Bytes()
}

func taskBytes(tgid, tid uint32) []byte {
	return words(uint32(recordTask), tgid, tid, uint32(9), []uint64{1, 2, 3, 4, 5, 6, 7, 8})
}

// actionBytes: two actions of 24 bytes, with the flags first as MIPS has it.
func actionBytes(tgid uint32) []byte {
	return words(uint32(recordActions), tgid, []uint16{24, 8, 0, 72},
		[]uint64{0xf1, 0x1000, 0}, []uint64{0xf2, lastIgnore, 0}, []uint64{0xf3, 0x3000, 0})
}

func TestReadRecords(t *testing.T) {
	stream := bytes.Join([][]byte{taskBytes(7, 7), actionBytes(7), taskBytes(8, 8), taskBytes(7, 70)}, nil)
	got := map[int]*group{}
	if err := readRecords(bufio.NewReader(bytes.NewReader(stream)), got, func(pid int) bool { return pid == 7 }); err != nil {
		t.Fatal(err)
	}
	one := task{tgid: 7, tid: 7, blocker: 9, state: 1, startNS: 2, signalFlags: 3, blocked: 4, realBlocked: 5, pending: 6, sharedPending: 7, ptrace: 8}
	two := one
	two.tid = 70
	want := map[int]*group{7: {
		tasks:   []task{one, two},
		actions: []action{{signal: 1, handler: 0x1000, flags: 0xf1}, {signal: 3, handler: 0x3000, flags: 0xf3}},
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(group{}, task{}, action{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReadRecordsRefuses(t *testing.T) {
	all := func(int) bool { return true }
	for name, b := range map[string][]byte{
		"cut head":     taskBytes(7, 7)[:10],
		"cut body":     taskBytes(7, 7)[:40],
		"unknown kind": words([]uint32{77, 7, 0, 0}),
		"too long":     words([]uint32{recordActions, 7}, []uint16{32, 0, 8, 5000}),
	} {
		if err := readRecords(bufio.NewReader(bytes.NewReader(b)), map[int]*group{}, all); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReadRecords(f *testing.F) {
	f.Add(append(taskBytes(7, 7), actionBytes(7)...))
	f.Add(words([]uint32{recordActions, 7}, []uint16{8, 0, 1, 8}, uint64(5)))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = readRecords(bufio.NewReader(bytes.NewReader(b)), map[int]*group{}, func(int) bool { return true })
	})
}
