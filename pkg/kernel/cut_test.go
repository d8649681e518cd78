package kernel

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func readBTF(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(vmlinuxBTF)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return raw
}

// The shortcut must not change what comes out: the program fitted to the cut types
// is, byte for byte, the program that the library fits to all of them.
func TestCutGivesTheSameProgram(t *testing.T) {
	cut, id, err := coreTypes(readBTF(t), readStructs, attachFunc)
	if err != nil {
		t.Fatal(err)
	}
	small, err := btf.LoadSpecFromReader(bytes.NewReader(cut))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fitted(t, whole), fitted(t, small)); diff != "" {
		t.Errorf("-whole +cut:\n%s", diff)
	}
	var fn *btf.Func
	if err := whole.TypeByName(attachFunc, &fn); err != nil {
		t.Fatal(err)
	}
	if want, err := whole.TypeID(fn); err != nil || uint32(want) != id {
		t.Errorf("%s has id %d, want %d (%v)", attachFunc, id, want, err)
	}
	t.Logf("%d bytes of types", len(cut))
}

func fitted(t *testing.T, types *btf.Spec) []byte {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	prog := spec.Programs["dump_task"]
	insns, err := relocate(prog, types, nil)
	if err != nil {
		t.Fatal(err)
	}
	var code bytes.Buffer
	for _, ins := range insns { // one by one: the maps are not there
		if _, err := ins.Marshal(&code, prog.ByteOrder); err != nil {
			t.Fatal(err)
		}
	}
	return code.Bytes()
}

// smallBTF is a well-formed BTF: an int, a pointer to a struct, the struct with a
// typedef'd array, a function.
func smallBTF() []byte {
	c := cutter{names: []byte("\x00int\x00task_struct\x00next\x00sig\x00bpf_iter_task\x00list\x00")}
	add := func(words ...uint32) {
		b := make([]byte, 4*len(words))
		for i, w := range words {
			put(b, 4*i, w)
		}
		c.out = append(c.out, b)
	}
	const next, sig, fn, list = 17, 22, 26, 40
	add(1, kindInt<<24, 4, 32)                           // 1: int
	add(0, kindPtr<<24, 3)                               // 2: struct task_struct *
	add(5, kindStruct<<24|2, 16, next, 2, 0, sig, 5, 64) // 3: struct task_struct
	add(0, kindArray<<24, 0, 1, 1, 2)                    // 4: int [2]
	add(list, kindTypedef<<24, 4)                        // 5: list
	add(0, kindFuncProto<<24|1, 0, next, 2)              // 6
	add(fn, kindFunc<<24, 6)                             // 7
	return c.encode()
}

func TestCoreTypes(t *testing.T) {
	cut, id, err := coreTypes(smallBTF(), []string{"task_struct", "absent"}, attachFunc)
	if err != nil || id != 7 {
		t.Fatalf("id %d, %v", id, err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(cut))
	if err != nil {
		t.Fatal(err)
	}
	var s *btf.Struct
	if err := spec.TypeByName("task_struct", &s); err != nil {
		t.Fatal(err)
	}
	if p, ok := s.Members[0].Type.(*btf.Pointer); !ok || p.Target != (*btf.Void)(nil) || s.Members[0].Name != "next" {
		t.Errorf("member %+v, want a pointer to void named next", s.Members[0])
	}
	if size, err := btf.Sizeof(s.Members[1].Type); err != nil || size != 8 || s.Members[1].Offset != 64 {
		t.Errorf("member %+v of %d bytes, %v", s.Members[1], size, err)
	}
	if !hasMember(spec, "task_struct", "sig") || hasMember(spec, "task_struct", "gis") || hasMember(spec, "absent", "sig") {
		t.Error("hasMember is wrong")
	}
}

func TestCoreTypesRefuses(t *testing.T) {
	damage := map[string]func(b []byte){
		"magic":         func(b []byte) { b[0] = 0 },
		"types too far": func(b []byte) { put(b, 12, 1<<30) },
		"no strings":    func(b []byte) { put(b, 20, 0) },
		"unknown kind":  func(b []byte) { put(b, btfHeaderLen+4, 31<<24) },
		"bad reference": func(b []byte) { put(b, btfHeaderLen+16+12+12+4, 99) },
		"cut short":     func(b []byte) { put(b, 12, 14) },
	}
	for name, do := range damage {
		b := smallBTF()
		do(b)
		if _, _, err := coreTypes(b, []string{"task_struct"}, attachFunc); !errors.Is(err, errBTF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := coreTypes(nil, nil, ""); !errors.Is(err, errBTF) {
		t.Errorf("empty: %v", err)
	}
}

func FuzzCoreTypes(f *testing.F) {
	f.Add(smallBTF())
	f.Fuzz(func(t *testing.T, raw []byte) {
		cut, _, err := coreTypes(raw, []string{"task_struct", "s"}, attachFunc)
		if err == nil && len(cut) < btfHeaderLen {
			t.Errorf("%d bytes without an error", len(cut))
		}
	})
}
