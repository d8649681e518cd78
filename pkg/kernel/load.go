package kernel

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// object is bpf/task.bpf.c, compiled by scripts/check-bpf.sh.
//
//go:embed bpf/task_bpfel.o
var object []byte

// Names in the kernel's BTF. The iterator attaches to attachFunc; the structs are
// those that task.bpf.c reads by name (what they hold by value comes along), and
// auxInfo tells whether the kernel can iterate over one process (Linux 6.1).
const (
	attachFunc = "bpf_iter_task"
	auxInfo    = "bpf_iter_aux_info"
)

var readStructs = []string{
	"task_struct", "signal_struct", "sighand_struct", "pid", "upid", "mutex", "rw_semaphore",
	"bpf_iter__task", "bpf_iter_meta", auxInfo,
}

// program is the loaded iterator.
type program struct {
	maps   map[string]*ebpf.Map
	wanted *ebpf.Map // of maps: the processes to report
	named  int       // how many were put there so far
	fd     int       // -1: not loaded
	// onePID: the kernel can walk one thread group alone.
	onePID bool
}

func (p *program) close() {
	for _, m := range p.maps {
		_ = m.Close()
	}
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
	}
}

// load brings the iterator into the kernel.
//
// ebpf.NewCollection would do, but takes 27 ms where this takes 4: it indexes all
// of the kernel's types (150,000, and those of each module) and decodes every type
// that task_struct leads to, which is most of the kernel. The relocations need some
// two hundred, so those are cut out first (coreTypes, 2 ms) and handed to the same
// code of the library.
func load() (*program, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("parsing the task iterator: %w", err)
	}
	p := &program{maps: map[string]*ebpf.Map{}, fd: -1}
	if err := p.loadInto(spec); err != nil {
		p.close()
		return nil, fmt.Errorf("loading the task iterator: %w", err)
	}
	return p, nil
}

func (p *program) loadInto(spec *ebpf.CollectionSpec) error {
	types, err := kernelTypes()
	if err != nil {
		return err
	}
	for name, m := range spec.Maps {
		if p.maps[name], err = newMap(m); err != nil {
			return fmt.Errorf("creating map %s: %w", name, err)
		}
	}
	p.wanted = p.maps["wanted"]
	prog := spec.Programs["dump_task"]
	insns, err := relocate(prog, types.spec, p.maps)
	if err != nil {
		return err
	}
	var code bytes.Buffer
	if err := insns.Marshal(&code, prog.ByteOrder); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	p.onePID = types.onePID
	p.fd, err = progLoad(code.Bytes(), prog.License, types.attachID)
	return denied(err)
}

// newMap creates a map. EPERM before 5.11 is the memory-lock limit, to which the
// kernel then charged BPF memory; it is raised for this process, and once more.
func newMap(spec *ebpf.MapSpec) (*ebpf.Map, error) {
	// The library would load the types of key and value too, for bpftool to show.
	spec.Key, spec.Value = nil, nil
	m, err := ebpf.NewMap(spec)
	if !errors.Is(err, unix.EPERM) {
		return m, err
	}
	inf := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &inf) != nil {
		return nil, denied(err)
	}
	m, err = ebpf.NewMap(spec)
	return m, denied(err)
}

func denied(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w", ErrPrivilege, err)
	}
	return err
}

// targetTypes is the part of the kernel's BTF that the program needs.
type targetTypes struct {
	spec     *btf.Spec
	attachID uint32 // of attachFunc in the whole BTF
	onePID   bool
}

func kernelTypes() (targetTypes, error) {
	raw, release, err := mapBTF(vmlinuxBTF)
	if err != nil {
		return targetTypes{}, fmt.Errorf("reading the kernel's types: %w", err)
	}
	defer release()
	cut, id, err := coreTypes(raw, readStructs, attachFunc)
	if err != nil {
		return targetTypes{}, fmt.Errorf("reading the kernel's types: %w", err)
	}
	if id == 0 {
		return targetTypes{}, errors.New("the kernel has no task iterator (Linux 5.8, CONFIG_BPF_SYSCALL)")
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(cut))
	if err != nil {
		return targetTypes{}, fmt.Errorf("decoding the kernel's types: %w", err)
	}
	return targetTypes{spec: spec, attachID: id, onePID: hasMember(spec, auxInfo, "task")}, nil
}

func hasMember(spec *btf.Spec, name, member string) bool {
	var s *btf.Struct
	if spec.TypeByName(name, &s) != nil {
		return false
	}
	for _, m := range s.Members {
		if m.Name == member {
			return true
		}
	}
	return false
}

// relocate returns the instructions fitted to the kernel's types and the maps.
func relocate(prog *ebpf.ProgramSpec, types *btf.Spec, maps map[string]*ebpf.Map) (asm.Instructions, error) {
	insns := slices.Clone(prog.Instructions)
	var relos []*btf.CORERelocation
	var at []*asm.Instruction
	for i := range insns {
		if r := btf.CORERelocationMetadata(&insns[i]); r != nil {
			relos, at = append(relos, r), append(at, &insns[i])
		}
		if m := maps[insns[i].Reference()]; m != nil && insns[i].IsLoadFromMap() {
			if err := insns[i].AssociateMap(m); err != nil {
				return nil, fmt.Errorf("instruction %d: %w", i, err)
			}
		}
	}
	noLocalIDs := func(btf.Type) (btf.TypeID, error) { return 0, errors.ErrUnsupported }
	fixups, err := btf.CORERelocate(relos, []*btf.Spec{types}, prog.ByteOrder, noLocalIDs)
	if err != nil {
		return nil, fmt.Errorf("fitting to the kernel's types: %w", err)
	}
	for i := range fixups {
		if err := fixups[i].Apply(at[i]); err != nil {
			return nil, fmt.Errorf("fitting %s: %w", relos[i], err)
		}
	}
	return insns, nil
}
