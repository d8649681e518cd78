package kernel

import "github.com/cilium/ebpf"

// maxPrograms bounds the walk through all loaded programs.
const maxPrograms = 4096

// LSMPrograms names the loaded BPF programs of type LSM, which may deny what no
// other module denies; nil without the privilege to list programs. Which hook
// each sits on is not told.
func LSMPrograms() []string {
	var names []string
	for id, n := ebpf.ProgramID(0), 0; n < maxPrograms; n++ {
		next, err := ebpf.ProgramGetNextID(id)
		if err != nil {
			return names // the last one, or not allowed
		}
		id = next
		if name, ok := lsmProgram(id); ok {
			names = append(names, name)
		}
	}
	return names
}

func lsmProgram(id ebpf.ProgramID) (name string, ok bool) {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return "", false
	}
	defer p.Close()
	if p.Type() != ebpf.LSM {
		return "", false
	}
	if info, err := p.Info(); err == nil {
		name = info.Name
	}
	return name, true
}
