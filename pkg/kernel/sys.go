package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// progLoadAttr is the start of union bpf_attr for BPF_PROG_LOAD, see
// include/uapi/linux/bpf.h. The library fills it only together with a search of
// all kernel types for attach_btf_id, which is what load avoids.
type progLoadAttr struct {
	progType           uint32
	insnCnt            uint32
	insns              uint64
	license            uint64
	logLevel           uint32
	logSize            uint32
	logBuf             uint64
	kernVersion        uint32
	progFlags          uint32
	progName           [16]byte
	progIfindex        uint32
	expectedAttachType uint32
	progBtfFd          uint32
	funcInfoRecSize    uint32
	funcInfo           uint64
	funcInfoCnt        uint32
	lineInfoRecSize    uint32
	lineInfo           uint64
	lineInfoCnt        uint32
	attachBtfID        uint32
}

// progLoad gives an iterator's instructions to the kernel. A refusal by the
// verifier is repeated with its log, of which the error has the end.
func progLoad(code []byte, license string, attachID uint32) (int, error) {
	lic, log := append([]byte(license), 0), make([]byte, 64<<10)
	var pin runtime.Pinner
	defer pin.Unpin()
	attr := progLoadAttr{
		progType: unix.BPF_PROG_TYPE_TRACING, expectedAttachType: unix.BPF_TRACE_ITER,
		insnCnt: uint32(len(code) / 8), insns: pinned(&pin, &code[0]), license: pinned(&pin, &lic[0]),
		attachBtfID: attachID,
	}
	copy(attr.progName[:15], "whystuck_task")
	fd, err := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err == nil || errors.Is(err, unix.EPERM) {
		return fd, err
	}
	attr.logLevel, attr.logSize, attr.logBuf = 1, uint32(len(log)), pinned(&pin, &log[0])
	if fd, again := bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); again == nil {
		return fd, nil
	}
	text := bytes.TrimRight(log, "\x00\n ")
	if len(text) > 300 {
		text = text[len(text)-300:]
	}
	return -1, fmt.Errorf("%w: %q", err, text)
}

// linkCreateAttr is union bpf_attr for BPF_LINK_CREATE of an iterator.
type linkCreateAttr struct {
	progFd      uint32
	targetFd    uint32
	attachType  uint32
	flags       uint32
	iterInfo    uint64
	iterInfoLen uint32
	_           uint32
}

// taskInfo is union bpf_iter_link_info's task: tid, pid, pid_fd, of which at most
// one may be set.
type taskInfo struct {
	_   uint32
	pid uint32
	_   [2]uint32
}

// openIterator opens a pass over the tasks of one thread group (pid 0: of all, in
// the reader's PID namespace). Reading the file runs the program.
func openIterator(prog, pid int) (*os.File, error) {
	attr := linkCreateAttr{progFd: uint32(prog), attachType: unix.BPF_TRACE_ITER}
	info := taskInfo{pid: uint32(pid)}
	var pin runtime.Pinner
	defer pin.Unpin()
	if pid != 0 {
		attr.iterInfo, attr.iterInfoLen = pinned(&pin, &info), uint32(unsafe.Sizeof(info))
	}
	link, err := bpf(unix.BPF_LINK_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return nil, fmt.Errorf("attaching: %w", err)
	}
	defer unix.Close(link) // the open file holds the link
	create := struct{ linkFd, flags uint32 }{linkFd: uint32(link)}
	fd, err := bpf(unix.BPF_ITER_CREATE, unsafe.Pointer(&create), unsafe.Sizeof(create))
	if err != nil {
		return nil, fmt.Errorf("opening: %w", err)
	}
	return os.NewFile(uintptr(fd), "bpf_iter"), nil
}

// pinned returns p's address for a field of bpf_attr; it stays valid until
// pin.Unpin.
func pinned[T any](pin *runtime.Pinner, p *T) uint64 {
	pin.Pin(p)
	return uint64(uintptr(unsafe.Pointer(p)))
}

func bpf(cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EAGAIN, unix.EINTR: // the verifier saw a signal, as Go's own preemption is
			continue
		default:
			return -1, errno
		}
	}
}
