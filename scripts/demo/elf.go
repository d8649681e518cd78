package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// program is a complete static executable that waits for a signal for ever and
// has a handler for none. A Go program could not play this part: the Go runtime
// catches every signal and exits on SIGTERM even as PID 1. A C program would
// need a compiler on the reader's machine.
func program(goarch string) ([]byte, error) {
	var code []byte
	var machine elf.Machine
	switch goarch {
	case "amd64":
		machine = elf.EM_X86_64
		code = []byte{
			0xb8, 0x22, 0x00, 0x00, 0x00, // loop: mov eax, 34 (pause)
			0x0f, 0x05, //                         syscall
			0xeb, 0xf7, //                         jmp loop
		}
	case "arm64": // has no pause: ppoll(NULL, 0, NULL, NULL, 0)
		machine = elf.EM_AARCH64
		for _, op := range []uint32{
			0xd2800000, // loop: mov x0, 0
			0xd2800001, //       mov x1, 0
			0xd2800002, //       mov x2, 0
			0xd2800003, //       mov x3, 0
			0xd2800004, //       mov x4, 0
			0xd2800928, //       mov x8, 73 (ppoll)
			0xd4000001, //       svc 0
			0x17fffff9, //       b loop
		} {
			code = binary.LittleEndian.AppendUint32(code, op)
		}
	default:
		return nil, fmt.Errorf("no demo program for %s, only for amd64 and arm64", goarch)
	}
	return executable(machine, code)
}

// executable puts code behind an ELF header and the one program header that the
// kernel needs to load and start it.
func executable(machine elf.Machine, code []byte) ([]byte, error) {
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(code))
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	p := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000,
	}
	var b bytes.Buffer
	for _, part := range []any{h, p, code} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return nil, fmt.Errorf("writing the program: %w", err)
		}
	}
	return b.Bytes(), nil
}
